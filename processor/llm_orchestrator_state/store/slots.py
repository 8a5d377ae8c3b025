"""Which worker of this host a process is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import NamedTuple

from ..errors import StateDirectory
from .directory import make_directory

MAX_SLOTS = 1_000
"""Workers of one host that may share a state directory."""


class Slot(NamedTuple):
    """descriptor: of its lock, which the kernel gives back when all processes have ended that have it open."""

    number: int
    descriptor: int


def claim_slot(state_dir: Path) -> Slot:
    """The first number that no other worker on this state directory has, for as long as the process lives.

    Raises StateDirectory.
    """
    directory = make_directory(state_dir / "slots")
    for slot in range(MAX_SLOTS):
        try:
            descriptor = os.open(directory / str(slot), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateDirectory(f"{directory} cannot be written ({error.strerror}); make it writable") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise StateDirectory(f"{directory} cannot be locked ({error.strerror}); use a local file system") from None
        else:
            return Slot(slot, descriptor)
    raise StateDirectory(f"all {MAX_SLOTS} slots of {directory} are taken; use another state directory")

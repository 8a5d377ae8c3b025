"""Taking a database directory out of use, without ever leaving half of one under its name."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StateDirectory, StoreLocked

KEPT_S = 7 * 24 * 3600
"""For how long somebody may look into a damaged database."""


def move_aside(path: Path) -> Path | None:
    """Renamed to ``<path>.corrupt-<Unix time>``, for whoever wants to know why. None where there is nothing."""
    return _renamed(path, f"{path}.corrupt-{int(time.time())}")


def remove_old(path: Path) -> None:
    """What was moved aside here KEPT_S ago: the states of runs that may have been deleted since."""
    for moved in path.parent.glob(f"{path.name}.corrupt-*"):
        at = moved.name.rpartition("-")[2]
        if at.isdigit() and time.time() - int(at) > KEPT_S:
            shutil.rmtree(moved, ignore_errors=True)


def remove(path: Path) -> None:
    for left_over in path.parent.glob(f"{path.name}.removed-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    # a crash in the middle of removing leaves the new name, never a database that lacks files
    renamed = _renamed(path, f"{path}.removed-{os.getpid()}")
    if renamed:
        shutil.rmtree(renamed, ignore_errors=True)


def _renamed(path: Path, to: str) -> Path | None:
    if not path.exists():
        return None
    try:
        with _locked(path):
            return path.rename(to)
    except OSError as error:
        raise StateDirectory(f"{path} cannot be moved ({error.strerror}); make its parent writable") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """RocksDB's own lock, so that no database is moved away under a process that has it open."""
    with (path / "LOCK").open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreLocked(f"{path} is open in another process; it is tried again") from None
        yield

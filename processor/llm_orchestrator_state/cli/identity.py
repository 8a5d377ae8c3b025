"""Who a worker's processes are in the group."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from typing import NamedTuple

from ..settings import Settings
from ..store.slots import claim_slot


class Identity(NamedTuple):
    """lock: descriptor of what keeps others of this host from being it, as long as it is open; None where it was given."""

    instance_id: str
    lock: int | None = None


def identity_of(settings: Settings) -> Identity:
    """Of a worker of one process: as given, else from the host's name, the state directory's path, and the first of its
    slots that is free. Raises StateDirectory.
    """
    if settings.instance_id:
        return Identity(settings.instance_id)
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:80] or "host"
    slot = claim_slot(settings.state_dir)
    # slots tell the workers on one directory apart, and not those of two directories on one host
    path = hashlib.sha256(os.fsencode(settings.state_dir.resolve())).hexdigest()[:4]
    return Identity(f"{host}-{path}-{slot.number}", slot.descriptor)


def identities_of(settings: Settings, processes: int) -> list[Identity]:
    """Of a worker of several: numbered behind the one that is given, else a slot for each. Raises StateDirectory."""
    if settings.instance_id:
        return [Identity(f"{settings.instance_id}-{number}") for number in range(processes)]
    return [identity_of(settings) for _ in range(processes)]

"""What RocksDB says went wrong, as this package's errors: rocksdict raises a bare Exception with RocksDB's text."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from ..errors import CorruptStore, StateDirectory, StoreLocked

_MANIFEST_IS_MISSING = re.compile(r"IO error: No such file or directory: .*/MANIFEST-\d+: No such file").match
_LOCKED = ("lock hold by current process", "LOCK: Resource temporarily unavailable")


def is_vanished_file(error: StateDirectory) -> bool:
    """Whether a file was missed. To one who reads while another writes, it is no damage, whatever RocksDB calls it."""
    return "No such file or directory" in str(error)


def as_state_error(error: Exception, path: Path) -> StateDirectory:
    """Only a ``Corruption:`` message means corruption, or a manifest that is not there, though CURRENT names it: anything
    else may be a disk that is full or a file in use.
    """
    text = " ".join(str(error).split())
    if text.startswith("Corruption:") or _MANIFEST_IS_MISSING(text):
        return CorruptStore(f"{path} is damaged ({text}); it is moved aside and restored from the state topic")
    if any(sign in text for sign in _LOCKED):
        return StoreLocked(f"{path} is open in another process; it is tried again")
    if os.strerror(errno.ENOSPC) in text:
        return StateDirectory(
            f"there is no space left for {path} ({text}); make space and start again: nothing is lost, for what the store "
            "lacks is read from the state topic"
        )
    return StateDirectory(
        f"{path} cannot be used ({text}); repair it, or remove it: it is restored from the state topic"
    )

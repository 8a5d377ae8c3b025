"""What RocksDB says went wrong, as this package's errors: rocksdict raises a bare Exception with RocksDB's text."""

from __future__ import annotations

from pathlib import Path

from ..errors import CorruptStore, StateDirectory, StoreLocked

_LOCKED = ("lock hold by current process", "LOCK: Resource temporarily unavailable")


def is_vanished_file(error: StateDirectory) -> bool:
    """Whether a file was missed. To one who reads while another writes, it is no damage, whatever RocksDB calls it."""
    return "No such file or directory" in str(error)


def as_state_error(error: Exception, path: Path) -> StateDirectory:
    """Only a ``Corruption:`` message means corruption: anything else may be a disk that is full or a file in use."""
    text = " ".join(str(error).split())
    if text.startswith("Corruption:"):
        return CorruptStore(f"{path} is damaged ({text}); it is moved aside and restored from the state topic")
    if any(sign in text for sign in _LOCKED):
        return StoreLocked(f"{path} is open in another process; it is tried again")
    return StateDirectory(
        f"{path} cannot be used ({text}); repair it, or remove it: it is restored from the state topic"
    )

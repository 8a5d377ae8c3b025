"""The local stores as files: how large, whose, and open in which process. Nothing is opened for writing."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from pathlib import Path

from ..errors import StateDirectory


def size_on_disk(directory: Path) -> int | None:
    """Bytes of the files below it; None where there is no such directory, or it cannot be read."""
    try:
        return sum(map(_size, directory.rglob("*"))) if directory.is_dir() else None
    except PermissionError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # a worker's compaction has removed it meanwhile
        return 0


def partition_directories(directory: Path) -> list[int]:
    """Partitions that have a store there, in order. Raises StateDirectory when it cannot be read."""
    try:
        return sorted(int(path.name) for path in directory.iterdir() if path.name.isdigit() and path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StateDirectory(f"{directory} cannot be read ({error.strerror}); make it readable for this user") from None


def holder(store: Path) -> int | None:
    """Process id of who has this store open; None where nobody has, or this is not Linux.

    RocksDB locks its file LOCK (fcntl(2), F_SETLK); F_GETLK tells the owner without taking the lock. 0: the owner is
    in another container, where its number means nothing here.
    """
    if sys.platform != "linux":  # the layout of struct flock is each system's own
        return None
    try:
        descriptor = os.open(store / "LOCK", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # struct flock of 64-bit Linux: type, whence, start, length, pid
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, owner = struct.unpack("hhqqi4x", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else int(owner)

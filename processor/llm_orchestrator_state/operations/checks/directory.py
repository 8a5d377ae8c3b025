"""The state directory: there, ours alone, large enough, and whose."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from ...errors import CorruptStore, StateDirectory
from ...store.rocks import RocksStores
from ...units import size_text
from ..deployment import Deployment
from ..findings import Finding, failed, failure, ok, skipped, warning
from ..stores import holder, partition_directories, size_on_disk
from ..wording import partitions_text

LITTLE_BYTES = 1 << 30
"""Free space below which to warn: a store is written again while RocksDB compacts it."""

CHECK = "state directory"


def state_directory(deployment: Deployment) -> Iterator[Finding]:
    path = deployment.settings.state_dir
    try:
        yield from _examined(path, path / deployment.topics.events)
    except OSError as error:
        advice = "give it to the user of the workers, or choose another --state-dir"
        yield failure(CHECK, f"{path} cannot be used ({error.strerror})", advice, StateDirectory)


def _examined(path: Path, stores: Path) -> Iterator[Finding]:
    if not path.exists():
        yield from _not_there(path)
        return
    if not path.is_dir():
        yield failure(CHECK, f"{path} is no directory", "choose another --state-dir", StateDirectory)
        return
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield failure(
            CHECK, f"{path} cannot be written by this user", "give it to the user of the workers", StateDirectory
        )
        return
    size = size_on_disk(stores) or 0
    yield ok(CHECK, f"{path}, {size_text(size)} of stores for {stores.name}")
    yield from _mode(path)
    yield from _space(path, size)


def _not_there(path: Path) -> Iterator[Finding]:
    above = next(parent for parent in path.parents if parent.exists())
    if os.access(above, os.W_OK | os.X_OK):
        yield ok(CHECK, f"{path} is not there yet; the first worker makes it")
        yield from _space(above, 0)
    else:
        yield failure(CHECK, f"{path} is not there, and {above} cannot be written by this user",
                      "make the directory for the user of the workers, or choose another --state-dir", StateDirectory)  # fmt: skip


def _mode(path: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield warning(CHECK, f"{path} has mode {mode:o}: others can look into conversations", f"chmod 700 {path}")


def _space(path: Path, used: int) -> Iterator[Finding]:
    free = shutil.disk_usage(path).free
    found = f"{size_text(free)} free on the file system of {path}"
    if free < max(LITTLE_BYTES, used):
        yield warning("disk space", found, "make room, or move the state directory: workers stop when it is full")
    else:
        yield ok("disk space", found)


def stores(deployment: Deployment) -> Iterator[Finding]:
    """Each partition's store of this topic set, opened beside the worker that may have it open."""
    directory = deployment.settings.state_dir / deployment.topics.events
    numbers = partition_directories(directory)
    if not numbers:
        yield skipped("stores", f"none on this host in {directory}")
        return
    opened = RocksStores(deployment.settings.state_dir, deployment.topics.events, deployment.cluster.identity())
    sound = []
    for number in numbers:
        try:
            if store := opened.open_read_only(number):
                store.close()
        except CorruptStore as damaged:
            found = str(damaged).partition("; ")[0]
            yield warning("stores", found, "the worker that gets the partition moves it aside and restores it")
        except StateDirectory as error:
            yield failed("stores", error)
        else:
            sound.append(number)
    if sound:
        yield ok("stores", _opened_by(directory, sound))


def _opened_by(directory: Path, numbers: list[int]) -> str:
    holders: dict[int | None, list[int]] = {}
    for number in numbers:
        holders.setdefault(holder(directory / str(number)), []).append(number)
    return "; ".join(f"{partitions_text(which)} {_who(process)}" for process, which in holders.items())


def _who(process: int | None) -> str:
    if process is None:
        return "not open"
    return f"open in process {process}" if process else "open in another container"

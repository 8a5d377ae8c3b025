"""Where a reader keeps its tables: in memory, or in a directory, to go on from there the next time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ...errors import CorruptStore, StoreLocked
from ...kafka.interface import LogRange
from ...store.interface import Positions, Store, Stores
from ...store.memory import MemoryStore
from ...store.rocks import RocksStores

log = logging.getLogger(__name__)


class Opened(NamedTuple):
    store: Store
    positions: Positions


class MemoryStores:
    """See store.interface.Stores: what is closed is gone."""

    def open(self, partition: int) -> Store:  # noqa: ARG002 - none is kept
        return MemoryStore()

    def clear(self, partition: int) -> None:
        """Nothing is kept."""


Load = Callable[[int, Store], None]
"""Called with a partition and its store, before anything new is read. May raise CorruptStore, and has done nothing then."""


class Tables:
    """The stores of one topic's partitions.

    directory: None for memory. identity: cluster id, and id of the topic whose tables they are.
    tombstones_live_s: delete.retention.ms of the topic, in seconds.
    """

    def __init__(self, directory: Path | None, topic: str, identity: tuple[str, ...], tombstones_live_s: float) -> None:
        self._directory = directory
        self._tombstones_live_s = tombstones_live_s
        self._opened: dict[int, Store] = {}
        self._stores: Stores = RocksStores(directory, topic, ("reader", *identity)) if directory else MemoryStores()

    def open(self, partition: int, known: LogRange, load: Load) -> Opened:
        """From scratch where what is there cannot be gone on with.

        Raises StoreLocked, ForeignStore and StateDirectory.
        """
        opened = self._usable(partition, known)
        try:
            load(partition, opened.store)
        except CorruptStore as error:
            log.warning("%s", error)
            self._clear(partition)
            opened = self._usable(partition, known)
        return opened

    def close(self, *, damaged: bool) -> None:
        """damaged: RocksDB has found damage; all is read again the next time."""
        for partition, store in list(self._opened.items()):
            store.close()
            if damaged:
                self._clear(partition)

    def _usable(self, partition: int, known: LogRange) -> Opened:
        store = self._open(partition)
        positions = store.positions()
        if positions is not None and (reason := self._why_anew(positions, known)):
            log.info("%s, partition %d: reading it all again, because %s", self._directory, partition, reason)
            self._clear(partition)
            store, positions = self._open(partition), None
        return Opened(store, positions or Positions(None, known.start, time.time()))

    def _open(self, partition: int) -> Store:
        try:
            try:
                store = self._stores.open(partition)
            except CorruptStore as error:
                log.warning("%s", error)
                self._stores.clear(partition)
                store = self._stores.open(partition)
        except StoreLocked:
            raise StoreLocked(
                f"directory {self._directory} is in use by another reader; close that one, or use a directory of its own "
                "for each"
            ) from None
        self._opened[partition] = store
        return store

    def _clear(self, partition: int) -> None:
        self._opened.pop(partition).close()
        self._stores.clear(partition)

    def _why_anew(self, positions: Positions, known: LogRange) -> str | None:
        if not known.start <= positions.state <= known.end:
            return f"the topic has offsets {known.start} to {known.end}, and the directory ends at {positions.state}"
        away_s = time.time() - positions.level_at
        if away_s > self._tombstones_live_s / 2:
            # a tombstone may have been compacted away meanwhile, and a deleted run would live on
            return f"it was last level with the topic {away_s / 3600:.0f} h ago"
        return None

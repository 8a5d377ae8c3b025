"""Partitions that are followed: each takes its records, and knows how far it has come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ...kafka.headers import source_offset
from ...kafka.interface import Message
from ...store.interface import Positions, Store
from .index import RunIndex
from .life import Life
from .run import Run, RunReader

NOTED_S = 60.0
"""How often a store notes that it is level, when nothing else is written to it."""


class Place(NamedTuple):
    topic: str
    partition: int


class Listener(Protocol):
    """Called under the reader's lock."""

    def changed(self, before: Run | None, now: Run | None) -> None:
        """One run: None where there is none."""

    def judged(self, key: bytes, offset: int) -> None:
        """The events of this run up to this input offset are judged."""


class Feed(Protocol):
    place: Place
    position: int
    """The offset behind what has been taken."""

    def take(self, messages: Sequence[Message], position: int) -> None:
        """May raise errors.Connection before it has taken anything."""


class TableFeed:
    """A partition of a compacted topic, as a table in a store.

    level_at: Unix time (s) when the table was last known to be level with what the topic shows.
    """

    def __init__(self, place: Place, store: Store, positions: Positions, life: Life) -> None:
        self.place = place
        self.position = positions.state
        self.level_at = positions.level_at
        self._store = store
        self._life = life
        self._asked: tuple[int, float] | None = None
        self._noted_at = time.time()

    def take(self, messages: Sequence[Message], position: int) -> None:
        latest = {message.key() or b"": message for message in messages}
        self._taken([(key, message.value()) for key, message in latest.items()], position)

    def values(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return self._store.get_many(keys)

    def seen_end(self, stable: int, at: float) -> None:
        """What the topic shows ended there at that time; under the reader's lock."""
        self._asked = stable, at
        self._compare()
        if time.time() - self._noted_at > NOTED_S:
            self.note()

    def note(self) -> None:
        """Write down how far it has come."""
        self._write([])

    def _taken(self, changes: list[tuple[bytes, bytes | None]], position: int) -> None:
        with self._life.lock:
            self._write(changes, position)

    def _write(self, changes: list[tuple[bytes, bytes | None]], position: int | None = None) -> None:
        self.position = self.position if position is None else position
        self._compare()
        self._noted_at = time.time()
        if changes or position is None:
            self._store.write(changes, Positions(None, self.position, self.level_at))

    def _compare(self) -> None:
        if self._asked is not None and self.position >= self._asked[0]:
            self.level_at = self._asked[1]
            self._asked = None


class StateFeed(TableFeed):
    """A partition of the state topic: besides the table, the index, and whoever listens to changes."""

    def __init__(
        self, place: Place, store: Store, positions: Positions, life: Life, index: RunIndex, reader: RunReader
    ) -> None:
        super().__init__(place, store, positions, life)
        self._index = index
        self._reader = reader
        self.listeners: list[Listener] = []

    def take(self, messages: Sequence[Message], position: int) -> None:
        latest = {message.key() or b"": message for message in messages}
        changes: list[tuple[bytes, bytes | None]] = []
        runs: list[tuple[bytes, int, Run | None]] = []
        for key, message in latest.items():
            value, judged = message.value(), source_offset(message.headers())
            changes.append((key, value))
            run = None if value is None else self._reader.read(key, self.place.partition, judged, value)
            runs.append((key, judged, run))
        with self._life.lock:
            self._write(changes, position)
            for key, judged, run in runs:
                before = self._index.remove(key) if run is None else self._index.put(run)
                for listener in self.listeners:
                    listener.changed(before, run)
                    listener.judged(key, judged)

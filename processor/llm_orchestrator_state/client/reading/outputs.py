"""A partition of the outputs topic, as a table of where the values are.

The values themselves stay on the topic: a reader asks for few of them, and they are most of a topic set's bytes. An
offset is right for good, as compaction moves no record to another one. So a reader takes some 200 bytes of memory for each
large value there is, or none where it has a directory, and fetches by offset what it is asked for, which takes a
millisecond on a broker nearby (measured; a scan for the key would take seconds per GB).
"""

from __future__ import annotations

from collections.abc import Sequence

from ...kafka.interface import Message
from ...store.interface import Positions, Store
from .feeds import Place, TableFeed
from .life import Life
from .values import ValueCache


class OutputFeed(TableFeed):
    """cache: loses what is deleted. goal: the end that the topic had when the table was opened."""

    def __init__(
        self, place: Place, store: Store, positions: Positions, life: Life, cache: ValueCache, goal: int
    ) -> None:
        super().__init__(place, store, positions, life)
        self._cache = cache
        self._goal = goal

    def is_level(self) -> bool:
        """Whether all has been read that was there at the opening: what is not in the table then is not there."""
        return self.position >= self._goal

    def take(self, messages: Sequence[Message], position: int) -> None:
        latest = {message.key() or b"": None if message.value() is None else message.offset() for message in messages}
        with self._life.lock:
            for key, offset in latest.items():
                if offset is None:
                    self._cache.drop(key)
            self._write([(key, None if at is None else b"%d" % at) for key, at in latest.items()], position)

    def offsets(self, keys: Sequence[bytes]) -> list[int | None]:
        """Under the reader's lock."""
        return [None if at is None else int(at) for at in self.values(keys)]

"""Where the values come from that are too large for a state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future

from .references import Value

CACHED_BYTES = 64 * 1024 * 1024
"""Of values that a reader keeps in memory, those that were asked for last: some three thousand of 20 KB."""

ENTRY_BYTES = 400
"""What an entry takes beside its value: key, digest, and the objects around them."""


class Values(ABC):
    """The outputs topic, as a table."""

    @abstractmethod
    def fetch(self, partition: int, keys: Sequence[bytes]) -> Future[list[Value | None]]:
        """Of records by their keys; None for a tombstone, or where nothing is, as far as the topic is known now."""


class ValueCache:
    """Values that were read, by key; bounded by their bytes. Not thread-safe: whoever uses it holds the reader's lock.

    No key is ever used for two values, so what is here is right for as long as somebody refers to it.
    """

    def __init__(self, limit: int = CACHED_BYTES) -> None:
        self._limit = limit
        self._values: OrderedDict[bytes, Value] = OrderedDict()
        self.bytes = 0

    def get(self, key: bytes) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: bytes, value: Value) -> None:
        self.drop(key)
        self._values[key] = value
        self.bytes += _size(value)
        while self.bytes > self._limit:
            _, oldest = self._values.popitem(last=False)
            self.bytes -= _size(oldest)

    def drop(self, key: bytes) -> None:
        """What was deleted must not be kept, wherever."""
        value = self._values.pop(key, None)
        if value is not None:
            self.bytes -= _size(value)


def _size(value: Value) -> int:
    return len(value.text) + ENTRY_BYTES

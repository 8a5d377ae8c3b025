"""A store in memory: for the in-memory pipeline, and for folds whose result is compared and thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .interface import Positions


class MemoryStore:
    """See interface.Store."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._positions: Positions | None = None

    def positions(self) -> Positions | None:
        return self._positions

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._values.get(key) for key in keys]

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], positions: Positions) -> None:
        for key, value in changes:
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value
        self._positions = positions

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        yield from sorted(self._values.items())

    def close(self) -> None:
        """Nothing to let go of."""

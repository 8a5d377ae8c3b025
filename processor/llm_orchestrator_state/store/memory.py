"""A store in memory: for the in-memory pipeline, and for folds whose result is compared and thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .interface import Positions


class MemoryStore:
    """See interface.Store."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._contexts: dict[bytes, bytes] = {}
        self._positions: Positions | None = None

    def positions(self) -> Positions | None:
        return self._positions

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._values.get(key) for key in keys]

    def context(self, key: bytes) -> bytes | None:
        return self._contexts.get(key)

    def write(
        self,
        changes: Iterable[tuple[bytes, bytes | None]],
        positions: Positions,
        contexts: Iterable[tuple[bytes, bytes | None]] = (),
        *,
        logged: bool = True,  # noqa: ARG002 - nothing survives the process
    ) -> None:
        for table, changed in ((self._values, changes), (self._contexts, contexts)):
            for key, value in changed:
                if value is None:
                    table.pop(key, None)
                else:
                    table[key] = value
        self._positions = positions

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        yield from sorted(self._values.items())

    def flush(self) -> None:
        """Nothing survives the process."""

    def close(self) -> None:
        """Nothing to let go of."""

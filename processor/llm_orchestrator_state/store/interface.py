"""What the engine needs of a local store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol


class Positions(NamedTuple):
    """What a store has seen. Written in the same batch as the states.

    input: next offset of the events topic; None where nothing but restored states is known.
    state: next offset of the state topic.
    level_at: Unix time (s) when the store was last level with the state topic.
    outputs: next offset of the outputs topic: the contexts from before it are here, as far as a state needs them; None
        where that is not known.
    """

    input: int | None
    state: int
    level_at: float
    outputs: int | None = None


class Store(Protocol):
    """The states of one partition. Keys are run ids as on the topic, values the state topic's own bytes.

    Besides, the contexts that are out of these states, by the outputs topic's keys: later ones are made of them.
    """

    def positions(self) -> Positions | None:
        """None: nothing was ever written."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]: ...
    def context(self, key: bytes) -> bytes | None: ...
    def write(
        self,
        changes: Iterable[tuple[bytes, bytes | None]],
        positions: Positions,
        contexts: Iterable[tuple[bytes, bytes | None]] = (),
        *,
        logged: bool = True,
    ) -> None:
        """All or nothing; a value None deletes.

        logged: it survives the process when this returns; otherwise after flush(), which must come before a logged one.
        """

    def flush(self) -> None:
        """What was written without the log survives the process."""

    def items(self) -> Iterator[tuple[bytes, bytes]]: ...
    def close(self) -> None: ...


class Stores(Protocol):
    def open(self, partition: int) -> Store:
        """Raises StoreLocked, ForeignStore, CorruptStore or StateDirectory."""

    def clear(self, partition: int) -> None:
        """Take the partition's store out of use, so that the next open() is empty. It must be closed."""

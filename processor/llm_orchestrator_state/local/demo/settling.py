"""How long it takes from an event's publication until a state that has judged it can be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Where = tuple[int, int]
"""Partition and offset of an event."""


class Settled(NamedTuple):
    """published: when the publisher handed the event to its client. visible: when a read-committed reader had the state.

    Both Unix times (s) of clocks on one machine, published in whole milliseconds.
    """

    published: float
    visible: float

    @property
    def latency(self) -> float:
        return self.visible - self.published


class Settling:
    """Events and states as they are read, in any order between the two topics.

    An event is settled by the first state of its run whose ``source-offset`` is not below the event's offset. Rejected
    events are left out: their answer is in another topic. (A duplicate has none; it counts with the run's next state.)
    """

    def __init__(self) -> None:
        self._waiting: dict[bytes, list[tuple[Where, float]]] = {}
        self._judged: dict[bytes, tuple[int, float]] = {}
        self._settled: dict[Where, Settled] = {}
        self._rejected: set[Where] = set()

    def event(self, run: bytes, where: Where, published: float) -> None:
        offset, visible = self._judged.get(run, (-1, 0.0))
        if where[1] <= offset:  # the state was read first
            self._settled[where] = Settled(published, visible)
        else:
            self._waiting.setdefault(run, []).append((where, published))

    def state(self, run: bytes, source_offset: int, visible: float) -> None:
        self._judged[run] = (source_offset, visible)
        waiting = self._waiting.pop(run, [])
        for where, published in waiting:
            if where[1] <= source_offset:
                self._settled[where] = Settled(published, visible)
        if rest := [each for each in waiting if each[0][1] > source_offset]:
            self._waiting[run] = rest

    def rejection(self, where: Where) -> None:
        self._rejected.add(where)

    def settled(self) -> list[Settled]:
        return [settled for where, settled in self._settled.items() if where not in self._rejected]


def percentiles(latencies: Iterable[float], shares: Sequence[float]) -> list[float] | None:
    """Nearest rank; None of nothing."""
    ranked = sorted(latencies)
    return [ranked[min(len(ranked) - 1, int(share * len(ranked)))] for share in shares] if ranked else None

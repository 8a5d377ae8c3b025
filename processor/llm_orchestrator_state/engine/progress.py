"""What a worker tells of itself."""

from __future__ import annotations

from typing import NamedTuple

from .clock import Clock
from .counts import Counts
from .restoring import SoFar

STAGES = ("poll", "judge", "transaction", "store")
"""Of the loop; a state is encoded while those before it are sent, so that is part of the transaction."""


class Progress(NamedTuple):
    """A snapshot of what the worker has done and has in hand.

    restored: state records read from the state topic. positions: next offset to judge, by partition. restoring: of each
    partition whose states are being read. seconds: spent in each of STAGES so far; waiting for events is part of the first.
    """

    partitions: tuple[int, ...]
    opening: tuple[int, ...]
    counts: Counts
    restored: int
    commits: int
    positions: dict[int, int]
    seconds: dict[str, float]
    restoring: dict[int, SoFar]


class Stages:
    """How long each of STAGES has taken so far, counted once a batch."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def spent(self, stage: str, began: float) -> float:
        """Since then in that stage; returns when the next one begins."""
        now = self._clock.monotonic()
        self.seconds[stage] += now - began
        return now

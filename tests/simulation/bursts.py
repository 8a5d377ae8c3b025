"""Stretches of a history in which one thing happens again and again."""

from __future__ import annotations

from collections import deque
from random import Random

AGAIN = "again"
"""What was sent before, in its order."""
SPOILED = "spoiled"

Next = tuple[str, int]
"""AGAIN and the number of what was sent; otherwise SPOILED or a kind of event, and the number of a run."""


class Bursts:
    def __init__(self, rng: Random, rate: float) -> None:
        self._rng = rng
        self._rate = rate
        self._left: deque[Next] = deque()

    def next(self, sent: int, runs: int) -> Next | None:
        """None: nothing in particular."""
        if not self._rate:
            return None
        if not self._left and self._rng.random() < self._rate:
            make = self._rng.choice((self._loop, self._loop, self._rejections, self._again))
            self._left.extend(make(sent, runs))
        return self._left.popleft() if self._left else None

    def _loop(self, sent: int, runs: int) -> list[Next]:
        """More checkpoints than are kept, and what may follow on them."""
        rng = self._rng
        run = rng.randrange(runs)
        kinds = ["StepStarted", "StepCompleted"] * rng.randrange(6, 14)
        if rng.random() < 0.3:
            kinds.append("CheckpointsTrimmed")
        if rng.random() < 0.3:
            kinds += ["WorkflowDeleted"] + ["WorkflowCreated", "WorkflowStarted", "StepCompleted"] * (
                rng.random() < 0.5
            )
        return [(kind, run) for kind in kinds]

    def _rejections(self, sent: int, runs: int) -> list[Next]:
        return [(SPOILED, self._rng.randrange(runs)) for _ in range(self._rng.randrange(10, 40))]

    def _again(self, sent: int, runs: int) -> list[Next]:
        count = min(sent, self._rng.randrange(5, 30))
        first = self._rng.randrange(sent - count + 1)
        return [(AGAIN, n) for n in range(first, first + count)]

"""How far a restore has come: for the worker's figures, and now and then in the log, for who waits for it to begin."""

from __future__ import annotations

import logging
from typing import NamedTuple

from ..units import duration_text
from .clock import Clock

log = logging.getLogger(__name__)

TELL_S = 5.0
"""Before the first line and between two: most restores are over by then."""


class SoFar(NamedTuple):
    """records, left: of the state topic, read and still to be read. per_s: records read a second."""

    records: int
    left: int
    per_s: float


class Restoring:
    """Of one partition. start, end: offsets of the state topic between which it is read."""

    def __init__(self, clock: Clock, partition: int, start: int, end: int) -> None:
        self._clock = clock
        self._partition = partition
        self._start = start
        self._end = end
        self._began = self._told = clock.monotonic()
        self.so_far = SoFar(0, end - start, 0.0)

    def at(self, position: int) -> None:
        """It is read up to this offset."""
        now = self._clock.monotonic()
        records, left = position - self._start, self._end - position
        rate = records / (now - self._began) if now > self._began else 0.0
        self.so_far = SoFar(records, left, rate)
        if now - self._told < TELL_S:
            return
        self._told = now
        log.info(
            "partition %d: restoring, %s of %s records, %s/s, %s left",
            self._partition, f"{records:,}", f"{self._end - self._start:,}", f"{rate:,.0f}",
            duration_text(left / rate) if rate else "unknown time",
        )  # fmt: skip

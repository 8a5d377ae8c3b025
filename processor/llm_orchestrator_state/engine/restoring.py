"""How far a restore has come, in the log: now and then, for who waits for a worker to begin."""

from __future__ import annotations

import logging

from ..units import duration_text
from .clock import Clock

log = logging.getLogger(__name__)

TELL_S = 5.0
"""Before the first line and between two: most restores are over by then."""


class Restoring:
    """Of one partition. start, end: offsets of the state topic between which it is read."""

    def __init__(self, clock: Clock, partition: int, start: int, end: int) -> None:
        self._clock = clock
        self._partition = partition
        self._start = start
        self._end = end
        self._began = self._told = clock.monotonic()

    def at(self, position: int) -> None:
        """It is read up to this offset."""
        now = self._clock.monotonic()
        if now - self._told < TELL_S:
            return
        self._told = now
        done, left = position - self._start, self._end - position
        rate = done / (now - self._began)
        log.info(
            "partition %d: restoring, %s of %s records, %s/s, %s left",
            self._partition, f"{done:,}", f"{self._end - self._start:,}", f"{rate:,.0f}",
            duration_text(left / rate) if rate else "unknown time",
        )  # fmt: skip

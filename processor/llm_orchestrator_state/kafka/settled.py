"""How far a log can be read so that nothing is missing whose commit was answered before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from .interface import LogRange

MARKERS_S = 1.0
"""Within which the markers of a commit are in the log; it takes milliseconds."""


class Ranges(Protocol):
    def log_ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, LogRange]: ...


def settled_ranges(
    kafka: Ranges, topic: str, partitions: Sequence[int], *, monotonic: Callable[[], float] = time.monotonic
) -> dict[int, LogRange]:
    """A commit is answered before its markers are in the log, so an end that is not stable yet may belong to one that was.

    What is still open after MARKERS_S is taken for a transaction whose worker has died. Raises KafkaException.
    """
    ranges = kafka.log_ranges(topic, partitions)
    deadline = monotonic() + MARKERS_S
    while (late := [p for p, now in ranges.items() if now.stable < now.end]) and monotonic() < deadline:
        for partition, now in kafka.log_ranges(topic, late).items():
            ranges[partition] = ranges[partition]._replace(stable=min(now.stable, ranges[partition].end))
    return ranges

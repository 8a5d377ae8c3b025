"""Partitions as people write them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby


def partitions_text(numbers: Iterable[int]) -> str:
    """`partition 3`, `partitions 0-3, 7`; `no partition`."""
    ordered = sorted(numbers)
    noun = "partition" if len(ordered) == 1 else "partitions"
    return f"{noun} {ranges_text(ordered)}" if ordered else "no partition"


def ranges_text(ordered: list[int]) -> str:
    """`0-3, 7`, of numbers in rising order."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(ordered), lambda each: each[1] - each[0])]
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)

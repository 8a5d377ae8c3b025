"""A run's attempts at its steps as bars over time."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..units import duration_text
from .state_text import COLOURS
from .terminal import table

if TYPE_CHECKING:
    from ..client.spans import Span, Spans
    from .columns import Column

WIDTH = 80
"""Columns where stdout is no terminal."""

LEAST_BAR, LONGEST_BAR = 16, 120
LONGEST_LABEL = 28

OUTCOME_COLOURS = {**COLOURS, "given": "yellow", "abandoned": "yellow"}

_FILL = {
    "pending": "·", "running": "█", "paused": "┄", "completed": "█",
    "failed": "▒", "skipped": "·", "given up": "░", "abandoned": "░", "deleted": "x",
}  # fmt: skip
_POINT = "◆"
"""An end whose beginning nobody told."""


def print_timeline(spans: Spans, first: int, last: int) -> None:
    """first, last: instants of the first and the last event, microseconds since 1970 UTC."""
    labels = ["run", *(labelled(each.name, each.attempt) for each in spans.attempts)]
    width = bar_width(labels)
    run = row_of_bars(spans.stretches, first, last, width)
    status = spans.stretches[-1].outcome if spans.stretches else ""
    rows = [["run", run, seconds_text(spans.run_seconds(last)), status]]
    for name, span in zip(labels[1:], spans.attempts, strict=True):
        rows.append([name, row_of_bars([span], first, last, width), seconds_text(span.seconds), span.outcome])
    table(_columns(), rows)


def _columns() -> list[Column]:
    from .columns import Column

    return [
        Column("step", least=10),
        Column("timeline"),
        Column("took", right=True),
        Column("outcome", colours=OUTCOME_COLOURS),
    ]


def bar_width(labels: Sequence[str]) -> int:
    """What is left of the terminal beside the labels, the durations and the outcomes."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    beside = min(max(map(len, labels)), LONGEST_LABEL) + len("999.999 s") + len("completed") + 3 * 2
    return max(LEAST_BAR, min(LONGEST_BAR, columns - beside))


def labelled(step_id: str, attempt: int | None) -> str:
    """`draft`, and `draft #2` for its second attempt."""
    return f"{step_id} #{attempt}" if attempt and attempt > 1 else step_id


def row_of_bars(spans: Sequence[Span], first: int, last: int, width: int) -> str:
    """So many characters, from the first instant to the last; whatever was, however short, has one of them."""
    cells = [" "] * width
    whole = max(1, last - first)

    def place(at: int) -> int:
        return max(0, min(width - 1, (at - first) * width // whole))

    for span in spans:
        end = place(last if span.ended is None else span.ended)
        if span.began is None:
            cells[end] = _POINT
            continue
        begin = place(span.began)
        # up to where the next one may begin
        end = begin + 1 if span.ended == span.began else max(begin + 1, end + (end == width - 1))
        cells[begin:end] = _FILL[span.outcome] * (end - begin)
    return "".join(cells)


def seconds_text(seconds: float | None) -> str:
    """`1.200 s`, `3m 20s`; nothing for what is not known, or ended before it began."""
    if seconds is None or seconds < 0:
        return ""
    return f"{seconds:.3f} s" if seconds < 60 else duration_text(seconds)  # noqa: PLR2004 - a minute

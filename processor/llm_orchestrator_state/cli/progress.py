"""How far a command has come, on stderr: a bar on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from .terminal import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET_S = 1.0
"""What is done within this time shows no progress: it would flicker."""

LEAST_S = 0.1
"""Before a rate is told."""

LINE_S = 5.0
"""Between two lines where stderr is no terminal: it is read later, or by a machine."""


class Shown(Protocol):
    def update(self, done: int, total: int | None = None, what: str = "") -> None:
        """So many units of total (None: nobody knows) are done; what: the part that is being worked on."""


@contextmanager
def progress(doing: str, unit: str, *, hidden: bool = False) -> Iterator[Shown]:
    """Shows what update() is told, once it takes longer than a second.

    unit: "bytes" is written as sizes, everything else as numbers. hidden: show nothing, as while data go to the same
    terminal.
    """
    shown = _Nothing() if hidden else _Bar(doing, unit) if sys.stderr.isatty() else _Lines(doing, unit)
    try:
        yield shown
    finally:
        shown.close()


class _Nothing:
    def update(self, done: int, total: int | None = None, what: str = "") -> None: ...

    def close(self) -> None: ...


class _Pace:
    """For how long the part that is being worked on has been, for a rate and what is left are of that part."""

    def __init__(self) -> None:
        self._what = ""
        self._began = time.monotonic()

    def seconds(self, what: str) -> float:
        now = time.monotonic()
        if what != self._what:
            self._what, self._began = what, now
        return now - self._began


class _Lines:
    """`verifying partition 3 (4 of 4): 120,000 of 1,000,000 events, 40,000/s, 22s left`"""

    def __init__(self, doing: str, unit: str) -> None:
        self._doing = doing
        self._unit = unit
        self._pace = _Pace()
        self._last = time.monotonic()

    def update(self, done: int, total: int | None = None, what: str = "") -> None:
        now, seconds = time.monotonic(), self._pace.seconds(what)
        if now - self._last < LINE_S:
            return
        self._last = now
        say(f"{self._doing}{what and ' '}{what}: {amount(done, total, self._unit, seconds)}")

    def close(self) -> None: ...


class _Bar:
    def __init__(self, doing: str, unit: str) -> None:
        self._doing = doing
        self._unit = unit
        self._pace = _Pace()
        self._began = time.monotonic()
        self._display: Progress | None = None
        self._task: TaskID | None = None

    def update(self, done: int, total: int | None = None, what: str = "") -> None:
        seconds = self._pace.seconds(what)
        if self._display is None or self._task is None:
            if time.monotonic() - self._began < QUIET_S:
                return
            self._display, self._task = self._started()
        text = amount(done, total, self._unit, seconds)
        self._display.update(self._task, completed=done, total=total, amount=text, what=what)

    def _started(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        display = Progress(
            TextColumn("{task.description} {task.fields[what]}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[amount]}", markup=False),
            console=Console(file=sys.stderr, highlight=False),
            transient=True,
        )
        display.start()
        return display, display.add_task(self._doing, total=None, what="", amount="")

    def close(self) -> None:
        if self._display:
            self._display.stop()


def amount(done: int, total: int | None, unit: str, seconds: float) -> str:
    """`120,000 of 1,000,000 events, 40,000/s, 22s left`"""
    from ..units import duration_text, size_text

    def number(value: float) -> str:
        return size_text(value) if unit == "bytes" else f"{value:,.0f}"

    named = "" if unit == "bytes" else f" {unit}"
    text = f"{number(done)}{named}" if total is None else f"{number(done)} of {number(total)}{named}"
    if seconds < LEAST_S or done < seconds:  # less than one a second is no rate
        return text
    rate = done / seconds
    left = "" if total is None or done >= total else f", {duration_text((total - done) / rate)} left"
    return f"{text}, {number(rate)}/s{left}"

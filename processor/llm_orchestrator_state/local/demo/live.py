"""What the demo shows while events flow: a panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from rich.live import Live
from rich.text import Text

from .observer import Runs
from .progress import Progress
from .screen import INDENT, Screen
from .settling import Settled, percentiles

WINDOW_S = 2.0
"""Rates and latencies are of the last two seconds."""

LINE_S = 2.0
"""Between two lines where nobody watches."""

BARS = " ▁▂▃▄▅▆▇█"
HISTORY = 40
"""Samples of the lag that are drawn."""

COLOURS = {"completed": "green", "running": "cyan", "pending": "dim", "paused": "yellow", "failed": "red"}


class Moment(NamedTuple):
    """published_rate, folded_rate: events a second. latency: median and 99th percentile (s), of the last two seconds."""

    progress: Progress
    published_rate: float
    folded_rate: float
    latency: tuple[float, float] | None
    runs: Runs
    lags: tuple[int, ...]


class Pulse:
    """Makes moments of what is measured now and then.

    fastest: the highest rate of folding so far, over two seconds.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Progress]] = deque()
        self._lags: deque[int] = deque(maxlen=HISTORY)
        self.fastest = 0.0

    def moment(self, progress: Progress, runs: Runs, settled: list[Settled]) -> Moment:
        now = time.monotonic()
        self._samples.append((now, progress))
        while now - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()
        began, before = self._samples[0]
        seconds = max(now - began, 1e-3)
        folded_rate = (progress.folded - before.folded) / seconds
        self.fastest = max(self.fastest, folded_rate)
        self._lags.append(progress.lag)
        recent = time.time() - WINDOW_S
        found = percentiles((each.latency for each in settled if each.visible >= recent), (0.5, 0.99))
        published_rate = (progress.published - before.published) / seconds
        latency = (found[0], found[1]) if found else None
        return Moment(progress, published_rate, folded_rate, latency, runs, tuple(self._lags))


class View(Protocol):
    def show(self, moment: Moment) -> None: ...


@contextmanager
def live_view(screen: Screen) -> Iterator[View]:
    """What is said on the screen meanwhile appears above it."""
    if not screen.terminal:
        yield Lines(screen)
        return
    with Live(console=screen.console, auto_refresh=False, vertical_overflow="crop") as live:
        yield Panel(live, screen)


class Panel:
    def __init__(self, live: Live, screen: Screen) -> None:
        self._live = live
        self._screen = screen

    def show(self, moment: Moment) -> None:
        self._live.update(panel(moment), refresh=True)


class Lines:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._began = self._last = time.monotonic()

    def show(self, moment: Moment) -> None:
        now = time.monotonic()
        if now - self._last >= LINE_S and moment.progress.published:
            self._last = now
            self._screen.fact(f"{now - self._began:5.1f} s  {line(moment)}")


def panel(moment: Moment) -> Text:
    progress = moment.progress
    rows: list[tuple[str, Text]] = [
        ("events", Text(f"{progress.published:>7,} published  {moment.published_rate:>7,.0f}/s")),
        ("", Text(f"{progress.folded:>7,} folded     {moment.folded_rate:>7,.0f}/s")),
        ("lag", Text(f"{progress.lag:>7,} events     ") + Text(sparkline(moment.lags), style="yellow")),
        ("latency", Text(latency_text(moment.latency))),
        ("runs", statuses_text(moment.runs.statuses)),
        ("tokens", Text(str(moment.runs.usage))),
    ]
    text = Text(no_wrap=True, overflow="ellipsis")
    for name, value in rows:
        text.append(f"{INDENT}{name:<9}", "dim").append_text(value).append("\n")
    text.rstrip()
    return text


def line(moment: Moment) -> str:
    progress, runs = moment.progress, moment.runs
    statuses = ", ".join(f"{count:,} {status}" for status, count in runs.statuses.most_common())
    return (
        f"{progress.published:,} events published, {progress.folded:,} folded ({moment.folded_rate:,.0f}/s), "
        f"lag {progress.lag:,}, latency {latency_text(moment.latency)}; "
        f"runs: {statuses or 'none'}; tokens: {runs.usage}"
    )


def latency_text(latency: tuple[float, float] | None) -> str:
    return (
        f"p50 {seconds_text(latency[0])}, p99 {seconds_text(latency[1])}"
        if latency
        else "not known: no state has changed"
    )


def seconds_text(seconds: float) -> str:
    """`12 ms`, `3.4 s`"""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def statuses_text(statuses: Counter[str]) -> Text:
    text = Text()
    for status, colour in COLOURS.items():
        if statuses[status]:
            text.append("  " if text else "").append(f"{statuses[status]:,} {status}", colour)
    return text


def sparkline(values: tuple[int, ...]) -> str:
    highest = max(values, default=0) or 1
    return "".join(BARS[-(-value * (len(BARS) - 1) // highest)] for value in values)

"""The figures of a contest as plots: one picture for each workload."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.ratios import cpu_us

Figures = dict[str, Any]

BAR = 0.8
COLOURS = {
    "ours": "#1b7f5c",
    "ours_checkpoints": "#7fb8a3",
    "ours_compiled": "#0d4a37",
    "kafka_streams": "#3f6fb5",
    "quix": "#d98032",
    "faust": "#8f5fb0",
}
PANELS = (("events/s", "events_per_s"), ("CPU µs per event, broker included", "cpu"), ("peak MiB", "peak_mib"))


class NoMatplotlib(Exception):
    """What draws is not installed."""


def draw(rows: Sequence[Figures], directory: Path) -> list[Path]:
    """Returns the files written. Raises NoMatplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise NoMatplotlib("matplotlib is missing; pip install -e '.[bench]' in the checkout brings it") from None
    written = []
    for workload in dict.fromkeys(row["workload"] for row in rows):
        figure = Figure(figsize=(11, 12), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(f"Workload {workload}")
        for axes, (title, field) in zip(figure.subplots(len(PANELS), 1), PANELS, strict=True):
            _panel(axes, title, field, [row | {"cpu": cpu_us(row)} for row in rows if row["workload"] == workload])
        written.append(directory / f"peers-{workload}.png")
        figure.savefig(written[-1], dpi=110)
    return written


def _panel(axes: Any, title: str, field: str, rows: Sequence[Figures]) -> None:
    groups = list(dict.fromkeys(_group(row) for row in rows))
    names = list(dict.fromkeys(row["contender"] for row in rows))
    for name in names:
        of_name = [row for row in rows if row["contender"] == name]
        places = []
        for row in of_name:
            beside = [each["contender"] for each in rows if _group(each) == _group(row)]
            width = BAR / len(names)
            places.append(groups.index(_group(row)) + (beside.index(name) - (len(beside) - 1) / 2) * width)
        bars = axes.bar(places, [row[field] for row in of_name], BAR / len(names), label=name, color=COLOURS[name])
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    axes.set_ylabel(title)
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
    axes.legend(fontsize=8)


def _group(row: Figures) -> str:
    workers = "1 worker" if row["workers"] == 1 else f"{row['workers']} workers"
    return f"{row['events']:,} events\n{workers}, {row['commit_ms']} ms"

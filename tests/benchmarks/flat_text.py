"""What flat.py has measured, as tables in Markdown."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.peers.tables import table

Figures = dict[str, Any]


def many_runs_text(figures: Figures) -> str:
    head = ["runs in the store, every eleventh event is of one of them", *COST]
    return table(
        head,
        [[f"{row['stored']:,}", *_cost(row)] for row in figures["rows"]],
    )


def long_runs_text(figures: Figures) -> str:
    rows = figures["rows"]
    return table(
        [f"steps of a run, {rows[0]['active']} runs in turn", *COST],
        [[f"{row['steps']:,}", *_cost(row)] for row in rows],
    )


COST = ("events", "events/s", "CPU µs + broker", "MiB")


def _cost(row: Figures) -> list[str]:
    return [
        f"{row['events']:,}",
        f"{row['events_per_s']:,.0f}",
        f"{row['cpu_us']:.1f}",
        f"{row['peak_mib']:,.0f}",
    ]

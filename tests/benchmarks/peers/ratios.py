"""Ours divided by theirs, under the same conditions in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.benchmarks.peers.conditions import CHECKPOINTS, OURS

Figures = dict[str, Any]


def cpu_us(row: Figures) -> float:
    """CPU time per event, the broker's included where it is known."""
    return float(row["cpu_us"] + (row["broker_cpu_us"] or 0.0))


def conditions_of(row: Figures) -> str:
    return f"{row['workload']}.workers_{row['workers']}.commit_{row['commit_ms']}"


def ours_for(rows: Sequence[Figures], row: Figures) -> Figures:
    """What the product did on the same log under the same conditions."""
    shared = ("workload", "events", "workers", "commit_ms")
    return next(each for each in rows if each["contender"] == OURS and all(each[name] == row[name] for name in shared))


def ratios(rows: Sequence[Figures], floors: Sequence[Figures] = ()) -> dict[str, float]:
    """``ratio.<peer>.<conditions>``: events/s; ``second_half.…``: of the log's second half; ``cpu.…``: CPU per event,
    broker included; ``memory.…``: peak. Of the first two more is better, of the others less. Events/s against our own:
    ``checkpoints.<workload>``: with a checkpoint after each completed step; ``floor.<conditions>``: ours, of those that
    the same process consumes and decodes and does nothing with. ``peak_mib.<conditions>``: of one worker of ours.
    """
    found: dict[str, float] = {}
    for row in rows:
        if row["contender"] == OURS and row["workers"] == 1:
            found[f"peak_mib.{conditions_of(row)}"] = row["peak_mib"]
        if row["contender"] == OURS or row["wrong"]:
            continue
        ours = ours_for(rows, row)
        if row["contender"] == CHECKPOINTS:
            found[f"checkpoints.{row['workload']}"] = row["events_per_s"] / ours["events_per_s"]
            continue
        name = f"{row['contender']}.{conditions_of(row)}"
        found[f"ratio.{name}"] = ours["events_per_s"] / row["events_per_s"]
        if ours["second_half_per_s"] and row["second_half_per_s"]:
            found[f"second_half.{name}"] = ours["second_half_per_s"] / row["second_half_per_s"]
        found[f"cpu.{name}"] = cpu_us(ours) / cpu_us(row)
        found[f"memory.{name}"] = ours["peak_mib"] / row["peak_mib"]
    for each in floors:
        found[f"floor.{conditions_of(each)}"] = ours_for(rows, each)["events_per_s"] / each["decode_per_s"]
    return found

"""Ours divided by theirs, under the same conditions in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.benchmarks.peers.conditions import CHECKPOINTS, COMPILED, OURS

Figures = dict[str, Any]


def cpu_us(row: Figures) -> float:
    """CPU time per event, the broker's included where it is known."""
    return float(row["cpu_us"] + (row["broker_cpu_us"] or 0.0))


def conditions_of(row: Figures) -> str:
    return f"{row['workload']}.workers_{row['workers']}.commit_{row['commit_ms']}"


def builds_for(rows: Sequence[Figures], row: Figures) -> dict[str, Figures]:
    """What the product's builds did on the same log under the same conditions: OURS, and COMPILED where it ran."""
    shared = ("workload", "events", "workers", "commit_ms")
    same = [each for each in rows if all(each[name] == row[name] for name in shared)]
    return {each["contender"]: each for each in same if each["contender"] in {OURS, COMPILED}}


def ratios(rows: Sequence[Figures], floors: Sequence[Figures] = ()) -> dict[str, float]:
    """``ratio.<peer>.<conditions>``: events/s; ``second_half.…``: of the log's second half; ``cpu.…``: CPU per event,
    broker included; ``memory.…``: peak. Of the first two more is better, of the others less. Events/s against our own:
    ``checkpoints.<workload>``: with a checkpoint after each completed step; ``floor.<conditions>``: ours, of those that
    the same process consumes and decodes and does nothing with. ``compiled_ratio…`` and ``compiled_cpu…``: of the compiled
    build. ``peak_mib.<conditions>``: of one worker of ours.
    """
    found: dict[str, float] = {}
    for row in rows:
        if row["contender"] == OURS and row["workers"] == 1:
            found[f"peak_mib.{conditions_of(row)}"] = row["peak_mib"]
        if row["contender"] in {OURS, COMPILED} or row["wrong"]:
            continue
        builds = builds_for(rows, row)
        ours = builds[OURS]
        if row["contender"] == CHECKPOINTS:
            found[f"checkpoints.{row['workload']}"] = row["events_per_s"] / ours["events_per_s"]
            continue
        name = f"{row['contender']}.{conditions_of(row)}"
        found[f"ratio.{name}"] = ours["events_per_s"] / row["events_per_s"]
        if ours["second_half_per_s"] and row["second_half_per_s"]:
            found[f"second_half.{name}"] = ours["second_half_per_s"] / row["second_half_per_s"]
        found[f"cpu.{name}"] = cpu_us(ours) / cpu_us(row)
        found[f"memory.{name}"] = ours["peak_mib"] / row["peak_mib"]
        if native := builds.get(COMPILED):
            found[f"compiled_ratio.{name}"] = native["events_per_s"] / row["events_per_s"]
            found[f"compiled_cpu.{name}"] = cpu_us(native) / cpu_us(row)
    for each in floors:
        found[f"floor.{conditions_of(each)}"] = builds_for(rows, each)[OURS]["events_per_s"] / each["decode_per_s"]
    return found

"""The figures of a contest as tables in Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from tests.benchmarks.peers.ratios import conditions_of, cpu_us

Figures = dict[str, Any]

NOTES = """\
ms: commit interval. CPU µs: per event, then with the broker's. MiB: peak. emitted: records of the state topic.
Every contender folds the same log into the same topic with the same settings, exactly once, with lz4 and the same commit
interval, and is held run by run against the fold of the log (wrong: runs that differ). Time and CPU: from the first event
in the fold to the commit of the last; start-up is left out. else s: CPU seconds of everything else on the machine
meanwhile, the observer's included. The peers have the same schemas, effects, checks and deduplication window; they do
less: no check that JSON is well-formed, no `source-offset` header, nothing rejected is published, steps in any order.
A JVM takes some 500,000 events to warm up: with fewer the ratios to Kafka Streams flatter ours."""


def peers_text(figures: Figures) -> str:
    rows: list[Figures] = figures["rows"]
    return "\n\n".join(
        each for each in [_rows(rows), _ratios(figures["named"]), _own(figures), "\n".join(_means(rows)), NOTES] if each
    )


def tell(row: Figures) -> None:
    """That a contender is through."""
    print(f"{row['contender']:<14}{conditions_of(row):<28}{row['events_per_s']:>10,.0f} events/s", file=sys.stderr)


def _rows(rows: Iterable[Figures]) -> str:
    head = ["contender", "log, workers, ms", "events", "events/s", "2nd half", "CPU µs", "+ broker", "MiB", "emitted",
            "wrong", "else s"]  # fmt: skip
    return table(
        head,
        [
            [
                row["contender"],
                f"{row['workload']}, {row['workers']}, {row['commit_ms']}",
                f"{row['events']:,}",
                f"{row['events_per_s']:,.0f}",
                f"{row['second_half_per_s']:,.0f}" if row["second_half_per_s"] else "",
                f"{row['cpu_us']:.1f}",
                "" if row["broker_cpu_us"] is None else f"{cpu_us(row):.1f}",
                f"{row['peak_mib']:,.0f}",
                f"{row['states_emitted']:,}",
                str(row["wrong"]),
                f"{row['other_cpu_s']:.1f}",
            ]
            for row in rows
        ],
    )


def _ratios(ratios: dict[str, float]) -> str:
    kinds = ("ratio", "second_half", "cpu", "memory", "compiled_ratio", "compiled_cpu")
    names = dict.fromkeys(name.partition(".")[2] for name in ratios if name.startswith(kinds))
    head = ["ours / theirs", "events/s", "2nd half", "CPU/event", "memory", "compiled: events/s", "CPU/event"]
    lines = [[name, *(_ratio(ratios.get(f"{kind}.{name}")) for kind in kinds)] for name in names]
    return table(head, lines)


def _own(figures: Figures) -> str:
    """Ours beside what it does with checkpoints, and beside what consuming and decoding alone allow."""
    named = {name: value for name, value in figures["named"].items() if name.startswith(("checkpoints.", "floor."))}
    floors = [
        f"- floor of {conditions_of(each)}, events/s: consume {each['consume_per_s']:,.0f}, "
        f"consume and decode {each['decode_per_s']:,.0f}"
        for each in figures["floors"]
    ]
    return "\n".join([*(f"- {name}: {value:.2f}" for name, value in named.items()), *floors])


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _means(rows: Sequence[Figures]) -> Iterable[str]:
    return dict.fromkeys(f"- {row['contender']}: {row['means']}; {row['partitions']} partitions" for row in rows)


def table(head: list[str], lines: list[list[str]]) -> str:
    """In Markdown, and in columns: the first one is text, numbers stand to the right."""
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join(f"| {' | '.join(_aligned(line, widths))} |" for line in (head, rule, *lines))


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))]

"""The README's tables of absolute figures, as data: what each row says, and where it is in the JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.benchmarks.peers.ratios import cpu_us
from tests.benchmarks.peers.tables import table

Figures = Mapping[str, Any]

CONTENDERS = {
    "ours": "ours",
    "ours_compiled": "ours, compiled",
    "kafka_streams": "Kafka Streams",
    "quix": "Quix Streams",
    "faust": "Faust",
}


class Line(NamedTuple):
    """part: whose figures the value is made of."""

    what: str
    part: str
    value: Callable[[Figures], str]


def _ms(name: str) -> Callable[[Figures], str]:
    return lambda part: f"{part[name]['p50_ms']:.1f} / {part[name]['p99_ms']:.1f} ms"


def _latency(rate: int) -> Callable[[Figures], str]:
    name = f"latency.ours.rate_{rate}"
    return lambda part: f"{part['named'][f'{name}.p50_ms']:.1f} / {part['named'][f'{name}.p99_ms']:.1f} ms"


# fmt: off
LINES = (
    Line("an event until a read-committed reader sees its state, 1,000 events/s, p50 / p99", "latency", _latency(1_000)),
    Line("the same at 20 events/s", "latency", _latency(20)),
    Line("CPU of an idle worker", "latency", lambda part: f"{part['rows'][0]['idle_cpu_percent']:.2f} % of a core"),
    Line("cold restore, states of 490 bytes", "restore", lambda part: f"{part['named']['restore.ours.per_s']:,.0f} states/s"),
    Line("start of a worker to its first commit, store there", "restore", lambda part: f"{part['named']['restore.ours.warm_s']:.2f} s"),
    Line("publishing ready events of 300 bytes from one process; raw `produce()` of the same bytes", "publisher",
         lambda part: f"{part['published_per_s']:,.0f}/s; {part['raw_per_s']:,.0f}/s"),
    Line("a step with its handle; its two events made by hand", "publisher",
         lambda part: f"{part['step_cpu_us']:.1f}; {part['two_events_cpu_us']:.1f} µs of CPU"),
    Line("a reader that starts: into memory; into a directory", "reader",
         lambda part: f"{part['memory_per_s']:,.0f}; {part['directory_per_s']:,.0f} states/s"),
    Line("`get`, p50; `list` of 10,000 active runs", "reader", lambda part: f"{part['get_us']:.0f} µs; {part['list_ms']:.1f} ms"),
    Line("a save through the state store, with 10,000 active runs of 4.8 KB and 2 partitions, p50 / p99", "store", _ms("save_again")),
    Line("load; a checkpoint; list of 10,000 active runs, p99", "store",
         lambda part: "; ".join(f"{part[name]['p99_ms']:.1f}" for name in ("load", "checkpoint", "list")) + " ms"),
    Line("16 threads that save at once; 16 tasks; 256 tasks", "store",
         lambda part: f"{part['threads_per_s']:,.0f}; {part['tasks_per_s']:,.0f}; {part['crowd_per_s']:,.0f} saves/s"),
)
# fmt: on


def figures_text(figures: Figures) -> str:
    return "\n\n".join(text for text in (_throughput(figures), _others(figures)) if text)


def _throughput(figures: Figures) -> str:
    rows = [row for part in figures.values() if isinstance(part, dict) and "floors" in part for row in part["rows"]]
    head = ["log, workers, commit interval", "who", "events/s", "CPU µs per event, with the broker's", "peak MiB"]
    lines = [
        [
            f"{row['workload']}, {row['events']:,} events, {row['workers']}, {row['commit_ms'] / 1000:g} s",
            CONTENDERS[row["contender"]],
            f"{row['events_per_s']:,.0f}",
            f"{cpu_us(row):.1f}",
            f"{row['peak_mib']:,.0f}",
        ]
        for row in rows
        if row["contender"] in CONTENDERS
    ]
    return table(head, lines) if lines else ""


def _others(figures: Figures) -> str:
    lines = [[line.what, line.value(figures[line.part]), f"`{line.part}`"] for line in LINES if line.part in figures]
    return table(["figure", "value", "part"], lines) if lines else ""

"""What is asked of the figures, and whether they reach it, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.benchmarks.peers.tables import table

NOT_MEASURED = "not measured"


class Target(NamedTuple):
    """names: of figures (see the parts' named()), each of which must be at least, or at most, what is asked; one with a
    ``*`` at its end is the greatest of all that begin so. form: of one figure.
    """

    what: str
    names: tuple[str, ...]
    at_most: bool
    asked: float
    form: str = "{:.2f}"


def _against(kind: str, peer: str, log: str, *conditions: tuple[int, int]) -> tuple[str, ...]:
    """conditions: workers, commit interval in ms."""
    return tuple(f"{kind}.{peer}.{log}.workers_{workers}.commit_{ms}" for workers, ms in conditions)


ONE, TWO = ((1, 100), (1, 1000)), ((2, 100), (2, 1000))

# fmt: off
TARGETS = (
    Target("A, events/s / Kafka Streams', one worker, 0.1 s; 1 s", _against("ratio", "kafka_streams", "A", *ONE), False, 1.1),
    Target("the same in the log's second half", _against("second_half", "kafka_streams", "A", *ONE), False, 1.1),
    Target("A, events/s / Kafka Streams', two workers, 0.1 s; 1 s", _against("ratio", "kafka_streams", "A", *TWO), False, 1.5),
    Target("the same in the log's second half", _against("second_half", "kafka_streams", "A", *TWO), False, 1.5),
    Target("the compiled build: A, one worker, 0.1 s; 1 s", _against("compiled_ratio", "kafka_streams", "A", *ONE), False, 1.1),
    Target("the compiled build: A, two workers, 0.1 s; 1 s", _against("compiled_ratio", "kafka_streams", "A", *TWO), False, 1.5),
    Target("B, events/s / Kafka Streams', one worker, 0.1 s; 1 s; two, 1 s", _against("ratio", "kafka_streams", "B", *ONE, (2, 1000)), False, 5),
    Target("A, CPU per event / Kafka Streams', one worker, 0.1 s; 1 s; two, 0.1 s; 1 s", _against("cpu", "kafka_streams", "A", *ONE, *TWO), True, 0.6),
    Target("the compiled build: A, one worker, 0.1 s; 1 s; two, 0.1 s; 1 s", _against("compiled_cpu", "kafka_streams", "A", *ONE, *TWO), True, 0.6),
    Target("B, CPU per event / Kafka Streams', one worker, 0.1 s; 1 s; two, 1 s", _against("cpu", "kafka_streams", "B", *ONE, (2, 1000)), True, 0.6),
    Target("A, events/s / Quix Streams', 1 s", _against("ratio", "quix", "A", (1, 1000)), False, 5),
    Target("B, events/s / Quix Streams', 1 s", _against("ratio", "quix", "B", (1, 1000)), False, 30),
    Target("A, events/s / Faust's, 1 s (only by name)", _against("ratio", "faust", "A", (1, 1000)), False, 50),
    Target("A, events/s / consuming and decoding alone, 1 s", ("floor.A.workers_1.commit_1000",), False, 0.5),
    Target("B, events/s / consuming and decoding alone, 1 s", ("floor.B.workers_1.commit_1000",), False, 0.65),
    Target("A, with a checkpoint after each completed step / without", ("checkpoints.A",), False, 0.7),
    Target("latency at 1,000 events/s, p50, ms", ("latency.ours.rate_1000.p50_ms",), True, 10, "{:.1f}"),
    Target("latency at 1,000 events/s, p99, ms", ("latency.ours.rate_1000.p99_ms",), True, 40, "{:.1f}"),
    Target("latency at 20 events/s, p50, ms", ("latency.ours.rate_20.p50_ms",), True, 6, "{:.1f}"),
    Target("p50 / Kafka Streams' with its best commit interval, 1,000 events/s; 20", ("latency.kafka_streams.rate_1000.p50", "latency.kafka_streams.rate_20.p50"), True, 0.5),
    Target("cold restore, states/s", ("restore.ours.per_s",), False, 300_000, "{:,.0f}"),
    Target("warm start to the commit of a new event, s", ("restore.ours.warm_s",), True, 1.5),
    Target("events/s with 500,000 runs in the store / with 10,000", ("flat.runs_500000",), False, 0.85),
    Target("events/s with 10,000,000 runs in the store / with 10,000 (only by name)", ("flat.runs_10000000",), False, 0.85),
    Target("time per event of runs of 1,000 steps / of 10", ("flat.long_runs",), True, 3),
    Target("bytes written for 200 steps with outputs of 20 KB / bytes of their events", ("flat.large_outputs",), True, 3),
    Target("greatest memory of a worker in all of these, MiB", ("peak_mib.*",), True, 1024, "{:,.0f}"),
    Target("start of the command line, --version; --help, s", ("start.version.s", "start.help.s"), True, 0.3),
)
# fmt: on


class Row(NamedTuple):
    what: str
    asked: str
    measured: str
    met: str


def rows(figures: Mapping[str, Any]) -> Sequence[Row]:
    return [_row(target, figures) for target in TARGETS]


def _row(target: Target, figures: Mapping[str, Any]) -> Row:
    asked = f"{'≤' if target.at_most else '≥'} {target.form.format(target.asked)}"
    found = [_figure(name, figures) for name in target.names]
    known = [figure for figure in found if figure is not None]
    if len(known) < len(found):
        return Row(target.what, asked, NOT_MEASURED, "")
    is_met = all(figure <= target.asked if target.at_most else figure >= target.asked for figure in known)
    return Row(target.what, asked, "; ".join(map(target.form.format, known)), "yes" if is_met else "no")


def _figure(name: str, figures: Mapping[str, Any]) -> float | None:
    if name.endswith("*"):
        return max((value for each, value in figures.items() if each.startswith(name[:-1])), default=None)
    return figures.get(name)


def reach_text(figures: Mapping[str, Any]) -> str:
    return table(["what", "asked", "measured", "met"], [list(row) for row in rows(figures)])

"""What can be measured, as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.benchmarks import report
from tests.benchmarks.flat import long_runs, many_runs
from tests.benchmarks.flat_text import long_runs_text, many_runs_text
from tests.benchmarks.large_outputs import large_outputs, large_outputs_text
from tests.benchmarks.latency import latency, latency_text
from tests.benchmarks.peers import tables
from tests.benchmarks.peers.conditions import CHECKPOINTS, COMPILED, FAUST, FLOOR, KAFKA_STREAMS, QUIX
from tests.benchmarks.peers.contest import contest, full, quick
from tests.benchmarks.publisher import publisher
from tests.benchmarks.reader import reader
from tests.benchmarks.restore import restore, restore_text
from tests.benchmarks.start import start, start_text
from tests.benchmarks.store import store
from tests.benchmarks.system import System
from tests.benchmarks.throughput import throughput


class Sizes(NamedTuple):
    """is_quick: not all peers, and not under all conditions.

    probes: events that are timed at 1,000 and at 20 a second. commit_ms: of Kafka Streams there.
    """

    is_quick: bool
    events: int
    states: int
    few_states: int
    probes: tuple[int, int]
    commit_ms: tuple[int, ...]
    idle_s: float
    stored: int
    mixed: int
    active: int
    large: int
    published: int
    read: int
    steps: int
    runs: int
    calls: int


FULL = Sizes(
    is_quick=False, events=1_000_000, states=1_000_000, few_states=20_000, probes=(3_000, 80),
    commit_ms=(10, 20, 50), idle_s=5, stored=500_000, mixed=150_000, active=200, large=200,
    published=100_000, read=200_000, steps=100_000, runs=10_000, calls=500,
)  # fmt: skip
QUICK = Sizes(
    is_quick=True, events=100_000, states=10_000, few_states=2_000, probes=(1_000, 20), commit_ms=(20,), idle_s=3,
    stored=20_000, mixed=20_000, active=5, large=10, published=20_000, read=10_000, steps=5_000, runs=500, calls=50,
)  # fmt: skip


class Part(NamedTuple):
    """text: of the figures. only_by_name: it takes long, or is of little interest. rebalance_delay_ms: see system()."""

    measure: Callable[[System, Sizes], Any]
    text: Callable[[Any], str]
    only_by_name: bool = False
    rebalance_delay_ms: int = 0


TOGETHER_MS = 500
"""Within which two processes have started: each gets its share at once, as with Kafka's default of 3 s."""


def _contest(*names: str, only_by_name: bool = True) -> Part:
    def measure(on: System, sizes: Sizes) -> Any:
        heats = quick(sizes.events) if sizes.is_quick else full(sizes.events)
        return contest(on, heats, names, tables.tell)

    return Part(measure, tables.peers_text, only_by_name, TOGETHER_MS)


PARTS = {
    "peers": _contest(KAFKA_STREAMS, COMPILED, QUIX, CHECKPOINTS, FLOOR, only_by_name=False),
    "restore": Part(lambda on, sizes: restore(on, sizes.states, sizes.few_states), restore_text),
    "many-runs": Part(lambda on, sizes: many_runs(on, sizes.mixed, sizes.stored), many_runs_text),
    # on a broker that has worked for a while, as most have: one that has just started takes twice as long
    "latency": Part(lambda on, sizes: latency(on, sizes.probes, sizes.idle_s, sizes.commit_ms), latency_text),
    "long-runs": Part(lambda on, sizes: long_runs(on, sizes.active), long_runs_text),
    "large-outputs": Part(lambda on, sizes: large_outputs(on, sizes.large), large_outputs_text),
    "start": Part(lambda on, _: start(on), start_text),
    "publisher": Part(lambda on, sizes: publisher(on, sizes.published, sizes.steps), report.publisher_text),
    "reader": Part(lambda on, sizes: reader(on, sizes.read, sizes.calls), report.reader_text),
    "store": Part(lambda on, sizes: store(on, sizes.runs, sizes.calls), report.store_text),
    "ten-million-runs": Part(
        lambda on, sizes: many_runs(on, sizes.mixed, 10_000_000), many_runs_text, only_by_name=True
    ),
    "throughput": Part(lambda on, sizes: throughput(on, sizes.events), report.throughput_text, only_by_name=True),
    "kafka-streams": _contest(KAFKA_STREAMS, COMPILED),
    "checkpoints": _contest(CHECKPOINTS),
    "quix": _contest(QUIX),
    "faust": _contest(FAUST),
}

QUICK_PARTS = ("peers",)


def chosen(names: Sequence[str], *, is_quick: bool) -> Sequence[str]:
    """The parts named, else those that run without being asked for."""
    if names or is_quick:
        return names or QUICK_PARTS
    return [name for name, part in PARTS.items() if not part.only_by_name]

"""How soon an event is visible to a read_committed reader, now and then and under a light load; and what idling costs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from llm_orchestrator_state.model.records import EventRecord
from tests.benchmarks.machine import peak_mib
from tests.benchmarks.peers.conditions import OURS, Conditions, Contender
from tests.benchmarks.peers.kafka_streams import KafkaStreams
from tests.benchmarks.peers.ours import Ours
from tests.benchmarks.peers.tables import table
from tests.benchmarks.probes import Probes, percentiles_ms, probes
from tests.benchmarks.program import Program
from tests.benchmarks.system import System, topics
from tests.benchmarks.workload import created_runs, workload_a

STARTING_S = 60.0
PATIENCE_S = 30.0
ACTIVE_RUNS = 200
RATES_PER_S = (1_000, 20)
DEFAULT_COMMIT_MS = 200
WARM_EVENTS = 2_000
"""Of each contender before it is timed: clients connect, and a JVM compiles what it runs often."""

Figures = dict[str, Any]


def latency(on: System, probes_of_rate: Sequence[int], idle_s: float, commit_ms: Sequence[int]) -> Figures:
    """probes_of_rate: how many events are timed at each rate. commit_ms: what Kafka Streams is tried with."""
    rows = _timed(on, Ours.as_started(), DEFAULT_COMMIT_MS, probes_of_rate, idle_s)
    peer = KafkaStreams()
    for ms in commit_ms:
        rows += _timed(on, peer, ms, probes_of_rate, 0.0)
    return {"rows": rows, "named": {**named(rows), "peak_mib.latency": rows[0]["peak_mib"]}}


def named(rows: Sequence[Figures]) -> dict[str, float]:
    """``latency.<contender>.rate_<events/s>.p50_ms``, of a peer with the commit interval that has the best p50; and
    without ``_ms`` ours divided by the peer's.
    """
    found: dict[str, float] = {}
    for rate in dict.fromkeys(row["rate"] for row in rows):
        at_rate = [row for row in rows if row["rate"] == rate]
        best = {
            name: min((row for row in at_rate if row["contender"] == name), key=lambda row: float(row["p50_ms"]))
            for name in dict.fromkeys(row["contender"] for row in at_rate)
        }
        for name, row in best.items():
            for q in ("p50", "p99"):
                found[f"latency.{name}.rate_{rate}.{q}_ms"] = row[f"{q}_ms"]
                if name != OURS:
                    found[f"latency.{name}.rate_{rate}.{q}"] = best[OURS][f"{q}_ms"] / row[f"{q}_ms"]
    return found


def _timed(
    on: System, contender: Contender, commit_ms: int, probes_of_rate: Sequence[int], idle_s: float
) -> list[Figures]:
    events = workload_a(10**7, ACTIVE_RUNS)
    conditions = Conditions("A", 0, 1, commit_ms)
    figures: list[Figures] = []
    with ExitStack() as open_, topics(on, f"latency-{contender.name}-{commit_ms}") as made:
        group = made.cluster.group
        (program,) = contender.programs(made, group, made.state_dir, conditions)
        open_.enter_context(program)
        with probes(made) as probing:
            for event in created_runs(4, 100):  # the first wait for its start
                probing.send(event)
                probing.receive_all(STARTING_S)
            _paced(probing, events, WARM_EVENTS, RATES_PER_S[0])
            for rate, number in zip(RATES_PER_S, probes_of_rate, strict=True):
                _paced(probing, events, number, rate)
                figures.append({"rate": rate, "probes": number, **percentiles_ms(probing.latencies_s)})
        idle = _idle_share(program, idle_s) if idle_s else None
        shared = {"contender": contender.name, "commit_ms": commit_ms, "peak_mib": peak_mib(program.pid)}
        program.stop()
    return [{**shared, **row, "idle_cpu_percent": idle} for row in figures]


def _paced(probing: Probes, events: Iterator[EventRecord], number: int, rate: int) -> None:
    """At uneven distances: even ones could fall into step with a commit interval."""
    distances = random.Random(3)
    probing.latencies_s.clear()
    at = time.perf_counter()
    for _ in range(number):
        at += distances.uniform(0.5, 1.5) / rate
        probing.pause_until(at)
        probing.send(next(events))
    probing.receive_all(PATIENCE_S)


def _idle_share(worker: Program, seconds: float) -> float:
    """Percent of a core."""
    cpu_s, began = worker.cpu_s(), time.perf_counter()
    worker.leave_alone(seconds)
    return 100 * (worker.cpu_s() - cpu_s) / (time.perf_counter() - began)


def latency_text(figures: Figures) -> str:
    head = ["from produce() until a read_committed reader of the state topic has it", "commit ms", "events/s",
            "p50 ms", "p99 ms", "idle, % of a core"]  # fmt: skip
    return table(
        head,
        [
            [
                row["contender"],
                str(row["commit_ms"]),
                f"{row['rate']:,}",
                f"{row['p50_ms']:.1f}",
                f"{row['p99_ms']:.1f}",
                "" if row["idle_cpu_percent"] is None else f"{row['idle_cpu_percent']:.2f}",
            ]
            for row in figures["rows"]
        ],
    )

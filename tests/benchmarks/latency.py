"""How soon an event is visible: alone on an idle system, and under a light load; and what idling costs."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llm_orchestrator_state.model.records import EventRecord
from tests.benchmarks.probes import Probes, percentiles_ms
from tests.benchmarks.program import Program
from tests.benchmarks.system import System, Topics, topics
from tests.benchmarks.workload import created_runs, workload_a

STARTING_S = 60.0
PATIENCE_S = 30.0
ACTIVE_RUNS = 200
RATE_PER_S = 1_000
GAP_S = (0.020, 0.060)


def latency(on: System, probes: int, idle_s: float, load_s: float) -> dict[str, Any]:
    events = workload_a(10**7, ACTIVE_RUNS)
    with topics(on, "latency") as made, _worker(made) as worker, _probes(made) as probing:
        for event in created_runs(4, 100):  # the first wait for the worker's start and its clients' connections
            probing.send(event)
            probing.receive_all(STARTING_S)
        idle = _idle_share(worker, idle_s)
        alone = _alone(probing, events, probes)
        loaded = _loaded(probing, events, int(load_s * RATE_PER_S))
        worker.stop()
    return {
        "probes": probes,
        "alone": alone,
        "idle_cpu_percent": idle * 100,
        "loaded_per_s": RATE_PER_S,
        "loaded": loaded,
    }


@contextmanager
def _worker(made: Topics) -> Iterator[Program]:
    """As a user would start it."""
    log = made.system.directory / "latency.log"
    with Program("llm_orchestrator_state", "worker", environment=made.environment(), log=log) as program:
        yield program


@contextmanager
def _probes(made: Topics) -> Iterator[Probes]:
    probing = Probes(made)
    try:
        yield probing
    finally:
        probing.close()


def _idle_share(worker: Program, seconds: float) -> float:
    cpu_s, began = worker.cpu_s(), time.perf_counter()
    worker.leave_alone(seconds)
    return (worker.cpu_s() - cpu_s) / (time.perf_counter() - began)


def _alone(probing: Probes, events: Iterator[EventRecord], number: int) -> dict[str, float]:
    gaps = random.Random(3)
    probing.latencies_s.clear()
    for _ in range(number):
        probing.pause(gaps.uniform(*GAP_S))
        probing.send(next(events))
        probing.receive_all(PATIENCE_S)
    return percentiles_ms(probing.latencies_s)


def _loaded(probing: Probes, events: Iterator[EventRecord], number: int) -> dict[str, float]:
    probing.latencies_s.clear()
    began = time.perf_counter()
    for sent in range(number):
        while (left := began + sent / RATE_PER_S - time.perf_counter()) > 0:
            probing.receive(left)
        probing.send(next(events))
    probing.receive_all(PATIENCE_S)
    return percentiles_ms(probing.latencies_s)

"""A reader: what it costs to follow, what its answers cost, and how soon an event is known to be applied."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from llm_orchestrator_state import Publisher, StateReader
from llm_orchestrator_state.model import TransitionEvent, WorkflowStarted
from tests.benchmarks.machine import resident_mib
from tests.benchmarks.probes import percentiles_ms
from tests.benchmarks.program import Program
from tests.benchmarks.system import System, Topics, topics
from tests.benchmarks.until_end import until_end
from tests.benchmarks.workload import created_runs

CONTEXT_BYTES = 300
"""Makes states of some 490 bytes."""

ACTIVE_RUNS = 10_000
PATIENCE_S = 120.0
GETS = 2_000
LISTS = 9


def reader(on: System, states: int, probes: int) -> dict[str, Any]:
    with topics(on, "reader-many") as made:
        _judge(made, states)
        followed = _followed(made)
    with topics(on, "reader-active") as made:
        _judge(made, ACTIVE_RUNS)
        log = on.directory / "reader.log"
        with (
            Program("llm_orchestrator_state", "worker", environment=made.environment(), log=log) as worker,
            _reading(made, directory=None) as runs,
        ):
            asked = _asked(runs)
            applied = _applied(made, runs, probes)
            worker.stop()
    return {**followed, "active": ACTIVE_RUNS, **asked, "probes": probes, "applied": applied}


def _judge(made: Topics, states: int) -> None:
    made.publish(created_runs(states, CONTEXT_BYTES))
    until_end(made)


@contextmanager
def _reading(made: Topics, directory: Path | None) -> Iterator[StateReader]:
    with StateReader(
        made.system.bootstrap,
        topic_prefix=made.cluster.topics.prefix,
        directory=directory,
        properties=made.system.properties,
    ) as runs:
        runs.ready(PATIENCE_S)
        yield runs


def _followed(made: Topics) -> dict[str, Any]:
    """From nothing into memory and into a directory, and from that directory."""
    gc.collect()
    before, began = resident_mib(), time.perf_counter()
    with _reading(made, None) as runs:
        memory_s = time.perf_counter() - began
        states = sum(runs.counts().values())
        gc.collect()
        mib = resident_mib() - before
    directory = made.system.directory / "reader"
    began = time.perf_counter()
    with _reading(made, directory):
        directory_s = time.perf_counter() - began
    began = time.perf_counter()
    with _reading(made, directory):
        again_s = time.perf_counter() - began
    return {
        "states": states,
        "memory_per_s": states / memory_s,
        "directory_per_s": states / directory_s,
        "again_s": again_s,
        "mib_per_100k": mib / states * 100_000,
    }


def _asked(runs: StateReader) -> dict[str, float]:
    ids = runs.list(active=True).ids
    assert len(ids) == ACTIVE_RUNS
    return {
        "get_us": median(_seconds(lambda run_id=run_id: runs.get(run_id)) for run_id in ids[:GETS]) * 1e6,  # type: ignore[misc]
        "list_ms": median(_seconds(lambda: runs.list(active=True)) for _ in range(LISTS)) * 1e3,
        "page_ms": median(_seconds(lambda: list(runs.list(active=True, limit=100))) for _ in range(LISTS)) * 1e3,
        "decoded_ms": median(_seconds(lambda: list(runs.list(active=True))) for _ in range(3)) * 1e3,
    }


def _applied(made: Topics, runs: StateReader, number: int) -> dict[str, float]:
    """From publish() until the state with the event is there."""
    latencies: list[float] = []
    with Publisher(made.system.bootstrap, topic_prefix=made.cluster.topics.prefix) as publisher:
        for run_id in runs.list().ids[: number + 10]:
            began = time.perf_counter()
            event = TransitionEvent(run_id=UUID(run_id), transition=WorkflowStarted())
            state = runs.applied(publisher.publish(event), PATIENCE_S)
            assert state is not None
            assert state.status == "running"
            latencies.append(time.perf_counter() - began)
    return percentiles_ms(latencies[10:])  # the first wait for the worker's start and the clients' connections


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

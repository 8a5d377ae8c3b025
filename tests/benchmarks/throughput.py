"""Workload A through one worker, as fast as it goes, and verified run by run afterwards."""

from __future__ import annotations

import shutil
from typing import Any

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.verify import verify
from llm_orchestrator_state.store.memory import MemoryStore
from llm_orchestrator_state.store.rocks import RocksStores
from tests.benchmarks.floor import floor
from tests.benchmarks.system import PARTITIONS, System, Topics, topics
from tests.benchmarks.until_end import until_end
from tests.benchmarks.workload import workload_a

COMMIT_INTERVALS_S = (0.2, 1.0)
Figures = dict[str, Any]


def throughput(on: System, events: int) -> list[Figures]:
    """One set of figures for each commit interval, on the same log."""
    measured: list[Figures] = []
    with topics(on, "throughput") as made:
        published = made.publish(workload_a(events))
        floors = floor(made)
        for interval_s in COMMIT_INTERVALS_S:
            if measured:
                made.forget_outputs()
                shutil.rmtree(made.state_dir)
            measured.append(_measure(made, published, interval_s) | floors)
    return measured


def _measure(made: Topics, published: int, interval_s: float) -> Figures:
    said = until_end(made, interval_s)
    events = said["events"]
    records, size = made.emitted()
    runs, wrong = _verified(made, published)
    stages = {name: seconds / events * 1e6 for name, seconds in said["stages"].items()}
    return {
        "commit_interval_s": interval_s,
        "events": events,
        "partitions": PARTITIONS,
        "seconds": said["seconds"],
        "events_per_s": 0.0 if wrong else events / said["seconds"],
        "second_half_per_s": said["second_half_per_s"],
        "stages_us": stages | {"other": said["seconds"] / events * 1e6 - sum(stages.values())},
        "worker_cpu_us": said["cpu_s"] / events * 1e6,
        "broker_cpu_us": said["broker_s"] / events * 1e6 if made.system.broker_pid else None,
        "other_cpu_s": said["other_s"],
        "peak_mib": said["peak_mib"],
        "commits": said["commits"],
        "states_emitted": records,
        "state_bytes": size / records,
        "runs": runs,
        "wrong": wrong,
    }


def _verified(made: Topics, published: int) -> tuple[int, int]:
    """How many runs there are, and how many things are not as a fold of the log, with nothing rejected, has them."""
    cluster, names, config = made.cluster, made.cluster.topics, made.config()
    stores = RocksStores(made.state_dir, names.events, cluster.identity())
    runs = applied = wrong = 0
    for partition in range(PARTITIONS):
        local = stores.open_read_only(partition)
        assert local is not None, "the worker has left its store behind"
        try:
            report = verify(cluster, SystemClock(), config, partition, MemoryStore(), local)
        finally:
            local.close()
        runs += report.runs
        applied += report.applied
        wrong += report.different + report.not_verifiable + report.in_flight
    return runs, wrong + abs(published - applied)

"""Starting again: with the local store, and without it."""

from __future__ import annotations

import shutil
import time
from statistics import median
from typing import Any

from tests.benchmarks.probes import Probes
from tests.benchmarks.program import Program
from tests.benchmarks.system import System, Topics, topics
from tests.benchmarks.workload import created_runs

CONTEXT_BYTES = 300
"""Makes states of some 490 bytes."""

PATIENCE_S = 120.0
TIMES = 3
NEW_EVENTS = 8
"""Published before each start: enough to have one in each partition."""


def restore(on: System, states: int) -> dict[str, Any]:
    with topics(on, "restore") as made:
        made.publish(created_runs(states, CONTEXT_BYTES))
        log = made.system.directory / "restore.log"
        with Program("tests.benchmarks.worker", "--until-end", environment=made.environment(), log=log) as program:
            program.expect("ended", PATIENCE_S)
            program.wait()
        records, size = made.emitted()
        warm = [_start(made, "llm_orchestrator_state", "worker")[0] for _ in range(TIMES)]
        cold = []
        for _ in range(TIMES):
            shutil.rmtree(made.state_dir)
            cold.append(_start(made, "tests.benchmarks.worker"))
    restore_s = median(level["seconds"] for _, level in cold)
    return {
        "states": records,
        "state_bytes": size / records,
        "restore_s": restore_s,
        "states_per_s": records / restore_s,
        "restore_cpu_us": median(level["cpu_s"] for _, level in cold) / records * 1e6,
        "cold_start_s": median(started for started, _ in cold),
        "warm_start_s": median(warm),
    }


def _start(made: Topics, module: str, *arguments: str) -> tuple[float, dict[str, Any]]:
    """Seconds from the process's start until its first commits are visible, and what it said of its restore."""
    log = made.system.directory / "restore.log"
    probing = Probes(made)
    try:
        for event in created_runs(NEW_EVENTS, CONTEXT_BYTES, seed=time.time_ns()):
            probing.send(event)
        with Program(module, *arguments, environment=made.environment(), log=log) as program:
            probing.receive_all(PATIENCE_S)
            took = time.perf_counter() - program.began
            level = {} if arguments else program.expect("level", PATIENCE_S)
            program.stop()
    finally:
        probing.close()
    return took, level

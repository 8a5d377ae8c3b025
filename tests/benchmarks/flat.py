"""Whether the cost stays flat: with many runs in the store, and in long runs."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.program import Program
from tests.benchmarks.stored import StoredRuns
from tests.benchmarks.system import System, Topics, topics
from tests.benchmarks.until_end import until_end
from tests.benchmarks.workload import Shape, of_steps, with_old_runs, workload, workload_a

FEW_RUNS = 10_000
LONG, SHORT = 1_000, 10
RESTORE_S = 600.0

Figures = dict[str, Any]


# --- many runs in the store --------------------------------------------------------------------------------------------


def many_runs(on: System, events: int, stored: int) -> Figures:
    """The same events with few and with many runs in the store; every eleventh event is of one of those."""
    rows = [_with_stored(on, events, number) for number in (FEW_RUNS, stored)]
    few, many = rows
    return {
        "rows": rows,
        "named": {
            f"flat.runs_{stored}": many["events_per_s"] / few["events_per_s"],
            f"peak_mib.runs_{stored}": many["peak_mib"],
        },
    }


def _with_stored(on: System, events: int, stored: int) -> Figures:
    with topics(on, f"runs-{stored}") as made:
        old = StoredRuns(made.codec, stored)
        made.produce(made.cluster.topics.state, old.records())
        _restore(made)
        made.publish(with_old_runs(workload_a(events), old))
        said = until_end(made)
    return {"stored": stored, **_cost(said)}


def _restore(made: Topics) -> None:
    """A worker's store as long as there is no event: a partition begins as soon as it is restored, and others go on."""
    log = made.system.directory / "worker.log"
    command = ("llm_orchestrator_state", "worker", "--until-end")
    with Program(*command, environment=made.environment(), log=log) as program:
        program.wait(RESTORE_S)


# --- long runs ---------------------------------------------------------------------------------------------------------


def long_runs(on: System, active: int) -> Figures:
    """active: runs of 1,000 steps that take turns; and as many at once of 10 steps, a quarter of the events."""
    long, short = of_steps(LONG, active), of_steps(SHORT, active)
    rows = [
        _of_shape(on, short, active * long.events // 4),
        _of_shape(on, long, active * long.events),
    ]
    return {
        "rows": rows,
        "named": {
            "flat.long_runs": rows[0]["events_per_s"] / rows[1]["events_per_s"],
            "peak_mib.long_runs": rows[1]["peak_mib"],
        },
    }


def _of_shape(on: System, shape: Shape, events: int) -> Figures:
    with topics(on, f"steps-{shape.steps}") as made:
        made.publish(workload(shape, events))
        said = until_end(made)
    return {"steps": shape.steps, "active": shape.active, **_cost(said)}


def _cost(said: Figures) -> Figures:
    assert said["applied"] == said["events"], "the workloads have no duplicates, and nothing to reject"
    return {
        "events": said["events"],
        "events_per_s": said["events"] / said["seconds"],
        "cpu_us": (said["cpu_s"] + said["broker_s"]) / said["events"] * 1e6,
        "peak_mib": said["peak_mib"],
    }

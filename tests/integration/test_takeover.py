from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from llm_orchestrator_state.engine.worker import Worker
from tests.integration.agreement import assert_agreement
from tests.integration.harness import SESSION_S, Stage, new_runs, step_until, until
from tests.integration.processes import Child, Processes

PATIENCE = 3
"""Deadlines are asserted at this many times what is promised: the machine may be busy with other things."""


def tell(what: str, seconds: float) -> None:
    print(f"\n{what}: {seconds:.2f} s", end=" ")


def owns(worker: Worker, *partitions: int) -> bool:
    return worker.progress().partitions == partitions


def accident_mid_transaction(
    stage: Stage, processes: Processes, what: signal.Signals, meanwhile: Callable[[], object] = lambda: None
) -> Child:
    """A worker of another machine that was stopped or killed with offsets and records in an open transaction."""
    child = processes.accident("flushed", 2, what, "doomed", "doomed")

    def happened() -> bool:
        if "from offset" in child.log:
            stage.publish(*new_runs(10))
        meanwhile()
        return child.process.poll() is not None or child.is_stopped()

    until(happened)
    assert has_open_transaction(stage)
    return child


def has_open_transaction(stage: Stage) -> bool:
    logs = [stage.log.log_ranges(stage.topics.state, [p])[p] for p in stage.partitions]
    pending = [found.pending for found in stage.log.group_offsets(stage.partitions).values()]
    return any(pending) and any(log.stable < log.end for log in logs)


# --- leaving ----------------------------------------------------------------------------------------------------------


def test_sigterm_finishes_the_transaction_and_ends_with_0_within_5_seconds(stage: Stage, processes: Processes) -> None:
    load = processes.load(seed=1, rate=500)
    worker = processes.worker()
    worker.says("from offset", 2)
    until(lambda: any(stage.committed().values()))
    began = time.monotonic()
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.log
    took = time.monotonic() - began
    tell("SIGTERM to the worker's end", took)
    assert took < 5 * PATIENCE
    assert not has_open_transaction(stage)
    load.send(signal.SIGTERM)
    assert load.ended() == 0
    stage.run_to_end()
    assert_agreement(stage, stage.stores())


def test_when_a_worker_leaves_the_other_has_its_partitions_at_once(stage: Stage, processes: Processes) -> None:
    """A static member that only closes keeps them until its session time-out."""
    leaving = processes.worker("there", "leaving")
    leaving.says("from offset", 2)
    with stage.worker("here", "staying") as worker:
        step_until(worker, lambda: len(worker.progress().partitions) == 1)
        leaving.send(signal.SIGTERM)
        took = step_until(worker, lambda: owns(worker, 0, 1))
        tell("SIGTERM of a worker until the other has its partitions", took)
        assert took < SESSION_S - 1
    assert leaving.ended() == 0


def test_until_end_waits_for_the_partitions_of_a_worker_that_has_just_died(stage: Stage, processes: Processes) -> None:
    dead = processes.worker("there", "dead")
    dead.says("from offset", 2)
    dead.kill()
    stage.publish(*new_runs(5))
    after = processes.worker("here", "after", "--until-end")
    assert after.ended() == 0, after.log
    assert stage.committed() == stage.ends("events")


def test_a_static_member_that_only_closes_keeps_its_partitions_until_its_session_time_out(stage: Stage) -> None:
    """Why a worker unsubscribes before it closes."""
    closing = stage.cluster("closing").group_consumer()
    assigned: list[TopicPartition] = []

    def assign(consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        assigned.extend(partitions)

    def unassign(consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)

    closing.subscribe([stage.topics.events], on_assign=assign, on_revoke=unassign, on_lost=unassign)
    until(lambda: closing.poll(0.05) or assigned)
    with stage.worker("here", "staying") as worker:
        step_until(worker, lambda: closing.poll(0.01) or len(worker.progress().partitions) == 1)
        closing.close()
        took = step_until(worker, lambda: owns(worker, 0, 1))
        tell("close() of a static member until the other has its partitions", took)
        assert took > SESSION_S - 3


def test_workers_of_one_host_share_the_partitions_and_the_state_directory(stage: Stage, processes: Processes) -> None:
    first = processes.worker()
    first.says("from offset", 2)
    second = processes.worker()
    second.says("from offset", 1)
    stage.publish(*new_runs(20))
    until(lambda: stage.committed() == stage.ends("events"))
    second.send(signal.SIGTERM)
    assert second.ended() == 0, second.log
    first.says("from offset", 3)
    stage.publish(*new_runs(20))
    until(lambda: stage.committed() == stage.ends("events"))
    first.send(signal.SIGTERM)
    assert first.ended() == 0, first.log
    assert_agreement(stage, stage.stores())


# --- dying ------------------------------------------------------------------------------------------------------------


def test_a_worker_killed_with_a_transaction_open_is_taken_over_within_its_session_time_out_and_3_seconds(
    stage: Stage, processes: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    """Waiting for the transaction's own time-out would take up to 20 s: it is ended in its owner's name."""
    with stage.worker("here", "staying") as worker:
        step_until(worker, lambda: owns(worker, 0, 1))
        dead = accident_mid_transaction(stage, processes, signal.SIGKILL, lambda: worker.step(0.01))
        began = time.monotonic()
        assert dead.ended() == -signal.SIGKILL, dead.log
        assert len(worker.progress().partitions) == 1
        step_until(worker, lambda: owns(worker, 0, 1), within_s=(SESSION_S + 3) * PATIENCE)
        took = time.monotonic() - began
        tell(f"SIGKILL with an open transaction until it is taken over, with a session of {SESSION_S} s", took)
        assert took < (SESSION_S + 3) * PATIENCE
        assert "ending the transaction that" in caplog.text
        ends = stage.ends("events")
        step_until(worker, lambda: worker.at_end(ends))
    assert_agreement(stage, stage.stores("here"))


def test_a_worker_killed_with_a_transaction_open_goes_on_under_its_own_name_at_once(
    stage: Stage, processes: Processes
) -> None:
    dead = accident_mid_transaction(stage, processes, signal.SIGKILL)
    assert dead.ended() == -signal.SIGKILL, dead.log
    began = time.monotonic()
    with stage.worker("doomed", "doomed") as worker:
        took = step_until(worker, lambda: owns(worker, 0, 1))
        tell("restart under the same name after a SIGKILL with an open transaction", time.monotonic() - began)
        assert took < SESSION_S - 1
        ends = stage.ends("events")
        step_until(worker, lambda: worker.at_end(ends))
    assert_agreement(stage, stage.stores("doomed"))


# --- stopping for a moment --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["flushed", "committed"])
def test_a_worker_stopped_for_a_moment_goes_on_as_if_nothing_had_been(
    stage: Stage, processes: Processes, moment: str
) -> None:
    stage.publish(*new_runs(50))
    worker = processes.accident(moment, 1, signal.SIGSTOP, "w0", "state")
    until(worker.is_stopped)
    worker.send(signal.SIGCONT)
    until(lambda: stage.committed() == stage.ends("events"))
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.log
    assert_agreement(stage, stage.stores())

"""Logs whose start was moved, by retention or by an operator."""

from __future__ import annotations

import shutil
import signal
import uuid

import pytest

from llm_orchestrator_state.errors import OffsetMismatch
from tests.faults.proof import assert_nothing_lost, untidy
from tests.faults.topics import not_compacted, trim
from tests.integration.agreement import differences, fold_log, local_states, reports
from tests.integration.harness import Later, Stage, event, new_runs, step_until, until
from tests.integration.processes import Processes
from tests.integration.test_offsets import set_group
from tests.integration.test_recovery import HOUR_S


def test_events_trimmed_before_a_running_worker_has_judged_them_stop_it_with_exit_code_8_until_the_group_is_set(
    stage: Stage, processes: Processes
) -> None:
    stage.publish_raw(*untidy(0, 500))
    worker = processes.worker()
    until(lambda: stage.committed() == stage.ends("events"))
    worker.send(signal.SIGSTOP)
    until(worker.is_stopped)
    stage.publish(*new_runs(3))  # what a fetch that is under way may still bring
    judged = [fold_log(stage, p).states for p in stage.partitions]
    known = [stage.committed().items(), stage.ends("events").items()]
    stage.publish(*new_runs(5))
    trim(stage, "events", stage.ends("events"))
    worker.send(signal.SIGCONT)
    assert worker.ended() == OffsetMismatch.exit_code == 8, worker.log
    [line] = [line for line in worker.log.splitlines() if line.startswith("error: ")]
    assert "events were lost, or the topic was made anew" in line
    assert all(each in known[0] or each in known[1] for each in stage.committed().items())
    with pytest.raises(OffsetMismatch, match="events were lost"):
        stage.run_to_end()

    before = [stage.table("state", p) for p in stage.partitions]
    assert all(found.items() <= fold.items() for found, fold in zip(before, judged, strict=True))
    set_group(stage, stage.ends("events"))
    stage.publish(*new_runs(5))
    stage.run_to_end()
    for p in stage.partitions:
        folded = fold_log(stage, p).states
        assert len(folded) > 0
        assert stage.table("state", p) == {**before[p], **folded}
    assert differences(reports(stage)) == []


def every_run(stage: Stage, runs: list[str], second: int) -> None:
    stage.publish(*(event(run, "context_updated", second, patch={"second": second}) for run in runs))


def leave_behind(stage: Stage, runs: list[str]) -> None:
    """A copy of the store, "older", that has not read records which are deleted by now; later ones replace their states."""
    stage.run_to_end()
    shutil.copytree(stage.directory / "state", stage.directory / "older")
    every_run(stage, runs, 1)
    stage.run_to_end()
    superseded = stage.ends("state")
    every_run(stage, runs, 2)
    stage.run_to_end()
    with not_compacted(stage, "state"):
        trim(stage, "state", superseded)


@pytest.fixture
def runs(stage: Stage) -> list[str]:
    found = [str(uuid.uuid4()) for _ in range(40)]
    stage.publish(*(event(run, "workflow_created") for run in found))
    return found


def test_a_store_that_has_not_read_what_was_deleted_from_the_state_topic_is_kept_until_somebody_decides(
    stage: Stage, runs: list[str]
) -> None:
    leave_behind(stage, runs)
    before = [local_states(stage.stores("older"), p) for p in stage.partitions]
    with pytest.raises(OffsetMismatch, match="records were deleted from it"):
        stage.run_to_end("older")
    assert [local_states(stage.stores("older"), p) for p in stage.partitions] == before
    shutil.rmtree(stage.directory / "older")
    assert stage.run_to_end("older").progress().restored == len(runs)
    assert_nothing_lost(stage, "older")


def test_a_store_older_than_tombstones_live_is_restored_cold_from_what_the_state_topic_has(
    stage: Stage, runs: list[str]
) -> None:
    leave_behind(stage, runs)
    assert stage.run_to_end("older", clock=Later(13 * HOUR_S)).progress().restored == len(runs)
    assert_nothing_lost(stage, "older")


def test_a_running_worker_does_not_mind_what_is_deleted_from_the_state_topic_behind_it(
    stage: Stage, runs: list[str]
) -> None:
    with stage.worker() as worker:
        step_until(worker, lambda: stage.committed() == stage.ends("events"))
        superseded = stage.ends("state")
        every_run(stage, runs, 1)
        step_until(worker, lambda: stage.committed() == stage.ends("events"))
        with not_compacted(stage, "state"):
            trim(stage, "state", superseded)
        every_run(stage, runs, 2)
        step_until(worker, lambda: stage.committed() == stage.ends("events"))
    assert_nothing_lost(stage)
    assert stage.run_to_end().progress().restored == 0


def test_states_that_only_the_store_has_are_not_wiped_and_verify_names_them(
    stage: Stage, runs: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    stage.run_to_end()
    states = [local_states(stage.stores(), p) for p in stage.partitions]
    with not_compacted(stage, "state"):
        trim(stage, "state", stage.ends("state"))
    with pytest.raises(OffsetMismatch, match="rebuild --into"):
        stage.run_to_end()
    assert [local_states(stage.stores(), p) for p in stage.partitions] == states
    assert {run for run, _, _ in differences(reports(stage))} == set(runs)

    stage.run_to_end("another-machine", "w1")
    assert "records were deleted from it; `verify` names the runs that it lacks now" in caplog.text

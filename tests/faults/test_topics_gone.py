"""Topics that are deleted, and made anew."""

from __future__ import annotations

import shutil

import pytest

from llm_orchestrator_state.engine import recovery, same_topics
from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.rebuild import rebuild
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.errors import ForeignStore, OffsetMismatch, StateError, TopicMismatch
from tests.faults.proof import untidy
from tests.faults.topics import delete, make_anew
from tests.integration.agreement import fold_log
from tests.integration.harness import Stage, new_runs, step_until
from tests.integration.processes import Processes

PROCESSED = ("events", "state", "checkpoints", "outputs", "rejections")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker looks after its topics all the time."""
    monkeypatch.setattr(same_topics, "LOOK_S", 0.05)
    monkeypatch.setattr(same_topics, "CONFIRM_S", 0.05)


def level(stage: Stage, worker: Worker) -> None:
    stage.publish_raw(*untidy(0, 300))
    step_until(worker, lambda: stage.committed() == stage.ends("events"))


def how_it_stops(worker: Worker) -> StateError:
    with pytest.raises(StateError) as stopped:
        step_until(worker, lambda: False)
    return stopped.value


@pytest.mark.parametrize("role", PROCESSED)
def test_an_idle_worker_stops_when_one_of_its_topics_is_deleted(stage: Stage, often: None, role: str) -> None:
    with stage.worker() as worker:
        level(stage, worker)
        delete(stage, role)
        stopped = how_it_stops(worker)
    assert isinstance(stopped, TopicMismatch)
    assert f"topic {stage.name(role)} is missing: it was deleted under a running worker" in str(stopped)


@pytest.mark.parametrize("role", PROCESSED)
def test_an_idle_worker_stops_when_one_of_its_topics_is_made_anew(stage: Stage, often: None, role: str) -> None:
    with stage.worker() as worker:
        level(stage, worker)
        make_anew(stage, role)
        stopped = how_it_stops(worker)
    assert isinstance(stopped, OffsetMismatch)
    assert stage.name(role) in str(stopped)
    assert "made anew" in str(stopped)


def test_the_command_ends_with_exit_code_4_and_one_line(stage: Stage, processes: Processes) -> None:
    stage.publish(*new_runs(5))
    worker = processes.worker()
    worker.says("from offset", 2)
    delete(stage, "events")
    assert worker.ended() == TopicMismatch.exit_code == 4, worker.log
    [line] = [line for line in worker.log.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: topic {stage.topics.events} is missing")
    assert f"llm-orchestrator-state topics create --topic-prefix {stage.topics.prefix}" in line
    assert "Traceback" not in worker.log


def test_a_state_topic_made_anew_under_a_busy_worker_stops_it_before_its_store_and_the_log_rebuilds_all(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(same_topics, "LOOK_S", 3600)
    monkeypatch.setattr(same_topics, "CONFIRM_S", 3600)
    monkeypatch.setattr(recovery, "NEW_LEADER_S", 0.1)
    with stage.worker() as worker:
        level(stage, worker)
        make_anew(stage, "state")
        stage.publish(*new_runs(1))
        stopped = how_it_stops(worker)
    assert isinstance(stopped, OffsetMismatch)
    assert "takes records at" in str(stopped)
    with pytest.raises(OffsetMismatch, match="rebuild --into"):
        stage.run_to_end()
    fresh = Stage(stage.bootstrap, f"{stage.topics.prefix}-fresh", stage.directory / "fresh")
    list(rebuild(stage.log, SystemClock(), stage.config("rebuild"), stage.stores("rebuilt"), fresh.topics))
    for partition in stage.partitions:
        assert fresh.table("state", partition) == fold_log(stage, partition).states
    fresh.close()


def test_an_event_log_made_anew_that_has_outgrown_the_old_one_is_refused_by_a_worker_without_a_store(
    stage: Stage,
) -> None:
    stage.publish(*new_runs(10))
    stage.run_to_end()
    make_anew(stage, "events")
    stage.publish(*new_runs(30))
    before = stage.ends("state")
    with pytest.raises(ForeignStore):
        stage.run_to_end()
    shutil.rmtree(stage.directory / "state")
    with pytest.raises(OffsetMismatch, match="the topic was made anew"):
        stage.run_to_end()
    assert stage.ends("state") == before


@pytest.mark.parametrize("role", ["checkpoints", "rejections"])
def test_a_worker_started_again_goes_on_without_what_such_a_topic_held(stage: Stage, role: str) -> None:
    stage.publish_raw(*untidy(0, 300))
    stage.run_to_end()
    make_anew(stage, role)
    stage.publish_raw(*untidy(1, 300))
    stage.run_to_end()
    for partition in stage.partitions:
        assert stage.table("state", partition) == fold_log(stage, partition).states
    assert all(stage.ends(role).values())

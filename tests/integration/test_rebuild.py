from __future__ import annotations

import uuid

import pytest

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.rebuild import Rebuilt, missing_events, rebuild, refuse_used
from llm_orchestrator_state.errors import LogTrimmed, TopicMismatch
from llm_orchestrator_state.kafka.topics import TopicSet
from tests.integration.agreement import local_states
from tests.integration.harness import Stage, event, new_runs, whole_run
from tests.integration.test_offsets import publish_with_rejections_last, trim


def rebuilt(stage: Stage, into: TopicSet | None = None) -> dict[int, Rebuilt]:
    found = rebuild(stage.log, SystemClock(), stage.config("rebuild"), stage.stores("rebuilt"), into)
    return {each.partition: each for each in found}


@pytest.fixture
def fresh(stage: Stage) -> Stage:
    """Another topic set for the same partitions."""
    return Stage(stage.bootstrap, f"{stage.topics.prefix}-fresh", stage.directory / "fresh")


def judged(stage: Stage) -> None:
    deleted = str(uuid.uuid4())
    publish_with_rejections_last(stage)
    stage.publish(*whole_run(deleted), event(deleted, "workflow_deleted", 60))
    stage.run_to_end()


def test_a_rebuild_gives_the_state_topics_bytes(stage: Stage) -> None:
    judged(stage)
    done = rebuilt(stage)
    assert sum(each.applied for each in done.values()) == 70 + 8
    assert sum(each.rejected for each in done.values()) == 10
    for partition in stage.partitions:
        assert local_states(stage.stores("rebuilt"), partition) == stage.table("state", partition)


def test_a_rebuild_into_a_fresh_topic_set_gives_the_same_tables_and_a_worker_goes_on_there(
    stage: Stage, fresh: Stage
) -> None:
    judged(stage)
    run_id = str(uuid.uuid4())
    [(partition, _), *_] = stage.publish(*whole_run(run_id)[:-1])
    stage.run_to_end()
    refuse_used(stage.log, fresh.topics, 2)
    rebuilt(stage, fresh.topics)
    for role in ("state", "checkpoints"):
        for p in stage.partitions:
            assert fresh.table(role, p) == stage.table(role, p)
    fresh.publish(event(run_id, "workflow_completed", 60), *new_runs(3))
    fresh.run_to_end()
    state = fresh.codec.decode_state(fresh.table("state", partition)[run_id.encode()])
    assert (state["status"], state["version"]) == ("completed", 7)
    with pytest.raises(TopicMismatch, match="a fresh set"):
        refuse_used(stage.log, fresh.topics, 2)


def test_a_rebuild_of_a_trimmed_log_is_refused_unless_partial(stage: Stage) -> None:
    stage.publish(*new_runs(10))
    stage.run_to_end()
    starts = stage.ends("events")
    trim(stage, starts)
    later = new_runs(5)
    stage.publish(*later)
    stage.run_to_end()
    with pytest.raises(LogTrimmed, match=f"begins at offset {starts[0]}"):
        missing_events(stage.log, stage.config(), partial=False)
    assert missing_events(stage.log, stage.config(), partial=True) == starts
    done = rebuilt(stage)
    assert {p: each.missing for p, each in done.items()} == starts
    runs = {each["run_id"].encode() for each in later}
    for p in stage.partitions:
        states = {key: value for key, value in stage.table("state", p).items() if key in runs}
        assert local_states(stage.stores("rebuilt"), p) == states

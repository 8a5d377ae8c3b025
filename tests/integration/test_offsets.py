from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from llm_orchestrator_state.errors import OffsetMismatch
from llm_orchestrator_state.kafka.topics import create
from tests.integration.agreement import assert_agreement, emitted_rejections, fold_log, local_states
from tests.integration.harness import DEADLINE_S, Stage, event, new_runs, until
from tests.integration.processes import Processes


def publish_with_rejections_last(stage: Stage) -> None:
    runs = new_runs(10)
    stage.publish(*runs, *(event(str(uuid.uuid4()), "workflow_started") for _ in range(10)))


def expire_group(stage: Stage) -> None:
    """As offsets.retention.minutes does to a group that was empty for a week."""
    [deleted] = stage.log.admin.client.delete_consumer_groups([stage.log.group]).values()
    deleted.result()
    assert set(stage.committed().values()) == {None}


def set_group(stage: Stage, offsets: dict[int, int]) -> None:
    positions = [TopicPartition(stage.topics.events, p, offset) for p, offset in offsets.items()]
    asked = ConsumerGroupTopicPartitions(stage.log.group, positions)
    [altered] = stage.log.admin.client.alter_consumer_group_offsets([asked]).values()
    altered.result()
    assert {p: stage.committed()[p] for p in offsets} == offsets


def trim(stage: Stage, offsets: dict[int, int]) -> None:
    """The events before these offsets go, as retention makes them."""
    before = [TopicPartition(stage.topics.events, p, offset) for p, offset in offsets.items()]
    for deleted in stage.log.admin.client.delete_records(before, request_timeout=DEADLINE_S).values():
        deleted.result()


def contents(stage: Stage) -> object:
    """Everything that a worker could have changed."""
    ends = [stage.ends(role) for role in ("state", "checkpoints", "rejections")]
    return ends, stage.committed(), [local_states(stage.stores(), p) for p in stage.partitions]


def test_without_group_offsets_a_warm_store_goes_on_at_its_own_position(stage: Stage) -> None:
    publish_with_rejections_last(stage)
    stage.run_to_end()
    expire_group(stage)
    stage.publish(*new_runs(5))
    assert stage.run_to_end().progress().counts.applied == 5 * 7
    assert_agreement(stage, stage.stores())


def test_without_group_offsets_a_cold_store_goes_on_behind_the_last_event_that_a_state_knows(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    publish_with_rejections_last(stage)
    stage.run_to_end()
    expire_group(stage)
    shutil.rmtree(stage.directory / "state")
    stage.publish(*new_runs(5))
    counts = stage.run_to_end().progress().counts
    assert (counts.applied, counts.duplicate, counts.all_rejected) == (5 * 7, 0, 10)
    assert "rejections after it may be repeated" in caplog.text
    for partition in stage.partitions:
        fold = fold_log(stage, partition)
        assert stage.table("state", partition) == fold.states == local_states(stage.stores(), partition)
        assert set(emitted_rejections(stage, partition)) == set(fold.rejections)
    assert stage.committed() == stage.ends("events")


def test_a_store_that_knows_of_later_rejections_than_the_group_after_it_lost_its_offsets_goes_on(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker elsewhere, without a store, has gone on behind the last event that a state knows."""
    publish_with_rejections_last(stage)
    stage.run_to_end()
    set_group(stage, {p: end - len(emitted_rejections(stage, p)) for p, end in stage.ends("events").items()})
    stage.publish(*new_runs(5))
    assert stage.run_to_end().progress().counts.applied == 5 * 7
    assert "restoring from the start, because it goes up to event" in caplog.text
    for partition in stage.partitions:
        assert stage.table("state", partition) == local_states(stage.stores(), partition)
        assert stage.table("state", partition) == fold_log(stage, partition).states


@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
def test_a_group_that_was_set_back_stops_the_worker_with_exit_code_8_and_nothing_changes(
    stage: Stage, processes: Processes, cold: bool
) -> None:
    stage.publish(*new_runs(20))
    stage.run_to_end()
    set_group(stage, {p: end // 2 for p, end in stage.ends("events").items()})
    before = contents(stage)
    worker = processes.worker("elsewhere" if cold else "state")
    assert worker.ended() == OffsetMismatch.exit_code == 8, worker.log
    assert "somebody has set the group back" in worker.log
    assert "Traceback" not in worker.log
    assert contents(stage) == before


def test_a_group_offset_beyond_the_logs_end_stops_the_worker(stage: Stage) -> None:
    stage.publish(*new_runs(5))
    stage.run_to_end()
    set_group(stage, {0: 1_000_000})
    before = contents(stage)
    with pytest.raises(OffsetMismatch, match="the position is 1000000"):
        stage.run_to_end()
    assert contents(stage) == before


def remake(stage: Stage, topic: str) -> None:
    """As an operator does who takes it for a topic that was never made."""
    for future in stage.log.admin.client.delete_topics([topic]).values():
        future.result()
    until(lambda: stage.log.admin.topics([topic])[topic] is None)
    create(stage.log.admin, stage.topics)
    until(lambda: stage.log.admin.topics([topic])[topic] is not None)


def test_a_worker_without_a_store_refuses_a_state_topic_that_was_lost_and_made_anew(stage: Stage) -> None:
    stage.publish(*new_runs(10))
    stage.run_to_end()
    remake(stage, stage.topics.state)
    with pytest.raises(OffsetMismatch, match="rebuild --into"):
        stage.run_to_end("another-machine")
    assert set(stage.ends("state").values()) == {0}


def test_a_state_topic_is_rightly_empty_while_all_events_were_rejected(stage: Stage) -> None:
    rejected = [event(str(uuid.uuid4()), "workflow_started") for _ in range(10)]
    stage.publish(*rejected)
    stage.run_to_end()
    stage.publish(*new_runs(5))
    assert stage.run_to_end("another-machine").progress().counts.applied == 5 * 7


def test_events_that_were_trimmed_before_they_were_judged_stop_the_worker(stage: Stage) -> None:
    stage.publish(*new_runs(10))
    stage.run_to_end()
    stage.publish(*new_runs(10))
    trim(stage, stage.ends("events"))
    before = contents(stage)
    with pytest.raises(OffsetMismatch, match="events were lost"):
        stage.run_to_end()
    assert contents(stage) == before


def test_a_worker_starts_on_a_log_that_was_trimmed_after_its_events_were_judged(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Many partitions, because the accident is one of chance: an assigned partition is fetched before it is paused."""
    stage = Stage(kafka, topic_prefix, tmp_path, partitions=16)
    stage.publish(*new_runs(100, steps=0))
    stage.run_to_end()
    trim(stage, stage.ends("events"))
    stage.publish(*new_runs(100, steps=0))
    assert stage.run_to_end("another-machine").progress().counts.applied == 100 * 3
    stage.close()

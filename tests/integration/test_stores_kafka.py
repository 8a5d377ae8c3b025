"""What only the stores on Kafka do: other stores and readers beside them, no worker, restarts, bad use."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from llm_orchestrator_state import AsyncKafkaStateStore, KafkaStateStore, Publisher
from llm_orchestrator_state.errors import (
    Closed,
    Configuration,
    Connection,
    NotFound,
    Serialization,
    TimedOut,
    TopicMismatch,
)
from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.model import Checkpoint, StepCompleted, TransitionEvent, WorkflowState
from tests.integration.harness import DEADLINE_S, Stage, until
from tests.integration.reading import settled, working


def opened(stage: Stage, **options: Any) -> KafkaStateStore:
    return KafkaStateStore(stage.bootstrap, topic_prefix=stage.topics.prefix, **options)


def a_run() -> WorkflowState:
    state = WorkflowState.new("triage", "Triage")
    state.mark_running()
    return state


def kept(store: KafkaStateStore, state: WorkflowState) -> Checkpoint:
    made = Checkpoint.new(state.id, "step", WorkflowState.from_json(state.to_json()))
    store.create_checkpoint(made)
    return made


def test_a_store_that_is_opened_later_knows_what_was_there_and_sees_what_others_do(stage: Stage) -> None:
    with working(stage), opened(stage) as first:
        state = a_run()
        first.save_workflow_state(state)
        early = kept(first, state)
        with opened(stage) as second:
            assert second.restore_from_checkpoint(early.id).id == state.id
            loaded = second.load_workflow_state(state.id)
            loaded.mark_completed()
            second.save_workflow_state(loaded)
            late = kept(second, loaded)
            until(lambda: first.load_workflow_state(state.id).version == second.load_workflow_state(state.id).version)
            until(lambda: first.get_latest_checkpoint(state.id) == second.get_latest_checkpoint(state.id))
            assert first.restore_from_checkpoint(late.id).status == "completed"
            assert len(first.list_active_workflows()) == 0


def test_saved_runs_and_those_of_events_are_the_same_runs(stage: Stage) -> None:
    state = a_run()
    with (
        working(stage),
        opened(stage) as store,
        Publisher(stage.bootstrap, topic_prefix=stage.topics.prefix) as publisher,
    ):
        store.save_workflow_state(state)
        done = StepCompleted(step_id="classify", attempt=1, outputs={"label": "bug"})
        publisher.publish(TransitionEvent(run_id=state.id, transition=done)).result()
        until(lambda: store.load_workflow_state(state.id).steps)
        assert store.load_workflow_state(state.id).steps["classify"].outputs == {"label": "bug"}
        latest = store.get_latest_checkpoint(state.id)
        assert latest is not None
        assert latest.step_id == "classify"


def test_without_a_worker_a_save_ends_in_time_and_the_same_save_again_is_recognised(stage: Stage) -> None:
    state = a_run()
    with working(stage), opened(stage) as store:
        store.save_workflow_state(state)
        assert f"workers in group {stage.log.group}: 1" in store.health_check().checked
    with opened(stage, timeout_s=5.0) as store:
        state.mark_completed()
        with pytest.raises(TimedOut, match="check that a worker runs"):
            store.save_workflow_state(state)
        assert state.version == 1
        with pytest.raises(Connection, match="health check failed: no worker is in group"):
            store.health_check()
    with opened(stage) as store, working(stage):
        until(lambda: store.load_workflow_state(state.id).version == 2)
        assert store.save_workflow_state(state) == state.version == 2
        assert store.load_workflow_state(state.id).version == 2


def test_a_cancelled_save_leaves_no_task_and_the_store_goes_on(stage: Stage) -> None:
    async def cancelled() -> None:
        async with AsyncKafkaStateStore(stage.bootstrap, topic_prefix=stage.topics.prefix) as store:
            before = asyncio.all_tasks()
            saving = asyncio.create_task(store.save_workflow_state(a_run()))
            await asyncio.sleep(0)
            saving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await saving
            assert asyncio.all_tasks() == before
            with working(stage):
                state = a_run()
                assert await store.save_workflow_state(state) == 1
                assert (await store.load_workflow_state(state.id)).version == 1
        with pytest.raises(Closed, match="this store is closed"):
            await store.save_workflow_state(a_run())

    asyncio.run(cancelled())


def test_a_directory_is_taken_as_it_is_named_and_kept(stage: Stage, tmp_path: Path) -> None:
    directory = tmp_path / "state?a=%41 b"
    state = a_run()
    with working(stage), opened(stage, directory=directory) as store:
        store.save_workflow_state(state)
        made = kept(store, state)
    assert directory.is_dir()
    with opened(stage, directory=directory) as store:
        assert store.load_workflow_state(state.id).version == 2
        assert store.restore_from_checkpoint(made.id).id == state.id


def test_a_list_in_which_a_run_cannot_be_read_is_refused_and_not_shortened(stage: Stage) -> None:
    state, other = a_run(), a_run()
    with working(stage), opened(stage) as store:
        store.save_workflow_state(state)
        assert store.save_workflow_state(other) == 1
        settled(stage)
        key = str(other.id).encode()
        producer = Producer({"bootstrap.servers": stage.bootstrap})
        producer.produce(stage.topics.state, b"\xc3\x01newer...newer than this program", key, partition_of(key, 2))
        assert producer.flush(DEADLINE_S) == 0
        until(lambda: _refused(store.list_active_workflows))
        assert _refused(lambda: store.load_workflow_state(other.id))
        assert store.load_workflow_state(state.id).version == 1


def _refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except Serialization:
        return True
    return False


@pytest.fixture
def without_checkpoints(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(kafka, topic_prefix, tmp_path, checkpoints="off")
    yield made
    made.close()


def test_a_topic_set_without_checkpoints_refuses_them(without_checkpoints: Stage) -> None:
    state = a_run()
    with working(without_checkpoints), opened(without_checkpoints) as store:
        store.save_workflow_state(state)
        with pytest.raises(Configuration, match="keeps no checkpoints"):
            kept(store, state)


def test_bad_use_is_told_in_one_line(stage: Stage) -> None:
    with pytest.raises(TopicMismatch, match="nothing-here"):
        KafkaStateStore(stage.bootstrap, topic_prefix="nothing-here").load_workflow_state(a_run().id)
    store = opened(stage)
    with store:
        with pytest.raises(NotFound):
            store.load_workflow_state(a_run().id)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                store.load_workflow_state(a_run().id)
            except Closed as closed:
                code = 0 if "make one in each process" in str(closed) else 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for _ in range(2):
        store.close()
    with pytest.raises(Closed, match="this store is closed"):
        store.save_workflow_state(a_run())

"""The in-memory pipeline that users' tests import."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from llm_orchestrator_state import AsyncStateReader, StateReader, run_id_for
from llm_orchestrator_state.errors import Closed, Configuration, EventRejected, InvalidState, NotFound, TimedOut
from llm_orchestrator_state.model import WorkflowState, WorkflowStatus
from llm_orchestrator_state.testing import InMemoryPipeline

RUN = "5e4b1c52-3c1e-4b11-9a63-111111111111"
CREATED = {
    "run_id": RUN, "type": "workflow_created", "occurred_at": "2026-01-05T09:30:00Z", "workflow_id": "triage",
    "workflow_name": "Ticket triage", "context": {"ticket": 7},
}  # fmt: skip
STARTED = {"run_id": RUN, "type": "workflow_started", "occurred_at": "2026-01-05T09:30:01Z"}
STEP = {"run_id": RUN, "type": "step_completed", "occurred_at": "2026-01-05T09:30:02Z", "step_id": "classify",
        "attempt": 1, "outputs": {"label": "bug"}}  # fmt: skip


def test_published_events_are_folded_into_a_state() -> None:
    pipeline = InMemoryPipeline(partitions=3)
    for line in (CREATED, STARTED, STEP):
        pipeline.publish(line)
    state = pipeline.state(RUN)
    assert state is not None
    assert state.status is WorkflowStatus.RUNNING
    assert state.context == {"ticket": 7}
    assert state.steps["classify"].outputs == {"label": "bug"}
    assert pipeline.states() == [state]


def test_a_completed_step_leaves_a_checkpoint_of_the_state_after_it() -> None:
    pipeline = InMemoryPipeline()
    for line in (CREATED, STARTED, STEP):
        pipeline.publish(line)
    (checkpoint,) = pipeline.checkpoints(RUN)
    assert checkpoint.snapshot == pipeline.state(RUN)
    assert checkpoint.step_id == "classify"


def test_a_rejected_event_is_told_with_its_bytes() -> None:
    pipeline = InMemoryPipeline()
    pipeline.publish(STARTED)
    pipeline.publish_bytes(b"no uuid", b"\xc3\x01rubbish")
    codes = [rejected.code.value for rejected in pipeline.rejections]
    assert codes == ["unknown_run", "undecodable"]
    assert pipeline.rejections[1].value == b"\xc3\x01rubbish"
    assert pipeline.rejections[1].offset == 1


def test_the_shipped_sample_goes_through() -> None:
    pipeline = InMemoryPipeline(partitions=4)
    sample = Path(__file__).parents[1] / "data" / "sample.jsonl"
    for line in sample.read_bytes().splitlines():
        pipeline.publish(json.loads(line))
    assert len(pipeline.states()) == 21
    assert len(pipeline.rejections) == 8


# --- readers ----------------------------------------------------------------------------------------------------------


def team(pipeline: InMemoryPipeline) -> StateReader:
    """Of three runs: one is paused in its second step, one has failed, one is over and was another's sub-workflow."""
    with pipeline.publisher() as publisher:
        with publisher.workflow("triage", run_id=run_id_for("paused"), labels={"team": "a", "for": "b"}) as run:
            with run.step("classify") as step:
                step.outputs = {"label": "bug"}
            with run.child("search", step="classify", run_id=run_id_for("child")) as child, child.step("query"):
                pass
            publisher.attach(run.run_id).skip("answer")
            run.pause("approval")
        with pytest.raises(ValueError, match="no"), publisher.workflow("triage", run_id=run_id_for("failed")):
            raise ValueError("no")
    return pipeline.reader()


def too_slow(_: WorkflowState) -> bool:
    raise TimeoutError("the predicate's own")


def ids(states: Any) -> set[object]:
    return {state.id for state in states}


def test_a_reader_of_the_pipeline_answers_all_that_one_of_kafka_does() -> None:
    pipeline = InMemoryPipeline(partitions=3)
    paused, failed, child = map(run_id_for, ("paused", "failed", "child"))
    with team(pipeline) as reader:
        assert reader.get(paused) == pipeline.state(paused)
        assert reader.get(run_id_for("nobody")) is None
        assert ids(reader.by_workflow_id("triage")) == {paused, failed}
        assert ids(reader.list(active=True)) == {paused}
        assert ids(reader.list(status="failed")) == {failed}
        assert ids(reader.list(labels={"team": "a"})) == {paused}
        assert ids(reader.list(parent=paused)) == {child}
        assert ids(reader.list(stale_for=3600)) == set()
        first = reader.list(limit=2)
        assert ids(first) | ids(reader.list(cursor=first.cursor)) == {paused, failed, child}
        counts = reader.counts()
        assert (counts[WorkflowStatus.PAUSED], counts[WorkflowStatus.COMPLETED], counts[WorkflowStatus.RUNNING]) == (
            1,
            1,
            0,
        )
        point = reader.resume_point(paused)
        assert (point.done, point.skipped) == ({"classify": {"label": "bug"}}, ["answer"])
        assert reader.latest_checkpoint(paused) == reader.checkpoints(paused)[-1] == pipeline.checkpoints(paused)[-1]
        record = reader.record(paused)
        assert record is not None
        assert record["status"] == "paused"
        assert reader.ready(0).remaining == 0
        assert reader.lag().records == 0
        with pytest.raises(NotFound):
            reader.resume_point(run_id_for("nobody"))
        with pytest.raises(InvalidState):
            reader.list(cursor="none")


def test_a_reader_tells_of_a_programs_own_events_and_of_their_rejection() -> None:
    pipeline = InMemoryPipeline(partitions=2)
    with team(pipeline) as reader, pipeline.publisher() as publisher:
        handle = publisher.attach(run_id_for("paused"))
        resumed = reader.applied(handle.resume(), 0)
        assert resumed is not None
        assert resumed.status == "running"
        with pytest.raises(EventRejected) as rejected:
            reader.applied(publisher.attach(run_id_for("failed")).pause(), 0)
        assert rejected.value.code == "illegal_transition"
        delivered = handle.update_context({"n": 1}).result()
        changed = reader.applied(delivered)
        assert changed is not None
        assert changed.context == {"n": 1}
        with InMemoryPipeline().publisher() as elsewhere:
            foreign = elsewhere.attach(run_id_for("paused")).resume().result()._replace(offset=99)
        with pytest.raises(Configuration, match="none of this pipeline's"):
            reader.applied(foreign, 0)


def test_a_reader_waits_for_what_another_thread_publishes_and_watches_it() -> None:
    pipeline = InMemoryPipeline()
    with team(pipeline) as reader, pipeline.publisher() as publisher:
        run_id = run_id_for("paused")
        seen: list[tuple[str, WorkflowState | None, bool]] = []
        with reader.watch(status="paused") as changes:
            resuming = threading.Timer(0.05, publisher.attach(run_id).resume)
            resuming.start()
            assert reader.wait_for(run_id, lambda state: state.status == "running", 30).id == run_id
            resuming.join()
            change = changes.next(30)
            assert change is not None
            seen.append((change.run_id, change.state, change.matches))
        assert seen == [(str(run_id), pipeline.state(run_id), False)]
        with reader.watch(current=True, workflow_id="search") as changes:
            assert next(changes).run_id == str(run_id_for("child"))
        with pytest.raises(TimedOut, match=r"was not as expected within 0\.01 s"):
            reader.wait_for(run_id, lambda state: state.status == "paused", 0.01)


def test_readers_of_one_pipeline_end_each_for_itself() -> None:
    pipeline = InMemoryPipeline()
    with team(pipeline) as first:
        changes = first.watch()
        second = pipeline.reader()
        waiting = threading.Timer(0.05, first.close)
        waiting.start()
        with pytest.raises(Closed):
            next(changes)
        waiting.join()
    with pytest.raises(Closed):
        first.counts()
    assert second.counts()[WorkflowStatus.PAUSED] == 1
    assert pipeline.state(run_id_for("paused")) is not None


def test_what_a_pipelines_reader_says_is_never_older_than_what_was_published() -> None:
    before = time.time()
    reader = InMemoryPipeline().reader()
    assert reader.lag().level_at >= before
    told: list[object] = []
    assert [reader.ready(on_progress=told.append)] == told


def test_an_asynchronous_reader_of_the_pipeline_has_the_same_face() -> None:
    pipeline = InMemoryPipeline(partitions=2)
    team(pipeline)
    run_id = run_id_for("paused")

    async def program(reader: AsyncStateReader) -> None:
        async with reader, pipeline.async_publisher() as publisher:
            assert await reader.get(run_id) == pipeline.state(run_id)
            assert ids(await reader.list(active=True)) == {run_id}
            assert (await reader.ready(1)).remaining == (await reader.lag()).records == 0
            handle = publisher.attach(run_id)
            async with reader.watch() as changes:
                waiting = asyncio.create_task(reader.wait_for(run_id, lambda state: state.status == "running", 30))
                state = await reader.applied(await handle.resume())
                assert (await waiting).version == (state.version if state else None)
                assert (await anext(changes)).run_id == str(run_id)
            with pytest.raises(EventRejected):
                await reader.applied(await publisher.attach(run_id_for("failed")).pause(), 1)
            with pytest.raises(TimedOut, match="was not as expected within 0 s"):
                await reader.wait_for(run_id, lambda _: False, 0)
            with pytest.raises(TimeoutError, match="the predicate's own"):
                await reader.wait_for(run_id, too_slow, 30)
            assert (await reader.resume_point(run_id)).done == {"classify": {"label": "bug"}}
            assert await reader.latest_checkpoint(run_id) == pipeline.checkpoints(run_id)[-1]
        with pytest.raises(Closed):
            await reader.counts()

    asyncio.run(program(pipeline.async_reader()))

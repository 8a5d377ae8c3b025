"""The in-memory pipeline that users' tests import."""

from __future__ import annotations

from pathlib import Path

from llm_orchestrator_state.model import WorkflowStatus
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
    import json

    sample = Path(__file__).parents[1] / "data" / "sample.jsonl"
    for line in sample.read_bytes().splitlines():
        pipeline.publish(json.loads(line))
    assert len(pipeline.states()) == 21
    assert len(pipeline.rejections) == 8

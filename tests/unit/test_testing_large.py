"""Values that go out of their states, in the in-memory pipeline: nobody who reads it sees a difference."""

from __future__ import annotations

from llm_orchestrator_state.testing import InMemoryPipeline

LARGE = "x" * 20_000


def test_large_values_are_read_as_they_were_published() -> None:
    pipeline = InMemoryPipeline()
    with pipeline.publisher() as publisher, publisher.workflow("w", context={"text": LARGE}) as run:
        run.update_context({"more": 1})
        with run.step("a") as step:
            step.outputs = {"text": LARGE}
    state = pipeline.state(run.run_id)
    assert state is not None
    assert (state.context, state.steps["a"].outputs) == ({"text": LARGE, "more": 1}, {"text": LARGE})
    assert pipeline.checkpoints(run.run_id)[-1].snapshot.steps["a"].outputs == {"text": LARGE}


def test_a_checkpoint_with_large_values_is_restored_and_goes_on() -> None:
    pipeline = InMemoryPipeline()
    with pipeline.publisher() as publisher:
        run = publisher.workflow("w", context={"text": LARGE})
        with run:
            with run.step("a") as step:
                step.outputs = {"text": LARGE}
            run.update_context({"text": "short"})
            with run.step("b") as step:
                step.outputs = 1
        publisher.attach(run.run_id).restore(pipeline.checkpoints(run.run_id)[0])
        publisher.attach(run.run_id).update_context({"more": 1})
    state = pipeline.state(run.run_id)
    assert pipeline.rejections == []
    assert state is not None
    assert (state.context, list(state.steps)) == ({"text": LARGE, "more": 1}, ["a"])

"""The publisher for asyncio, and its handles."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import wraps
from typing import Any, Protocol
from uuid import UUID

import pytest
from confluent_kafka import KafkaError

from llm_orchestrator_state import AsyncPublisher
from llm_orchestrator_state.client.publishing import AsyncRunHandle, AsyncWorkflowRun
from llm_orchestrator_state.client.publishing.ids import child_id_for
from llm_orchestrator_state.errors import Closed, Connection, EventRejected, InvalidState, StepAlreadyOpen, TimedOut
from llm_orchestrator_state.model import StepStarted, TransitionEvent, WorkflowState
from llm_orchestrator_state.testing import InMemoryPipeline
from tests.unit.publishing import Script

RUN = UUID("5e4b1c52-3c1e-4b11-9a63-111111111111")
PATIENCE_S = 30.0


class Body(Protocol):
    def __call__(self, *arguments: Any, **named: Any) -> Coroutine[Any, Any, None]: ...


def in_a_loop(test: Body) -> Any:
    """Runs the test in an event loop, at whose end no task is left."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        async def alone() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await test(*arguments, **named)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(alone(), debug=True)

    return run


def an_event(run_id: UUID = RUN) -> TransitionEvent:
    return TransitionEvent(run_id=run_id, transition=StepStarted(step_id="a", attempt=1))


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    return InMemoryPipeline()


def state_of(pipeline: InMemoryPipeline, run: AsyncRunHandle) -> WorkflowState:
    state = pipeline.state(run.run_id)
    assert state is not None
    return state


async def crash(run: AsyncWorkflowRun) -> None:
    await run.__aenter__()


# --- deliveries -------------------------------------------------------------------------------------------------------


@in_a_loop
async def test_a_delivery_is_awaited() -> None:
    async with AsyncPublisher(transport=Script()) as publisher:
        event = an_event()
        delivery = await publisher.publish(event)
        assert await delivery == (str(event.event_id), str(RUN), 0, 0)
        assert await delivery.result(0) == await delivery
        assert delivery.done()


@in_a_loop
async def test_many_tasks_each_get_their_own_delivery() -> None:
    async def save(number: int) -> None:
        event = an_event(UUID(int=number))
        delivery = await publisher.publish(event)
        assert (await delivery).event_id == str(event.event_id)

    async with AsyncPublisher(transport=Script(room=7)) as publisher, asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(save(number))


@in_a_loop
async def test_a_full_queue_is_awaited_without_holding_up_the_loop() -> None:
    transport = Script(room=1, held=True)
    # a poll of 0 s on what is held returns at once, as librdkafka's does
    async with AsyncPublisher(transport=transport) as publisher:
        await publisher.publish(an_event())
        second = asyncio.create_task(publisher.publish(an_event()))
        while not transport.refused:
            await asyncio.sleep(0)
        assert not second.done()
        transport.go.set()
        assert (await (await second)).offset == 1


@in_a_loop
async def test_a_cancelled_wait_leaves_no_task_and_the_event_goes_its_way() -> None:
    transport = Script(held=True)
    async with AsyncPublisher(transport=transport) as publisher:
        delivery = await publisher.publish(an_event())
        waiting = asyncio.create_task(delivery.result())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert asyncio.all_tasks() == {asyncio.current_task()}
        with pytest.raises(TimedOut, match="still being tried"):
            await delivery.result(0.01)
        transport.go.set()
        assert (await delivery).offset == 0


@in_a_loop
async def test_a_publish_that_is_cancelled_while_the_queue_is_full_publishes_nothing() -> None:
    transport = Script(room=1, held=True)
    async with AsyncPublisher(transport=transport) as publisher:
        await publisher.publish(an_event())
        second = asyncio.create_task(publisher.publish(an_event()))
        while not transport.refused:
            await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        transport.go.set()
    assert len(transport.sent) == 1


@in_a_loop
async def test_failures_raise_when_asked_for_at_flush_and_at_the_end() -> None:
    publisher = AsyncPublisher(transport=Script(code=KafkaError._MSG_TIMED_OUT))
    asked = await publisher.publish(an_event())
    with pytest.raises(Connection, match=asked.event_id):
        await asked
    await publisher.publish(an_event())
    with pytest.raises(Connection, match="publish it again"):
        await publisher.flush()
    await publisher.publish(an_event())
    with pytest.raises(Connection, match="was not delivered"):
        await publisher.close()
    with pytest.raises(Closed):
        await publisher.publish(an_event())


@in_a_loop
async def test_a_flush_has_a_time_limit_where_one_is_given() -> None:
    transport = Script(held=True)
    async with AsyncPublisher(transport=transport) as publisher:
        await publisher.publish(an_event())
        with pytest.raises(TimedOut, match=r"1 events are not delivered after 0\.01 s"):
            await publisher.flush(0.01)
        transport.go.set()


@in_a_loop
async def test_who_waits_for_room_is_told_when_the_publisher_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_orchestrator_state.client.publishing.async_publisher.CLOSING_TIMEOUT_S", 0.01)
    transport = Script(room=1, held=True)
    publisher = await AsyncPublisher(transport=transport).__aenter__()
    await publisher.publish(an_event())
    waiting = asyncio.create_task(publisher.publish(an_event()))
    while not transport.refused:
        await asyncio.sleep(0)
    error = ZeroDivisionError()
    await publisher.__aexit__(ZeroDivisionError, error, None)
    with pytest.raises(Closed):
        await waiting
    assert any("was not delivered" in note for note in error.__notes__)


@in_a_loop
async def test_without_a_broker_there_is_an_error_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_orchestrator_state.kafka.admin.Admin.__init__.__defaults__", (None, 0.2))
    with pytest.raises(Connection, match="no Kafka broker answered"):
        await AsyncPublisher("127.0.0.1:1").publish(an_event())


# --- handles ----------------------------------------------------------------------------------------------------------


@in_a_loop
async def test_every_form_of_a_handle_works(pipeline: InMemoryPipeline) -> None:
    async with pipeline.async_publisher() as publisher:
        async with publisher.workflow("triage", name="Triage", context={"a": 1}) as run:
            async with run.step("classify", key=1, inputs={}) as step:
                step.outputs = "bug"
                step.usage(input_tokens=3)
                await step.heartbeat()
                await run.heartbeat("classify", key=1)
                with pytest.raises(StepAlreadyOpen, match="key="):
                    await run.step("classify", key=1).__aenter__()
                async with run.child("search", step=step) as child:
                    pass
            async for attempt in run.attempts("answer", max_attempts=3):
                async with attempt as step:
                    if attempt.number < 3:
                        raise OSError("busy")
            await run.skip("translate")
            await run.pause("approval")
            await run.resume()
            await run.update_context({"b": 2})
            await run.checkpoint("classify")
            await run.restore(pipeline.checkpoints(run.run_id)[-1])
            assert run.last_delivery is not None
            assert (await run.last_delivery).run_id == str(run.run_id)
        async with publisher.workflow("triage") as failed:
            await failed.fail("no")
        async with publisher.workflow("triage") as completed:
            await completed.complete()
        state = state_of(pipeline, run)
        async with publisher.attach(run.run_id, state).step("after") as late:
            pass
    assert pipeline.rejections[0].detail == "StepStarted while the run is completed"
    assert late.attempt == 1
    assert (state.status, state.context) == ("completed", {"a": 1, "b": 2})
    steps = {step_id: (step.status.value, step.attempt) for step_id, step in state.steps.items()}
    assert steps == {"classify[1]": ("completed", 1), "answer": ("completed", 3), "translate": ("skipped", 0)}
    assert state_of(pipeline, child).parent is not None
    assert child.run_id == child_id_for(run.run_id, "classify[1]", "search", 1)
    assert state_of(pipeline, failed).status == "failed"


@in_a_loop
async def test_cancelling_a_task_fails_its_step_and_run_as_cancelled(pipeline: InMemoryPipeline) -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with run, run.step("wait"):
            entered.set()
            await asyncio.sleep(PATIENCE_S)

    async with pipeline.async_publisher() as publisher:
        run = publisher.workflow("triage")
        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    state = state_of(pipeline, run)
    assert (state.status, state.error_type, state.steps["wait"].error_type) == ("failed", "cancelled", "cancelled")


@in_a_loop
async def test_a_time_out_is_one_where_it_is_raised(pipeline: InMemoryPipeline) -> None:
    async with pipeline.async_publisher() as publisher:
        with pytest.raises(TimeoutError):
            async with publisher.workflow("triage") as run, asyncio.timeout(0), run.step("wait"):
                await asyncio.sleep(PATIENCE_S)
    state = state_of(pipeline, run)
    assert (state.error_type, state.steps["wait"].error_type) == ("timed_out", "cancelled")


@in_a_loop
async def test_parallel_branches_are_steps_of_their_own(pipeline: InMemoryPipeline) -> None:
    async def branch(key: int) -> None:
        async with run.step("fetch", key=key) as step:
            await asyncio.sleep(0)
            step.outputs = key

    async with pipeline.async_publisher() as publisher, publisher.workflow("triage") as run:
        await asyncio.gather(*(branch(key) for key in range(10)))
    assert {step.outputs for step in state_of(pipeline, run).steps.values()} == set(range(10))


@in_a_loop
async def test_of_two_claims_one_is_rejected(pipeline: InMemoryPipeline) -> None:
    async with pipeline.async_publisher() as publisher:
        await crash(dead := publisher.workflow("triage"))
        seen = state_of(pipeline, dead)
        async with publisher.claim(seen) as run:
            await run.confirm(pipeline.async_reader())
            with pytest.raises(EventRejected):
                await publisher.claim(seen, reader=pipeline.async_reader()).__aenter__()
    assert state_of(pipeline, run).status == "completed"


@in_a_loop
async def test_a_handle_that_finds_out_that_its_run_was_claimed_says_nothing_more(pipeline: InMemoryPipeline) -> None:
    async def work(zombie: AsyncWorkflowRun) -> None:
        async with zombie, zombie.step("classify") as step:
            await crash(publisher.claim(state_of(pipeline, zombie), reader=pipeline.async_reader()))
            await step.heartbeat()
            await zombie.confirm(pipeline.async_reader())

    async with pipeline.async_publisher() as publisher:
        with pytest.raises(EventRejected):
            await work(zombie := publisher.workflow("triage"))
    assert [each.code for each in pipeline.rejections] == ["fenced"]
    assert state_of(pipeline, zombie).status == "running"


@in_a_loop
async def test_a_loop_that_only_publishes_lets_others_have_their_turn_and_can_be_cancelled() -> None:
    async def publish_for_ever() -> None:
        while True:
            await publisher.publish(an_event())

    async with AsyncPublisher(transport=Script()) as publisher:
        task = asyncio.create_task(publish_for_ever())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@in_a_loop
async def test_outputs_that_are_no_json_fail_the_step(pipeline: InMemoryPipeline) -> None:
    async with pipeline.async_publisher() as publisher:
        with pytest.raises(InvalidState, match="outputs is nan"):
            async with publisher.workflow("triage") as run, run.step("a") as step:
                step.outputs = float("nan")
    assert state_of(pipeline, run).steps["a"].error_type == "InvalidState"


@in_a_loop
async def test_a_misspelt_attribute_of_a_handle_is_an_error() -> None:
    async with InMemoryPipeline().async_publisher() as publisher, publisher.workflow("triage") as run:
        with pytest.raises(AttributeError, match="contexts"):
            run.contexts = {}  # type: ignore[attr-defined]
        async with run.step("classify") as step:
            with pytest.raises(AttributeError, match="output"):
                step.output = {}  # type: ignore[attr-defined]

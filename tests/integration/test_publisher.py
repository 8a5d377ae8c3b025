"""Publishers and their handles on a real Kafka, and what they say when they are used wrongly."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from llm_orchestrator_state import AsyncPublisher, AsyncStateReader, Publisher, StateReader, run_id_for
from llm_orchestrator_state.errors import Closed, Connection, EventRejected, InvalidState, TopicMismatch
from llm_orchestrator_state.model import StepStarted, TransitionEvent, WorkflowCreated, WorkflowState
from tests.cluster import KafkaCluster
from tests.integration.harness import DEADLINE_S, Stage, until


class Address(NamedTuple):
    bootstrap_servers: str
    topic_prefix: str

    def publisher(self, **properties: str) -> Publisher:
        return Publisher(self.bootstrap_servers, topic_prefix=self.topic_prefix, properties=properties)

    def async_publisher(self, **properties: str) -> AsyncPublisher:
        return AsyncPublisher(self.bootstrap_servers, topic_prefix=self.topic_prefix, properties=properties)


@pytest.fixture
def address(stage: Stage) -> Address:
    return Address(stage.bootstrap, stage.topics.prefix)


@contextmanager
def working(stage: Stage) -> Iterator[None]:
    """A worker that goes on meanwhile."""
    stop = threading.Event()

    def work() -> None:
        with stage.worker() as worker:
            while not stop.is_set():
                worker.step(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def crash(publisher: Publisher, steps: tuple[str, ...]) -> TransitionEvent:
    """What is left in the log of an orchestrator that was killed in its last step; its last event."""
    run = publisher.workflow("triage", name="Ticket triage", context={"ticket": 7})
    run.__enter__()
    *done, open_step = steps
    for name in done:
        with run.step(name) as step:
            step.outputs = {"of": name}
    run.step(open_step).__enter__()
    return TransitionEvent(run_id=run.run_id, transition=StepStarted(step_id=open_step, attempt=1))


def an_event() -> TransitionEvent:
    return TransitionEvent(run_id=uuid4(), transition=WorkflowCreated(workflow_id="a", workflow_name="A"))


# --- the story --------------------------------------------------------------------------------------------------------


def test_what_handles_report_is_what_a_reader_sees_and_of_two_resumers_one_is_rejected(
    stage: Stage, address: Address
) -> None:
    with working(stage), address.publisher() as publisher, StateReader(*address[:1], topic_prefix=address[1]) as reader:
        last = crash(publisher, ("classify", "answer"))
        seen = reader.applied(publisher.publish(last), DEADLINE_S)
        assert isinstance(seen, WorkflowState)
        with publisher.claim(seen, reader=reader, timeout_s=DEADLINE_S) as run:
            with pytest.raises(EventRejected) as rejected, address.publisher() as other:
                other.claim(seen, reader=reader, timeout_s=DEADLINE_S).__enter__()
            assert rejected.value.code == "version_conflict"
            with run.step("answer") as step:
                step.outputs = {"of": "answer"}
                step.usage(input_tokens=812, output_tokens=14)
        assert run.last_delivery is not None
        state = reader.applied(run.last_delivery, DEADLINE_S)
    assert isinstance(state, WorkflowState)
    assert (state.status, state.context, state.fencing_token) == ("completed", {"ticket": 7}, 1)
    assert {name: (step.outputs, step.attempt) for name, step in state.steps.items()} == {
        "classify": ({"of": "classify"}, 1),
        "answer": ({"of": "answer"}, 2),
    }
    assert state.usage == {"gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 14}


def test_the_async_handles_tell_the_same_story(stage: Stage, address: Address) -> None:
    async def story() -> WorkflowState | None:
        async with (
            AsyncStateReader(*address[:1], topic_prefix=address[1]) as reader,
            address.async_publisher() as publisher,
        ):
            async with publisher.workflow("triage", run_id=run_id_for("order-1234")) as run:
                async for attempt in run.attempts("classify", max_attempts=2):
                    async with attempt as step:
                        if attempt.number == 1:
                            raise OSError("busy")
                        step.outputs = {"label": "bug"}
                await run.pause("approval")
            assert run.last_delivery is not None
            seen = await reader.applied(run.last_delivery, DEADLINE_S)
            assert seen is not None
            async with publisher.claim(seen, reader=reader, timeout_s=DEADLINE_S) as claimed:
                pass
            assert claimed.last_delivery is not None
            found = await reader.applied(claimed.last_delivery, DEADLINE_S)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return found

    with working(stage):
        state = asyncio.run(story())
    assert state is not None
    assert (state.status, state.version) == ("completed", 10)
    assert (state.steps["classify"].attempt, state.steps["classify"].retry_count) == (2, 1)


def test_a_queue_of_bounded_size_makes_publishers_wait_and_loses_nothing(stage: Stage, address: Address) -> None:
    small = {"queue.buffering.max.messages": "10"}

    async def many() -> None:
        async with address.async_publisher(**small) as publisher:
            for _ in range(300):
                await publisher.publish(an_event())

    with address.publisher(**small) as publisher:
        for _ in range(300):
            publisher.publish(an_event())
    asyncio.run(asyncio.wait_for(many(), DEADLINE_S))
    assert sum(stage.ends("events").values()) == 600


# --- bad use ----------------------------------------------------------------------------------------------------------


def test_a_topic_set_that_is_not_there_is_told_with_the_command_that_makes_it(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(TopicMismatch, match="topics create"), Publisher(kafka, topic_prefix=topic_prefix):
        pass
    with pytest.raises(TopicMismatch, match=topic_prefix):
        asyncio.run(AsyncPublisher(kafka, topic_prefix=topic_prefix).publish(an_event()))


def test_an_event_that_is_too_large_is_refused_and_the_next_one_is_published(stage: Stage, address: Address) -> None:
    with address.publisher() as publisher:
        with pytest.raises(InvalidState, match=r"expected at most \d+: keep large values elsewhere"):
            publisher.publish(
                TransitionEvent(run_id=uuid4(), transition=StepStarted(step_id="a", inputs="x" * 9_000_000))
            )
        publisher.publish(an_event()).result(DEADLINE_S)
    with pytest.raises(Closed):
        publisher.publish(an_event())
    assert sum(stage.ends("events").values()) == 1


FORKING = """
import os, sys
from uuid import uuid4
from llm_orchestrator_state import Publisher
from llm_orchestrator_state.errors import Closed
from llm_orchestrator_state.model import TransitionEvent, WorkflowCreated

def event():
    return TransitionEvent(run_id=uuid4(), transition=WorkflowCreated(workflow_id="a", workflow_name="A"))

publisher = Publisher(sys.argv[1], topic_prefix=sys.argv[2])
publisher.publish(event()).result(30)
publisher.publish(event())  # on its way while the process forks
if os.fork() == 0:
    try:
        publisher.publish(event())
    except Closed as closed:
        print(closed, flush=True)
    with Publisher(sys.argv[1], topic_prefix=sys.argv[2]) as own:
        own.publish(event())
    sys.exit(0)  # the orderly way, through every finalizer
assert os.wait()[1] == 0
publisher.publish(event())
"""
"""And nobody closes it: what it has is delivered when the program ends."""


def test_a_fork_needs_a_publisher_of_its_own_and_leaves_its_parents_alone(stage: Stage, address: Address) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FORKING, *address], capture_output=True, text=True, check=False, timeout=2 * DEADLINE_S
    )
    assert ran.returncode == 0, ran.stderr
    assert "make one in each process, after the fork" in ran.stdout
    assert sum(stage.ends("events").values()) == 4


def test_what_a_broker_that_hangs_does_not_take_is_an_error_in_bounded_time(topic_prefix: str, tmp_path: Path) -> None:
    with KafkaCluster(tmp_path / "kafka") as kafka:
        stage = Stage(kafka.bootstrap, topic_prefix, tmp_path)
        hasty = Address(kafka.bootstrap, topic_prefix).publisher(**{"delivery.timeout.ms": "3000"})
        with hasty as publisher:
            run = publisher.workflow("triage")
            run.__enter__()
            publisher.flush(DEADLINE_S)
            kafka.pause(0)
            asked = run.update_context({"a": 1})
            with pytest.raises(Connection, match="was not delivered"):
                asked.result(DEADLINE_S)
            unasked = run.update_context({"b": 1})
            until(unasked.done)
            with pytest.raises(Connection, match=unasked.event_id), run.step("next"):
                pytest.fail("a run's log goes on behind a gap")
            kafka.resume(0)
            with pytest.raises(Connection, match="publish it again"):
                publisher.flush()
            event = an_event()
            until(lambda: arrives(publisher, event))
        stage.close()


def arrives(publisher: Publisher, event: TransitionEvent) -> bool:
    try:
        publisher.publish(event).result(DEADLINE_S)
    except Connection:
        return False
    return True

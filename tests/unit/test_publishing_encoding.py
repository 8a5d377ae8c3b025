"""Events as model objects → bytes, and what is refused on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from llm_orchestrator_state.client.publishing.encoding import EventEncoder
from llm_orchestrator_state.errors import InvalidState
from llm_orchestrator_state.model import (
    ContextUpdated,
    StepCompleted,
    StepFailed,
    StepStarted,
    Transition,
    TransitionEvent,
    WorkflowCreated,
    WorkflowSaved,
    WorkflowState,
    WorkflowStatus,
)
from llm_orchestrator_state.model.payload import payload_problem
from llm_orchestrator_state.wire.codec import Codec
from tests.unit.strategies import events

RUN = UUID("5e4b1c52-3c1e-4b11-9a63-111111111111")
ENCODER = EventEncoder()
CODEC = Codec()


def encoded(transition: Transition, **envelope: Any) -> bytes:
    return ENCODER.encode(TransitionEvent(**{"run_id": RUN, "transition": transition, **envelope}))[1]


def refused(transition: Transition, **envelope: Any) -> str:
    with pytest.raises(InvalidState) as refusal:
        encoded(transition, **envelope)
    text = str(refusal.value)
    assert "\n" not in text
    return text


@given(events)
def test_every_event_becomes_the_bytes_of_its_record_or_is_refused_as_the_processor_would(
    event: TransitionEvent,
) -> None:
    record = event.to_record()
    if payload_problem(record):
        with pytest.raises(InvalidState, match=r"correct it|run_id_for"):
            ENCODER.encode(event)
    else:
        assert ENCODER.encode(event) == (record["run_id"].encode(), CODEC.encode_event(record))


@pytest.mark.parametrize(
    "outputs",
    [
        {"at": datetime(2026, 1, 5, tzinfo=UTC)},
        {"id": RUN},
        {"status": WorkflowStatus.PAUSED},
        ("a", 1),
        {1: "a"},
        [1.5, -0.0, 10**30],
        None,
        "[" * 200,
        [[]] * 200,
    ],
)
def test_what_msgspec_can_write_is_written_as_it_does(outputs: object) -> None:
    done = StepCompleted(step_id="a", outputs=outputs)
    event = TransitionEvent(run_id=RUN, transition=done)
    assert ENCODER.encode(event)[1] == CODEC.encode_event(event.to_record())


@pytest.mark.parametrize(
    ("value", "where", "advice"),
    [
        ({"score": float("nan")}, "context.score is nan", "use None"),
        ({"a": [1, float("inf")]}, "context.a[1] is inf", "use None"),
        ({"tags": {"x"}}, "context.tags is a set", "give a list"),
        ({"tags": [frozenset()]}, "context.tags[0] is a frozenset", "give a list"),
        ({"blob": b"\xff"}, "context.blob is bytes", "base64"),
        ({"blob": {"deep": bytearray()}}, "context.blob.deep is bytearray", "base64"),
        ({"what": object()}, "context", "no JSON form"),
    ],
)
def test_a_context_that_is_not_json_is_refused_with_its_place_and_what_to_do(
    value: object, where: str, advice: str
) -> None:
    created = WorkflowCreated(workflow_id="triage", workflow_name="Triage", context=value)
    text = refused(created)
    assert where in text
    assert advice in text


def test_json_is_looked_at_wherever_it_is() -> None:
    nan = float("nan")
    assert "patch.a is nan" in refused(ContextUpdated(patch={"a": nan}))
    assert "inputs is nan" in refused(StepStarted(step_id="a", inputs=nan))
    assert "outputs[0] is a set" in refused(StepCompleted(step_id="a", outputs=[set()]))
    state = WorkflowState.new("triage", "Triage", context={"a": nan})
    state.id = RUN
    assert "state.context.a is nan" in refused(WorkflowSaved(state=state))


def test_a_value_that_contains_itself_or_is_nested_too_deep_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "contains itself" in refused(ContextUpdated(patch=loop))
    deep: list[Any] = []
    for _ in range(130):
        deep = [deep, "some text that makes it long"]
    assert "nested deeper than 128" in refused(ContextUpdated(patch=deep))


def test_an_instant_without_a_zone_is_refused() -> None:
    text = refused(StepStarted(step_id="a"), occurred_at=datetime(2026, 1, 5))  # noqa: DTZ001
    assert "no time zone" in text
    assert "datetime.now(UTC)" in text
    assert "is no datetime" in refused(StepStarted(step_id="a"), occurred_at="2026-01-05T09:30:00Z")


def test_an_instant_in_any_zone_is_written_as_utc() -> None:
    utc = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    there = utc.astimezone(timezone(timedelta(hours=-8)))
    one = TransitionEvent(run_id=RUN, event_id=RUN, occurred_at=utc, transition=StepStarted(step_id="a"))
    other = TransitionEvent(run_id=RUN, event_id=RUN, occurred_at=there, transition=StepStarted(step_id="a"))
    assert ENCODER.encode(one) == ENCODER.encode(other)


def test_an_unknown_status_is_refused_with_those_that_there_are() -> None:
    state = WorkflowState.new("triage", "Triage")
    state.id = RUN
    state.status = "cancelled"  # type: ignore[assignment] # what people write who know other systems
    text = refused(WorkflowSaved(state=state))
    assert "'cancelled'" in text
    assert "pending, running, paused, completed, failed" in text
    state.status = WorkflowStatus.UNKNOWN
    assert "newer than this program" in refused(WorkflowSaved(state=state))


@pytest.mark.parametrize(
    ("transition", "problem"),
    [
        (StepStarted(step_id=7), "`$.step_id`"),  # type: ignore[arg-type]
        (StepStarted(step_id="a", attempt=0), "the first attempt is 1"),
        (StepStarted(step_id="a", attempt=2**31), "the first attempt is 1"),
        (StepCompleted(step_id="a", usage={"tokens": -1}), "is negative"),
        (StepCompleted(step_id="a", usage={"tokens": 1.5}), "`int`"),  # type: ignore[dict-item]
        (StepCompleted(step_id="a", usage={"tokens": 2**64}), "64 bits"),
        (StepFailed(step_id="a", error=None), "`$.error`"),  # type: ignore[arg-type]
        (StepFailed(step_id="a", error="\ud800"), "correct that value"),
        (WorkflowCreated(workflow_id="a", workflow_name="A", labels={"a": 1}), "`str`"),  # type: ignore[dict-item]
    ],
)
def test_a_value_of_another_type_or_out_of_range_is_refused_by_name(transition: Transition, problem: str) -> None:
    assert problem in refused(transition)


def test_an_id_that_is_no_uuid_is_refused_with_the_way_to_make_one() -> None:
    assert "run_id_for" in refused(StepStarted(step_id="a"), run_id="order-1234")
    assert "run_id_for" in refused(StepStarted(step_id="a"), run_id="5e4b1c523c1e4b119a63111111111111")


def test_a_uuid_may_be_given_as_text_in_either_case() -> None:
    event = TransitionEvent(run_id=str(RUN).upper(), transition=StepStarted(step_id="a"))  # type: ignore[arg-type]
    assert ENCODER.encode(event)[0] == str(RUN).encode()


def test_an_event_without_a_transition_is_refused() -> None:
    assert "no kind of event" in refused("WorkflowStarted")  # type: ignore[arg-type]


def test_what_is_no_event_is_refused_by_its_type() -> None:
    with pytest.raises(InvalidState, match="a dict is no event; give a TransitionEvent"):
        ENCODER.encode({"run_id": str(RUN)})  # type: ignore[arg-type]

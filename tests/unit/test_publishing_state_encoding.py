"""Whole states are encoded by a quick way of their own, to the bytes of the careful one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orchestrator_state.client.publishing.encoding import EventEncoder
from llm_orchestrator_state.errors import InvalidState
from llm_orchestrator_state.model import StepState, TransitionEvent, WorkflowSaved, WorkflowState
from llm_orchestrator_state.model.status import StepStatus, WorkflowStatus
from llm_orchestrator_state.wire.codec import Codec

ENCODER = EventEncoder()

texts = st.text(max_size=20)
counts = st.integers(0, 2**31 - 1)
# one day from the years' ends, which other zones' clocks have in another year
instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.timezones())  # noqa: DTZ001
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
usages = st.dictionaries(texts, counts, max_size=2)
steps = st.builds(
    StepState, step_id=texts, status=st.sampled_from(list(StepStatus)[:5]), started_at=st.none() | instants,
    completed_at=st.none() | instants, outputs=values, error=st.none() | texts, retry_count=counts, attempt=counts,
    error_type=st.none() | texts, status_reason=st.none() | texts, usage=usages,
)  # fmt: skip
states = st.builds(
    WorkflowState, id=st.uuids(), workflow_id=texts, workflow_name=texts, status=st.sampled_from(list(WorkflowStatus)[:5]),
    user_id=st.none() | texts, started_at=instants, updated_at=instants, completed_at=st.none() | instants, context=values,
    error=st.none() | texts, steps=st.dictionaries(texts, steps, max_size=3), version=counts,
    last_event_id=st.none() | st.uuids(), recent_event_ids=st.binary(max_size=16), fencing_token=st.none() | st.integers(-9, 9),
    checkpoint_count=counts, output_count=counts, error_type=st.none() | texts, status_reason=st.none() | texts,
    labels=st.dictionaries(texts, texts, max_size=2), usage=usages,
)  # fmt: skip


def saved(state: WorkflowState) -> TransitionEvent:
    return TransitionEvent(run_id=state.id, transition=WorkflowSaved(state=state))


@given(states)
def test_the_quick_way_gives_the_bytes_of_the_careful_one(state: WorkflowState) -> None:
    event = saved(state)
    quick = ENCODER._quickly(event)
    assert quick == ENCODER._carefully(event) == (str(state.id).encode(), Codec().encode_event(event.to_record()))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"id": uuid4()}, "of run"),
        ({"status": "running-ish"}, "status"),
        ({"status": WorkflowStatus.UNKNOWN}, "status"),
        ({"workflow_id": 7}, "workflow_id"),
        ({"version": -1}, "version"),
        ({"version": True}, "version"),
        ({"retry_count": 2**31}, "retry_count"),
        ({"attempt": 1.5}, "attempt"),
        ({"outputs": {"x": float("nan")}}, "outputs"),
        ({"context": {1, 2}}, "set"),
        ({"usage": {"tokens": -1}}, "usage"),
        ({"error": "\ud800"}, "surrogate"),
        ({"completed_at": "2026"}, "datetime"),
    ],
)
def test_what_the_model_does_not_allow_is_refused_as_in_the_careful_way(change: dict[str, Any], where: str) -> None:
    state = WorkflowState.new("triage", "Triage")
    state.steps["a"] = StepState.new("a")
    event = saved(state)
    for name, value in change.items():
        setattr(state.steps["a"] if name in {"retry_count", "attempt", "outputs"} else state, name, value)
    with pytest.raises(InvalidState, match=where):
        ENCODER.encode(event)


def test_the_key_of_a_step_beats_the_id_inside() -> None:
    state = WorkflowState.new("triage", "Triage")
    state.steps["key"] = StepState.new("inside")
    _, value = ENCODER._quickly(saved(state))
    assert b"inside" not in value

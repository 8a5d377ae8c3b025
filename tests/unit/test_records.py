from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any, get_type_hints

import fastavro
import pytest
from hypothesis import given

from llm_orchestrator_state.errors import InvalidState, Serialization
from llm_orchestrator_state.model import Checkpoint, StepState, TransitionEvent, WorkflowState
from llm_orchestrator_state.model.limits import MAX_INSTANT, MIN_INSTANT
from llm_orchestrator_state.model.records import CheckpointRecord, EventRecord, StateRecord, StepRecord
from llm_orchestrator_state.wire.schemas import NAMESPACE, current, plain
from tests.unit.strategies import checkpoints, events, states, steps

SCHEMAS = {
    name: fastavro.parse_schema(plain(current(name)))
    for name in ("WorkflowState", "StepState", "Checkpoint", "TransitionEvent")
}


def through_avro(name: str, record: Any) -> Any:
    """What a foreign Avro reader gets of what a foreign Avro writer wrote, instants left as numbers."""
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, SCHEMAS[name], record, strict=True)
    buffer.seek(0)
    return fastavro.schemaless_reader(
        buffer, SCHEMAS[name], None, return_record_name=True, return_record_name_override=True
    )


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("WorkflowState", StateRecord),
        ("StepState", StepRecord),
        ("Checkpoint", CheckpointRecord),
        ("TransitionEvent", EventRecord),
    ],
)
def test_a_record_has_the_fields_of_its_schema(name: str, record: type) -> None:
    assert list(get_type_hints(record)) == [field["name"] for field in current(name)["fields"]]


@given(states)
def test_a_run_survives_avro(state: WorkflowState) -> None:
    record = state.to_record()
    back = through_avro("WorkflowState", record)
    assert back == record
    assert list(back["steps"]) == list(state.steps)
    assert WorkflowState.from_record(back) == state


@given(steps)
def test_a_step_survives_avro(step: StepState) -> None:
    assert StepState.from_record(through_avro("StepState", step.to_record())) == step


@given(checkpoints)
def test_a_checkpoint_survives_avro(checkpoint: Checkpoint) -> None:
    assert Checkpoint.from_record(through_avro("Checkpoint", checkpoint.to_record())) == checkpoint


@given(events)
def test_an_event_survives_avro(event: TransitionEvent) -> None:
    record = event.to_record()
    kind, fields = record["transition"]
    name, read = through_avro("TransitionEvent", {**record, "transition": (f"{NAMESPACE}.{kind}", fields)})[
        "transition"
    ]
    assert (name, read) == (f"{NAMESPACE}.{kind}", fields)
    # not the event itself: where a state in it has a value and a reference, only one of the two is sent
    assert TransitionEvent.from_record({**record, "transition": (kind, read)}).to_record() == record


def test_a_records_fields_stand_in_the_schemas_order_so_that_its_text_can_be_compared() -> None:
    record = WorkflowState.new("w", "n").to_record()
    assert list(record) == [field["name"] for field in current("WorkflowState")["fields"]]


def test_a_record_shares_nothing_that_can_change_with_its_state() -> None:
    state = WorkflowState.new("w", "n")
    state.steps["a"] = StepState.new("a")
    record = state.to_record()
    state.labels["a"] = "b"
    state.usage["a"] = 1
    state.steps["a"].usage["a"] = 1
    assert (record["labels"], record["usage"], record["steps"]["a"]["usage"]) == ({}, {}, {})


def test_the_first_and_the_last_instant_are_exact() -> None:
    record = WorkflowState.new("w", "n").to_record()
    record["started_at"], record["updated_at"] = MIN_INSTANT, MAX_INSTANT
    state = WorkflowState.from_record(record)
    assert state.started_at == datetime(1, 1, 1, tzinfo=UTC)
    assert state.updated_at == datetime.max.replace(tzinfo=UTC)
    assert state.to_record() == record


@pytest.mark.parametrize("micros", [MIN_INSTANT - 1, MAX_INSTANT + 1, 2**63 - 1])
def test_an_instant_beyond_the_calendar_is_refused(micros: int) -> None:
    record = WorkflowState.new("w", "n").to_record()
    record["started_at"] = micros
    with pytest.raises(InvalidState, match="outside the years 1 to 9999"):
        WorkflowState.from_record(record)


def test_half_a_surrogate_pair_in_a_record_stays_readable() -> None:
    record = WorkflowState.new("w", "n").to_record()
    record["context"] = r'{"cut":"\ud83d"}'
    assert WorkflowState.from_record(record).context == {"cut": "\ud83d"}


@pytest.mark.parametrize("text", ["", "{", "NaN", "[1e400,NaN]", "{'a':1}"])
def test_a_context_that_is_no_json_is_refused(text: str) -> None:
    record = WorkflowState.new("w", "n").to_record()
    record["context"] = text
    with pytest.raises(Serialization, match="not JSON"):
        WorkflowState.from_record(record)

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orchestrator_state.model import TransitionEvent, WorkflowState
from llm_orchestrator_state.model.limits import MAX_INSTANT, MAX_INT, MIN_INSTANT
from llm_orchestrator_state.model.payload import payload_problem
from llm_orchestrator_state.model.records import EventRecord, StateRecord
from llm_orchestrator_state.wire.schemas import current
from tests.unit.records import FIELDS, OTHER_RUN, RUN, T0, event, state, step
from tests.unit.strategies import data_of_field, events

BAD_JSON = ["", "{", "NaN", '{"a":1}}', "[" * 129 + "]" * 129, r'"\ud83d"']
BAD_IDS = ["", "7", RUN[:-1], RUN + "0", f"{{{RUN}}}", RUN.replace("-", ""), "x" * 100_000]
BAD_INSTANTS = [MIN_INSTANT - 1, MAX_INSTANT + 1, 2**63 - 1, -(2**63)]
REF = {"n": 1, "bytes": 2, "sha256": b"", "born": 0}

JSON_FIELDS = [
    ("WorkflowCreated", "context"), ("ContextUpdated", "patch"), ("StepStarted", "inputs"), ("StepCompleted", "outputs")
]  # fmt: skip
ATTEMPTED = ["StepStarted", "StepCompleted", "StepFailed", "StepRetried", "StepHeartbeat"]
GIVEN = [("WorkflowSaved", "state"), ("WorkflowRestored", "snapshot"), ("CheckpointRequested", "snapshot")]


def with_field(kind: str, name: str, value: Any) -> EventRecord:
    fields: Any = {name: value}
    return event(kind, **fields)


def told(one: EventRecord) -> str:
    problem = payload_problem(one)
    assert problem is not None
    assert "\n" not in problem
    assert len(problem) < 400
    return problem


@pytest.mark.parametrize("kind", FIELDS)
def test_a_plain_event_of_every_kind_is_fine(kind: str) -> None:
    assert payload_problem(event(kind)) is None


@pytest.mark.parametrize("name", ["event_id", "run_id"])
@pytest.mark.parametrize("text", BAD_IDS)
def test_ids_must_be_uuid_text(name: str, text: str) -> None:
    assert told(cast(EventRecord, {**event("WorkflowStarted"), name: text})).startswith(f"{name}: ")


@pytest.mark.parametrize("instant", BAD_INSTANTS)
def test_an_event_must_have_happened_in_the_years_1_to_9999(instant: int) -> None:
    assert told(event("WorkflowStarted", at=instant)).startswith("occurred_at: ")


@pytest.mark.parametrize("instant", [MIN_INSTANT, MAX_INSTANT, 0, -1])
def test_the_first_and_the_last_instant_of_these_years_are_fine(instant: int) -> None:
    assert payload_problem(event("WorkflowStarted", at=instant)) is None


def test_version_0_says_that_there_is_no_run() -> None:
    assert payload_problem(event("WorkflowCreated", expected=0)) is None


def test_no_version_is_negative() -> None:
    assert told(event("WorkflowStarted", expected=-1)).startswith("expected_version: ")


def test_a_fencing_token_may_be_any_number() -> None:
    assert payload_problem(event("WorkflowStarted", token=-(2**63))) is None


@pytest.mark.parametrize(("kind", "field"), JSON_FIELDS)
@pytest.mark.parametrize("text", BAD_JSON)
def test_json_must_be_well_formed_and_not_too_deep(kind: str, field: str, text: str) -> None:
    assert told(with_field(kind, field, text)).startswith(f"{field}: ")


@pytest.mark.parametrize("kind", ATTEMPTED)
@pytest.mark.parametrize(("attempt", "fine"), [(None, True), (1, True), (MAX_INT, True), (0, False), (-1, False),
                                               (MAX_INT + 1, False)])  # fmt: skip
def test_an_attempt_is_at_least_1(kind: str, attempt: int | None, fine: bool) -> None:
    assert (payload_problem(event(kind, attempt=attempt)) is None) is fine


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed"])
def test_no_usage_is_negative(kind: str) -> None:
    assert told(event(kind, usage={"in": 1, "out": -1})).startswith("usage: 'out'")


@pytest.mark.parametrize(("keep", "fine"), [(0, True), (99, True), (-1, False)])
def test_no_fewer_than_none_can_be_kept(keep: int, fine: bool) -> None:
    assert (payload_problem(event("CheckpointsTrimmed", keep=keep)) is None) is fine


@pytest.mark.parametrize("kind", ["CheckpointRequested", "WorkflowRestored"])
def test_a_checkpoints_id_must_be_uuid_text(kind: str) -> None:
    assert told(event(kind, checkpoint_id="latest")).startswith("checkpoint_id: ")


def test_a_checkpoints_timestamp_must_be_in_the_years_1_to_9999() -> None:
    assert told(event("CheckpointRequested", timestamp=MAX_INSTANT + 1)).startswith("timestamp: ")


def test_a_parent_must_be_named_by_uuid_text() -> None:
    assert told(event("WorkflowCreated", parent={"id": "7", "step_id": "s"})).startswith("parent: ")


BAD_STATES: list[tuple[str, StateRecord]] = [
    ("id", state(id="7")),
    ("status", state("unknown")),
    ("status", state("cancelled")),
    ("started_at", state(started_at=MIN_INSTANT - 1)),
    ("updated_at", state(updated_at=MAX_INSTANT + 1)),
    ("completed_at", state(completed_at=MAX_INSTANT + 1)),
    ("context", state(context="{")),
    ("context_ref", state(context_ref=REF)),
    ("parent", state(parent={"id": "7", "step_id": "s"})),
    ("version", state(version=-1)),
    ("last_event_id", state(last_event_id="7")),
    ("checkpoint_count", state(checkpoint_count=-1)),
    ("output_count", state(output_count=-1)),
    ("usage", state(usage={"in": -1})),
    ("steps", state("running", step(status="unknown"))),
    ("steps", state("running", step(status="none"))),
    ("steps", state("running", step(started_at=MAX_INSTANT + 1))),
    ("steps", state("running", step(completed_at=MIN_INSTANT - 1))),
    ("steps", state("running", step(outputs="{"))),
    ("steps", state("running", step(outputs="[" * 129 + "]" * 129))),
    ("steps", state("running", step(outputs_ref=REF))),
    ("steps", state("running", step(retry_count=-1))),
    ("steps", state("running", step(retry_count=MAX_INT + 1))),
    ("steps", state("running", step(attempt=-1))),
    ("steps", state("running", step(attempt=MAX_INT + 1))),
    ("steps", state("running", step(usage={"in": -1}))),
    ("steps", state("running", step(), step("x" * 100_000, usage={"y" * 100_000: -1}))),
]


@pytest.mark.parametrize(("kind", "field"), GIVEN)
@pytest.mark.parametrize(("name", "bad"), BAD_STATES)
def test_a_given_state_must_be_one_that_can_be_stored(kind: str, field: str, name: str, bad: StateRecord) -> None:
    assert told(with_field(kind, field, bad)).startswith(f"{field}: {name}: ")


@pytest.mark.parametrize(("kind", "field"), GIVEN[:2])
def test_a_state_that_replaces_a_run_must_be_that_runs(kind: str, field: str) -> None:
    assert told(with_field(kind, field, state(id=OTHER_RUN))).startswith(f"{field}: is of run {OTHER_RUN}")
    assert payload_problem(with_field(kind, field, state(id=RUN.upper()))) is None


def test_a_checkpoint_may_carry_the_snapshot_of_another_run() -> None:
    assert payload_problem(event("CheckpointRequested", snapshot=state(id=OTHER_RUN))) is None


@given(events)
@settings(max_examples=60)
def test_what_passes_can_be_given_to_users(one: TransitionEvent) -> None:
    record = one.to_record()
    if payload_problem(record) is None:
        assert TransitionEvent.from_record(record).to_record() == record


GOOD = state("running", step(status="completed", outputs="1"), last_event_id=RUN, completed_at=T0)
AT_THE_EDGE = [
    state("running", step(), step("b", attempt=MAX_INT, retry_count=MAX_INT, usage={"in": 0})),
    state(started_at=MIN_INSTANT, updated_at=MAX_INSTANT, completed_at=MIN_INSTANT),
    state("failed", step(status="skipped", started_at=MAX_INSTANT, completed_at=MIN_INSTANT), fencing_token=-1),
    state(version=0, checkpoint_count=2**63 - 1, parent={"id": OTHER_RUN.upper(), "step_id": ""}, last_event_id=RUN),
    state("completed", step(outputs="[" * 128 + "]" * 128), context="null", usage={"": 2**63 - 1}),
]


@pytest.mark.parametrize(("kind", "field"), GIVEN)
@pytest.mark.parametrize("good", [GOOD, *AT_THE_EDGE])
def test_a_given_state_at_the_edge_of_what_can_be_stored_is_fine(kind: str, field: str, good: StateRecord) -> None:
    assert payload_problem(with_field(kind, field, good)) is None


@pytest.mark.parametrize("timestamp", [MIN_INSTANT, MAX_INSTANT])
def test_a_checkpoints_timestamp_may_be_the_first_and_the_last_instant(timestamp: int) -> None:
    assert payload_problem(event("CheckpointRequested", timestamp=timestamp)) is None


SPOILED = [
    (field["name"], data_of_field("WorkflowState", field["name"])) for field in current("WorkflowState")["fields"]
]


@pytest.mark.parametrize(("name", "data"), SPOILED)
def test_a_given_state_that_passes_can_be_read_by_everybody(name: str, data: st.SearchStrategy[Any]) -> None:
    @settings(max_examples=20)
    @given(data)
    def check(datum: Any) -> None:
        snapshot = cast(StateRecord, {**copy.deepcopy(GOOD), name: datum})
        if payload_problem(event("CheckpointRequested", snapshot=snapshot)) is None:
            WorkflowState.from_record(snapshot).to_record()

    check()

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from llm_orchestrator_state.errors import InvalidState, Serialization
from llm_orchestrator_state.model import Checkpoint, StepState, StepStatus, WorkflowState, WorkflowStatus
from tests.unit.strategies import checkpoints, states, steps

MORNING = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
NOON = datetime(2026, 1, 5, 12, 0, 0, 120_000, tzinfo=UTC)

CRATE_STATE: dict[str, Any] = {
    "id": "6F1B8B0E-93A5-4C1E-8A52-0D7C3F4E5A6B",
    "workflow_id": "w",
    "workflow_name": "n",
    "status": "Running",
    "user_id": None,
    "started_at": "2025-01-02T03:04:05Z",
    "updated_at": "2025-01-02T03:04:05.120Z",
    "completed_at": None,
    "context": {},
    "error": None,
    "steps": {
        "a": {
            "step_id": "a",
            "status": "Completed",
            "started_at": "2025-01-02T03:04:05.123456789Z",
            "completed_at": "2025-01-02T08:34:05+05:30",
            "outputs": {"x": 1},
            "error": None,
            "retry_count": 0,
        }
    },
}


def crate_state(**changes: Any) -> str:
    return json.dumps({**CRATE_STATE, **changes})


def without(field: str) -> str:
    return json.dumps({name: value for name, value in CRATE_STATE.items() if name != field})


def new_state() -> WorkflowState:
    return WorkflowState.new("triage", "Ticket triage", "mara", {"ticket": 7}, at=MORNING)


# ---- what the methods do, as in the crate


def test_a_new_run_is_pending_and_begins_and_changes_at_one_instant() -> None:
    state = new_state()
    assert (state.status, state.steps, state.version) == (WorkflowStatus.PENDING, {}, 0)
    assert state.started_at == state.updated_at == MORNING
    assert state.id.version == 4
    assert WorkflowState.new("w", "n").context == {}


def test_a_new_run_takes_the_present_when_no_instant_is_given() -> None:
    before = datetime.now(UTC)
    assert before <= WorkflowState.new("w", "n").started_at <= datetime.now(UTC)


def test_running_moves_only_the_status_and_the_last_change() -> None:
    state = new_state()
    state.mark_failed("boom", at=MORNING)
    state.mark_running(at=NOON)
    assert (state.status, state.updated_at) == (WorkflowStatus.RUNNING, NOON)
    assert (state.started_at, state.completed_at, state.error) == (MORNING, MORNING, "boom")


def test_completed_is_one_instant_and_keeps_an_old_error() -> None:
    state = new_state()
    state.error = "earlier"
    state.mark_completed()
    assert state.status is WorkflowStatus.COMPLETED
    assert state.completed_at == state.updated_at
    assert state.error == "earlier"


def test_failed_says_why() -> None:
    state = new_state()
    state.mark_failed("no answer", "timed_out", at=NOON)
    assert (state.status, state.completed_at, state.updated_at) == (WorkflowStatus.FAILED, NOON, NOON)
    assert (state.error, state.error_type) == ("no answer", "timed_out")


@pytest.mark.parametrize("status", list(WorkflowStatus))
def test_a_run_is_active_until_it_is_over(status: WorkflowStatus) -> None:
    state = new_state()
    state.status = status
    assert state.is_active() == (status in {"pending", "running", "paused"})


def test_the_reason_of_a_pause_goes_with_the_pause() -> None:
    state = new_state()
    state.status, state.status_reason = WorkflowStatus.PAUSED, "approval"
    state.mark_running()
    assert state.status_reason is None


def test_a_step_that_starts_again_restarts_its_clock_and_keeps_the_rest() -> None:
    step = StepState.new("a")
    step.mark_running(at=MORNING)
    step.mark_failed("boom", "OSError", at=MORNING)
    step.increment_retry()
    step.mark_running(at=NOON)
    assert (step.status, step.started_at, step.completed_at) == (StepStatus.RUNNING, NOON, MORNING)
    assert (step.error, step.error_type, step.retry_count, step.attempt) == ("boom", "OSError", 1, 2)


def test_a_step_that_completes_has_outputs_and_keeps_an_old_error() -> None:
    step = StepState.new("a")
    step.error = "earlier"
    step.mark_completed({"x": 1}, at=NOON)
    assert (step.status, step.outputs, step.completed_at) == (StepStatus.COMPLETED, {"x": 1}, NOON)
    assert step.error == "earlier"


def test_a_step_that_fails_keeps_its_outputs() -> None:
    step = StepState.new("a")
    step.mark_completed([1])
    step.mark_failed("boom")
    assert (step.status, step.outputs, step.error) == (StepStatus.FAILED, [1], "boom")


def test_a_checkpoint_has_the_version_of_its_snapshot() -> None:
    state = new_state()
    state.version = 7
    checkpoint = Checkpoint.new(state.id, "plan", state, at=NOON)
    assert (checkpoint.workflow_state_id, checkpoint.version, checkpoint.timestamp) == (state.id, 7, NOON)
    assert checkpoint.snapshot is state


# ---- JSON


@given(states)
def test_a_run_survives_json(state: WorkflowState) -> None:
    assert WorkflowState.from_json(state.to_json()) == state


@given(steps)
def test_a_step_survives_json(step: StepState) -> None:
    assert StepState.from_json(step.to_json()) == step


@given(checkpoints)
def test_a_checkpoint_survives_json(checkpoint: Checkpoint) -> None:
    assert Checkpoint.from_json(checkpoint.to_json()) == checkpoint


def test_json_writes_every_field_and_words_in_lower_case() -> None:
    written = json.loads(WorkflowState.from_json(crate_state()).to_json())
    assert set(written) == set(WorkflowState.__struct_fields__)
    assert set(written["steps"]["a"]) == set(StepState.__struct_fields__)
    assert (written["status"], written["steps"]["a"]["status"]) == ("running", "completed")
    assert written["id"] == CRATE_STATE["id"].lower()


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [
        (0, "2026-01-05T09:30:00Z"),
        (120_000, "2026-01-05T09:30:00.120Z"),
        (120_001, "2026-01-05T09:30:00.120001Z"),
    ],
)
def test_an_instant_is_written_with_the_fewest_digits_that_lose_nothing(microsecond: int, text: str) -> None:
    state = WorkflowState.new("w", "n", at=MORNING.replace(microsecond=microsecond))
    assert json.loads(state.to_json())["started_at"] == text


def test_json_is_compact_and_not_escaped() -> None:
    assert '"context":{"name":"Jörg"}' in WorkflowState.new("w", "n", context={"name": "Jörg"}).to_json()


def test_the_crates_json_is_read() -> None:
    state = WorkflowState.from_json(crate_state())
    assert state.id == UUID(CRATE_STATE["id"])
    assert state.status is WorkflowStatus.RUNNING
    assert state.steps["a"].started_at == datetime(2025, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    assert state.steps["a"].completed_at == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert state.steps["a"].outputs == {"x": 1}


@pytest.mark.parametrize("field", ["user_id", "completed_at", "error", "steps"])
def test_what_may_be_missing_from_the_crates_json_may_be_missing(field: str) -> None:
    assert WorkflowState.from_json(without(field)).workflow_id == "w"


@pytest.mark.parametrize(
    "field", ["id", "workflow_id", "workflow_name", "status", "started_at", "updated_at", "context"]
)
def test_what_the_crate_requires_is_required(field: str) -> None:
    with pytest.raises(Serialization, match=f"missing required field `{field}`"):
        WorkflowState.from_json(without(field))


def test_a_field_of_a_newer_program_is_ignored() -> None:
    assert WorkflowState.from_json(crate_state(mood="good")).workflow_id == "w"


def test_the_key_of_a_step_beats_the_id_inside() -> None:
    moved = {"b": CRATE_STATE["steps"]["a"]}
    assert WorkflowState.from_json(crate_state(steps=moved)).steps["b"].step_id == "b"


@pytest.mark.parametrize(
    "text",
    [
        "{6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b}",
        "urn:uuid:6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b",
        "6f1b8b0e93a54c1e8a520d7c3f4e5a6b",
    ],
)
def test_every_form_of_a_uuid_is_read(text: str) -> None:
    assert WorkflowState.from_json(crate_state(id=text)).id == UUID(CRATE_STATE["id"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05 09:30:00z", MORNING),
        ("2026-01-05t09:30:00.0Z", MORNING),
        ("2026-01-05T10:30:00+0100", MORNING),
        ("2026-01-05T09:30:00.1234569Z", MORNING.replace(microsecond=123456)),
        ("2016-12-31T23:59:60.5Z", datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_any_zone_and_precision(text: str, expected: datetime) -> None:
    assert WorkflowState.from_json(crate_state(updated_at=text)).updated_at == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"updated_at": "2026-01-05T09:30:00"}, "updated_at: .* has no time zone"),
        ({"updated_at": "2026-01-05"}, "updated_at: .* is no instant"),
        ({"updated_at": "2026-02-30T09:30:00Z"}, "updated_at: .* is no instant: day is out of range"),
        ({"updated_at": "2026-01-05T24:00:00Z"}, "updated_at: .* is no instant"),
        ({"updated_at": "9999-12-31T23:59:59-01:00"}, "outside the years 1 to 9999"),
        ({"updated_at": "0001-01-01T00:00:00+01:00"}, "outside the years 1 to 9999"),
        ({"updated_at": "9999-12-31T23:59:60Z"}, "outside the years 1 to 9999"),
        ({"updated_at": 5}, "Expected `str`, got `int`"),
        ({"status": "cancelled"}, "Invalid workflow status: cancelled"),
        ({"status": "unknown"}, "Invalid workflow status: unknown"),
        ({"id": "7"}, "id: '7' is no UUID"),
        ({"steps": None}, "Expected `object`, got `null`"),
        ({"version": -1}, "Expected `int` >= 0"),
        ({"recent_event_ids": "xyz"}, "recent_event_ids: 'xyz' is no text of hex digits"),
        ({"steps": {"a": {**CRATE_STATE["steps"]["a"], "status": "Paused"}}}, "step 'a': Invalid step status: Paused"),
        ({"steps": {"a": {"step_id": "a", "status": "Failed"}}}, "missing required field `outputs`"),
    ],
)
def test_json_that_is_no_run_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Serialization, match=reason):
        WorkflowState.from_json(crate_state(**changes))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", b"\xff", '{"context":' + "[" * 5000])
def test_text_that_is_no_json_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(Serialization):
        WorkflowState.from_json(text)


# ---- numbers and instants at their limits


def test_floats_come_back_as_they_were() -> None:
    value = [0.1, 1e-320, 2.2250738585072011e-308, 0.30000000000000004, -0.0, 1.7976931348623157e308]
    state = WorkflowState.new("w", "n", context=value)
    assert WorkflowState.from_json(state.to_json()).context == value


def test_whole_numbers_have_no_limit() -> None:
    state = WorkflowState.new("w", "n", context={"big": 2**70, "negative": -(2**64)})
    assert WorkflowState.from_json(state.to_json()).context == state.context


def test_a_number_beyond_a_double_and_endless_digits_stay_readable() -> None:
    text = crate_state().replace('"context": {}', '"context": [1e400, -1e400, ' + "9" * 5000 + "]")
    assert WorkflowState.from_json(text).context == [float("inf"), float("-inf"), float("inf")]


def test_a_value_128_deep_is_readable_and_a_deeper_one_is_refused() -> None:
    deep = "[" * 128 + "]" * 128
    assert WorkflowState.from_json(crate_state().replace('"context": {}', f'"context": {deep}')).context == json.loads(
        deep
    )
    with pytest.raises(Serialization, match="context: nested deeper than 128"):
        WorkflowState.from_json(crate_state().replace('"context": {}', f'"context": [{deep}]'))


def test_what_is_no_number_is_written_as_null_like_the_crate_does() -> None:
    assert WorkflowState.from_json(WorkflowState.new("w", "n", context=[float("nan")]).to_json()).context == [None]


def circular() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [object(), "\ud800", circular()], ids=["object", "half a surrogate pair", "circle"])
def test_a_value_that_is_no_json_is_refused_when_it_is_written(value: object) -> None:
    step = StepState.new("a")
    step.mark_completed({"x": value})
    with pytest.raises(InvalidState, match="outputs of step 'a' has no JSON form"):
        step.to_json()


def test_an_instant_without_zone_is_refused_when_it_is_written() -> None:
    state = WorkflowState.new("w", "n", at=datetime(2026, 1, 5, 9, 30))  # noqa: DTZ001
    with pytest.raises(InvalidState, match="has no time zone"):
        state.to_json()


def test_an_instant_in_another_zone_is_written_in_utc() -> None:
    state = WorkflowState.new("w", "n", at=MORNING.astimezone(timezone(timedelta(hours=-8))))
    assert json.loads(state.to_json())["started_at"] == "2026-01-05T09:30:00Z"


def test_a_status_newer_than_this_program_is_read_and_never_written() -> None:
    record = new_state().to_record()
    record["status"] = "archived"
    state = WorkflowState.from_record(record)
    assert state.status is WorkflowStatus.UNKNOWN
    assert not state.is_active()
    with pytest.raises(InvalidState, match="newer than this program"):
        state.to_record()


def test_a_status_set_as_a_text_is_the_status_and_another_text_is_refused() -> None:
    state = new_state()
    state.status = "paused"  # type: ignore[assignment]
    state.steps["a"] = StepState(step_id="a", status="skipped")  # type: ignore[arg-type]
    record = state.to_record()
    assert (record["status"], record["steps"]["a"]["status"], state.is_active()) == ("paused", "skipped", True)
    state.status = "cancelled"  # type: ignore[assignment]
    with pytest.raises(InvalidState, match="Invalid workflow status: cancelled"):
        state.to_record()


def test_states_do_not_share_their_maps() -> None:
    one, other = WorkflowState.new("w", "n"), WorkflowState.new("w", "n")
    one.labels["a"] = "b"
    one.steps["a"] = StepState.new("a")
    assert (other.labels, other.steps) == ({}, {})
    assert one.id != other.id

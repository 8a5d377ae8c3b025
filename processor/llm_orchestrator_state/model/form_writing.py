"""Records → JSON: compact UTF-8 on one line, statuses in lower case, instants with Z, every field."""

from __future__ import annotations

import msgspec

from .forms import CheckpointForm, OutputRefForm, ParentForm, ReleasedOutputForm, StateForm, StepForm
from .instants import format_instant
from .records import CheckpointRecord, OutputRefRecord, ParentRecord, StateRecord, StepRecord

_encode = msgspec.json.Encoder().encode
NULL = msgspec.Raw(b"null")


def write_state(record: StateRecord) -> bytes:
    """A run's JSON. Numbers inside context and outputs are written as they came."""
    return _encode(state_form(record))


def write_step(record: StepRecord) -> bytes:
    """A step's JSON."""
    return _encode(_step_form(record))


def write_checkpoint(record: CheckpointRecord) -> bytes:
    """A checkpoint's JSON."""
    return _encode(
        CheckpointForm(
            id=record["id"],
            workflow_state_id=record["workflow_state_id"],
            step_id=record["step_id"],
            timestamp=format_instant(record["timestamp"]),
            snapshot=state_form(record["snapshot"]),
            version=record["version"],
        )
    )


def state_form(record: StateRecord) -> StateForm:
    """The JSON form of a run."""
    return StateForm(
        id=record["id"],
        workflow_id=record["workflow_id"],
        workflow_name=record["workflow_name"],
        status=record["status"],
        user_id=record["user_id"],
        started_at=format_instant(record["started_at"]),
        updated_at=format_instant(record["updated_at"]),
        completed_at=_optional_instant(record["completed_at"]),
        context=value_form(record["context"]),
        error=record["error"],
        steps={step_id: _step_form(step) for step_id, step in record["steps"].items()},
        version=record["version"],
        last_event_id=record["last_event_id"],
        recent_event_ids=record["recent_event_ids"].hex(),
        fencing_token=record["fencing_token"],
        checkpoint_count=record["checkpoint_count"],
        output_count=record["output_count"],
        released_outputs=[ReleasedOutputForm(each["n"], each["released"]) for each in record["released_outputs"]],
        context_ref=_reference(record["context_ref"]),
        error_type=record["error_type"],
        status_reason=record["status_reason"],
        labels=record["labels"],
        parent=parent_form(record["parent"]),
        usage=record["usage"],
    )


def _step_form(record: StepRecord) -> StepForm:
    return StepForm(
        step_id=record["step_id"],
        status=record["status"],
        started_at=_optional_instant(record["started_at"]),
        completed_at=_optional_instant(record["completed_at"]),
        outputs=optional_value_form(record["outputs"]),
        error=record["error"],
        retry_count=record["retry_count"],
        attempt=record["attempt"],
        error_type=record["error_type"],
        status_reason=record["status_reason"],
        usage=record["usage"],
        outputs_ref=_reference(record["outputs_ref"]),
    )


def parent_form(record: ParentRecord | None) -> ParentForm | None:
    """The JSON form of the step that started a sub-workflow."""
    return None if record is None else ParentForm(record["id"], record["step_id"])


def value_form(text: str) -> msgspec.Raw:
    """A JSON value to be written as it is. Line breaks in its text can only be white space, and become spaces."""
    if "\n" in text or "\r" in text:
        text = text.replace("\n", " ").replace("\r", " ")
    return msgspec.Raw(text)


def optional_value_form(text: str | None) -> msgspec.Raw:
    """A JSON value to be written as it is, null for None."""
    return NULL if text is None else value_form(text)


def _optional_instant(micros: int | None) -> str | None:
    return None if micros is None else format_instant(micros)


def _reference(record: OutputRefRecord | None) -> OutputRefForm | None:
    if record is None:
        return None
    return OutputRefForm(record["n"], record["bytes"], record["sha256"].hex(), record["born"])

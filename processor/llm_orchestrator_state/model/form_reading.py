"""JSON → records. Reads what this package writes and what the crate writes."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

import msgspec

from ..errors import InvalidState, Serialization
from .forms import CheckpointForm, OutputRefForm, ParentForm, StateForm, StepForm
from .ids import is_uuid
from .instants import parse_instant
from .json_values import json_problem
from .records import CheckpointRecord, OutputRefRecord, ParentRecord, StateRecord, StepRecord
from .status import StepStatus, WorkflowStatus

_F = TypeVar("_F")
_EXAMPLE = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
_state = msgspec.json.Decoder(StateForm)
_step = msgspec.json.Decoder(StepForm)
_checkpoint = msgspec.json.Decoder(CheckpointForm)


def read_state(text: str | bytes) -> StateRecord:
    """Record of a run's JSON; raises Serialization, saying what is wrong."""
    return state_record(_decode(_state, text))


def read_step(text: str | bytes) -> StepRecord:
    """Record of a step's JSON; raises Serialization, saying what is wrong."""
    form = _decode(_step, text)
    return step_record(form, form.step_id)


def read_checkpoint(text: str | bytes) -> CheckpointRecord:
    """Record of a checkpoint's JSON; raises Serialization, saying what is wrong."""
    form = _decode(_checkpoint, text)
    return {
        "id": uuid_text(form.id, "id"),
        "workflow_state_id": uuid_text(form.workflow_state_id, "workflow_state_id"),
        "step_id": form.step_id,
        "timestamp": parse_instant(form.timestamp, "timestamp"),
        "version": form.version,
        "snapshot": state_record(form.snapshot),
    }


def _decode(decoder: msgspec.json.Decoder[_F], text: str | bytes) -> _F:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Serialization(str(error)) from error
    except RecursionError as error:
        raise Serialization("nested too deeply to be read") from error


def state_record(form: StateForm) -> StateRecord:
    """Record of a run."""
    return {
        "id": uuid_text(form.id, "id"),
        "workflow_id": form.workflow_id,
        "workflow_name": form.workflow_name,
        "user_id": form.user_id,
        "started_at": parse_instant(form.started_at, "started_at"),
        "labels": form.labels,
        "parent": parent_record(form.parent),
        "context": value_text(form.context, "context"),
        "context_ref": _reference(form.context_ref, "context_ref"),
        "status": _symbol(WorkflowStatus, form.status),
        "updated_at": parse_instant(form.updated_at, "updated_at"),
        "completed_at": optional_instant(form.completed_at, "completed_at"),
        "error": form.error,
        "error_type": form.error_type,
        "status_reason": form.status_reason,
        "version": form.version,
        "last_event_id": None if form.last_event_id is None else uuid_text(form.last_event_id, "last_event_id"),
        "recent_event_ids": _unhex(form.recent_event_ids, "recent_event_ids"),
        "fencing_token": form.fencing_token,
        "checkpoint_count": form.checkpoint_count,
        "output_count": form.output_count,
        "released_outputs": [{"n": output.n, "released": output.released} for output in form.released_outputs],
        "usage": form.usage,
        "steps": {step_id: step_record(step, step_id) for step_id, step in form.steps.items()},
    }


def step_record(form: StepForm, step_id: str) -> StepRecord:
    """Record of a step; the id it is filed under beats the one inside (the crate's rule)."""
    try:
        return {
            "step_id": step_id,
            "status": _symbol(StepStatus, form.status),
            "started_at": optional_instant(form.started_at, "started_at"),
            "completed_at": optional_instant(form.completed_at, "completed_at"),
            "outputs": optional_value_text(form.outputs, "outputs"),
            "error": form.error,
            "retry_count": form.retry_count,
            "attempt": form.attempt,
            "error_type": form.error_type,
            "status_reason": form.status_reason,
            "usage": form.usage,
            "outputs_ref": _reference(form.outputs_ref, "outputs_ref"),
        }
    except Serialization as error:
        raise Serialization(f"step {step_id!r}: {error}") from error


def parent_record(form: ParentForm | None) -> ParentRecord | None:
    """Record of the step that started a sub-workflow."""
    return None if form is None else {"id": uuid_text(form.id, "parent.id"), "step_id": form.step_id}


def uuid_text(text: str, name: str) -> str:
    """Canonical lower-case text of a UUID in any form that the crate reads: also braced, as a URN, or 32 digits."""
    if is_uuid(text):
        return text.lower()
    try:
        return str(UUID(text))
    except ValueError as error:
        raise Serialization(f"{name}: {text!r} is no UUID, expected one such as {_EXAMPLE}") from error


def value_text(value: msgspec.Raw, name: str) -> str:
    """The JSON value's text, as it stands in the input."""
    try:
        text = bytes(value).decode()
    except UnicodeDecodeError as error:
        raise Serialization(f"{name}: not UTF-8: {error.reason}") from error
    if problem := json_problem(text):
        raise Serialization(f"{name}: {problem}")
    return text


def optional_value_text(value: msgspec.Raw, name: str) -> str | None:
    """The JSON value's text, None for null."""
    text = value_text(value, name)
    return None if text == "null" else text


def optional_instant(text: str | None, name: str) -> int | None:
    """Microseconds since 1970 UTC, None for null."""
    return None if text is None else parse_instant(text, name)


def _symbol(statuses: type[WorkflowStatus | StepStatus], text: str) -> str:
    try:
        return statuses.parse(text).value
    except InvalidState as error:
        raise Serialization(str(error)) from error


def _reference(form: OutputRefForm | None, name: str) -> OutputRefRecord | None:
    if form is None:
        return None
    return {"n": form.n, "bytes": form.bytes, "sha256": _unhex(form.sha256, f"{name}.sha256"), "born": form.born}


def _unhex(digits: str, name: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise Serialization(f"{name}: {digits!r} is no text of hex digits") from error

"""What each kind of event does to a state, besides what every applied event does (see fold.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .json_values import merge_patch
from .limits import MAX_INT, MAX_LONG
from .records import EventRecord, ParentRecord, StateRecord, StepRecord

Effect = Callable[[Any, Any, EventRecord], StateRecord]
"""Takes the state (None where there is no run), the kind's fields and the event; returns the state."""


def _new_state(run_id: str, at: int) -> StateRecord:
    return {
        "id": run_id.lower(),
        "workflow_id": "",
        "workflow_name": "",
        "user_id": None,
        "started_at": at,
        "labels": {},
        "parent": None,
        "context": "{}",
        "context_ref": None,
        "status": "pending",
        "updated_at": at,
        "completed_at": None,
        "error": None,
        "error_type": None,
        "status_reason": None,
        "version": 0,
        "last_event_id": None,
        "recent_event_ids": b"",
        "fencing_token": None,
        "checkpoint_count": 0,
        "output_count": 0,
        "released_outputs": [],
        "usage": {},
        "steps": {},
    }


def _new_step(state: StateRecord, step_id: str) -> StepRecord:
    step: StepRecord = {
        "step_id": step_id,
        "status": "pending",
        "started_at": None,
        "completed_at": None,
        "outputs": None,
        "error": None,
        "retry_count": 0,
        "attempt": 0,
        "error_type": None,
        "status_reason": None,
        "usage": {},
        "outputs_ref": None,
    }
    state["steps"][step_id] = step
    return step


def _step_of(state: StateRecord, fields: Mapping[str, Any]) -> StepRecord:
    step_id = fields["step_id"]
    return state["steps"].get(step_id) or _new_step(state, step_id)


def _created(_none: None, fields: Mapping[str, Any], event: EventRecord) -> StateRecord:
    state = _new_state(event["run_id"], event["occurred_at"])
    state["workflow_id"] = fields["workflow_id"]
    state["workflow_name"] = fields["workflow_name"]
    state["user_id"] = fields["user_id"]
    state["context"] = fields["context"]
    state["labels"] = fields["labels"]
    state["parent"] = _canonical(fields["parent"])
    return state


def _canonical(parent: ParentRecord | None) -> ParentRecord | None:
    """With the run id as it is a key."""
    return parent and {"id": parent["id"].lower(), "step_id": parent["step_id"]}


def _nothing(state: StateRecord, _fields: Mapping[str, Any], _event: EventRecord) -> StateRecord:
    return state


def _paused(state: StateRecord, fields: Mapping[str, Any], _event: EventRecord) -> StateRecord:
    state["status_reason"] = fields["reason"]
    return state


def _resumed(state: StateRecord, _fields: Mapping[str, Any], _event: EventRecord) -> StateRecord:
    state["error"] = state["error_type"] = state["completed_at"] = None
    return state


def _completed(state: StateRecord, _fields: Mapping[str, Any], event: EventRecord) -> StateRecord:
    state["completed_at"] = event["occurred_at"]
    return state


def _failed(state: StateRecord, fields: Mapping[str, Any], event: EventRecord) -> StateRecord:
    state["completed_at"] = event["occurred_at"]
    state["error"] = fields["error"]
    state["error_type"] = fields["error_type"]
    return state


def _context_updated(state: StateRecord, fields: Mapping[str, Any], _event: EventRecord) -> StateRecord:
    state["context"] = merge_patch(state["context"], fields["patch"])
    return state


def _step_created(state: StateRecord, fields: Mapping[str, Any], _event: EventRecord) -> StateRecord:
    _new_step(state, fields["step_id"])
    return state


def _step_started(state: StateRecord, fields: Mapping[str, Any], event: EventRecord) -> StateRecord:
    step = _step_of(state, fields)
    step["status"] = "running"
    step["attempt"] = _next_attempt(step, fields["attempt"])
    step["started_at"] = event["occurred_at"]
    step["completed_at"] = step["outputs"] = step["error"] = step["error_type"] = step["status_reason"] = None
    return state


def _step_completed(state: StateRecord, fields: Mapping[str, Any], event: EventRecord) -> StateRecord:
    step = _end_step(state, fields, event, "completed")
    step["outputs"] = fields["outputs"]
    step["error"] = step["error_type"] = None
    return state


def _step_failed(state: StateRecord, fields: Mapping[str, Any], event: EventRecord) -> StateRecord:
    step = _end_step(state, fields, event, "failed")
    step["error"] = fields["error"]
    step["error_type"] = fields["error_type"]
    step["outputs"] = None
    return state


def _end_step(state: StateRecord, fields: Mapping[str, Any], event: EventRecord, status: str) -> StepRecord:
    step = _step_of(state, fields)
    attempt = fields["attempt"]
    if step["status"] != "running" or (attempt is not None and attempt > step["attempt"]):
        # its start was not recorded: when it began is not known
        step["attempt"] = _next_attempt(step, attempt)
        step["started_at"] = None
    step["status"] = status
    step["completed_at"] = event["occurred_at"]
    step["status_reason"] = None
    if usage := fields["usage"]:
        _add(step["usage"], usage)
        _add(state["usage"], usage)
    return step


def _next_attempt(step: StepRecord, given: int | None) -> int:
    return given if given is not None else min(step["attempt"] + 1, MAX_INT)


def _add(sums: dict[str, int], usage: Mapping[str, int]) -> None:
    for name, number in usage.items():
        sums[name] = min(sums.get(name, 0) + number, MAX_LONG)


def _step_retried(state: StateRecord, fields: Mapping[str, Any], _event: EventRecord) -> StateRecord:
    step = state["steps"][fields["step_id"]]
    step["status"] = "pending"
    step["retry_count"] = min(step["retry_count"] + 1, MAX_INT)
    step["attempt"] = max(step["attempt"], fields["attempt"] or 0)
    step["status_reason"] = None
    return state


def _step_skipped(state: StateRecord, fields: Mapping[str, Any], event: EventRecord) -> StateRecord:
    step = _step_of(state, fields)
    step["status"] = "skipped"
    step["completed_at"] = event["occurred_at"]
    step["status_reason"] = fields["reason"]
    return state


def _saved(state: StateRecord | None, fields: Mapping[str, Any], event: EventRecord) -> StateRecord:
    given: StateRecord = fields["state"]
    state = _replace(state or _new_state(event["run_id"], event["occurred_at"]), given)
    state["updated_at"] = given["updated_at"]
    return state


def _restored(state: StateRecord, fields: Mapping[str, Any], _event: EventRecord) -> StateRecord:
    return _replace(state, fields["snapshot"])


_REPLACED = (
    "workflow_id", "workflow_name", "user_id", "status", "started_at", "completed_at", "context", "context_ref",
    "error", "error_type", "status_reason", "labels", "usage",
)  # fmt: skip


def _replace(state: StateRecord, given: StateRecord) -> StateRecord:
    """Everything of the given state but what counts this run's events: version, window, token, counters."""
    for name in _REPLACED:
        state[name] = given[name]  # type: ignore[literal-required] # the names are the table's, all of them fields
    state["parent"] = _canonical(given["parent"])
    old = state["steps"]
    state["steps"] = given["steps"]
    for step_id, step in given["steps"].items():
        step["step_id"] = step_id
        if step_id in old:
            step["attempt"] = max(step["attempt"], old[step_id]["attempt"])
    return state


EFFECTS: dict[str, Effect] = {
    "WorkflowCreated": _created,
    "WorkflowStarted": _nothing,
    "WorkflowPaused": _paused,
    "WorkflowResumed": _resumed,
    "WorkflowCompleted": _completed,
    "WorkflowFailed": _failed,
    "ContextUpdated": _context_updated,
    "StepCreated": _step_created,
    "StepStarted": _step_started,
    "StepCompleted": _step_completed,
    "StepFailed": _step_failed,
    "StepRetried": _step_retried,
    "StepSkipped": _step_skipped,
    "StepHeartbeat": _nothing,
    "CheckpointRequested": _nothing,
    "CheckpointsTrimmed": _nothing,
    "WorkflowSaved": _saved,
    "WorkflowRestored": _restored,
}

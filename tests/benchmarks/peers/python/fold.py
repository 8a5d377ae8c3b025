"""The product's fold, for the kinds of events that the workloads have: the same checks in the same order, and the same
effects. A duplicate or an illegal event leaves the state as it is.

States are plain dicts that can be written as JSON, for that is how Quix Streams and Faust keep them.
"""

from __future__ import annotations

from typing import Any

ID_DIGITS = 16
WINDOW_DIGITS = 32 * ID_DIGITS
HALF = 0xFFFF_FFFF_FFFF_FFFF

Fields = dict[str, Any]


def fold(state: Fields | None, event: Fields) -> Fields | None:
    """Changes the given state (None: there is no run) and returns it."""
    name, fields = event["transition"]
    kind = name.rpartition(".")[2]
    short = None
    if fields.get("attempt") is None:
        short = _short_id(event["event_id"])
        if state is not None and _remembers(state["recent_event_ids"], short):
            return state
    if kind == "WorkflowCreated":
        if state is not None or event["expected_version"] not in {None, 0}:
            return state
        state = _created(event, fields)
    elif state is None or _fenced(state, event) or not _APPLY[kind](state, fields, event):
        return state
    state["version"] += 1
    state["last_event_id"] = event["event_id"].lower()
    state["updated_at"] = max(state["updated_at"], event["occurred_at"])
    if event["fencing_token"] is not None:
        state["fencing_token"] = event["fencing_token"]
    if short:
        state["recent_event_ids"] = (state["recent_event_ids"] + short)[-WINDOW_DIGITS:]
    return state


def _short_id(event_id: str) -> str:
    """8 bytes that stand for an event's id, in hexadecimal: the XOR of its halves."""
    number = int(event_id.replace("-", ""), 16)
    return f"{(number >> 64) ^ (number & HALF):016x}"


def _remembers(window: str, short: str) -> bool:
    return any(window[at : at + ID_DIGITS] == short for at in range(0, len(window), ID_DIGITS))


def _fenced(state: Fields, event: Fields) -> bool:
    token, highest = event["fencing_token"], state["fencing_token"]
    return token is not None and highest is not None and token < highest


def _unexpected(state: Fields, event: Fields) -> bool:
    return event["expected_version"] not in {None, state["version"]}


def _created(event: Fields, fields: Fields) -> Fields:
    at = event["occurred_at"]
    return {
        "id": event["run_id"].lower(),
        "workflow_id": fields["workflow_id"],
        "workflow_name": fields["workflow_name"],
        "user_id": fields["user_id"],
        "started_at": at,
        "labels": fields["labels"],
        "parent": fields["parent"],
        "context": fields["context"],
        "context_ref": None,
        "status": "pending",
        "updated_at": at,
        "completed_at": None,
        "error": None,
        "error_type": None,
        "status_reason": None,
        "version": 0,
        "last_event_id": None,
        "recent_event_ids": "",
        "fencing_token": None,
        "checkpoint_count": 0,
        "output_count": 0,
        "released_outputs": [],
        "usage": {},
        "steps": {},
    }


def _started(state: Fields, _fields: Fields, event: Fields) -> bool:
    if _unexpected(state, event) or state["status"] != "pending":
        return False
    state["status"], state["status_reason"] = "running", None
    return True


def _completed(state: Fields, _fields: Fields, event: Fields) -> bool:
    if _unexpected(state, event) or state["status"] not in {"pending", "running", "paused"}:
        return False
    state["status"], state["status_reason"] = "completed", None
    state["completed_at"] = event["occurred_at"]
    return True


def _step_started(state: Fields, fields: Fields, event: Fields) -> bool:
    attempt, step = fields["attempt"], state["steps"].get(fields["step_id"])
    if attempt is not None and step is not None and attempt <= step["attempt"]:
        return False
    if _unexpected(state, event) or state["status"] not in {"running", "paused"}:
        return False
    step = step or _new_step(state, fields["step_id"])
    step["status"] = "running"
    step["attempt"] = step["attempt"] + 1 if attempt is None else attempt
    step["started_at"] = event["occurred_at"]
    step["completed_at"] = step["outputs"] = step["error"] = step["error_type"] = step["status_reason"] = None
    return True


def _step_completed(state: Fields, fields: Fields, event: Fields) -> bool:
    attempt, step = fields["attempt"], state["steps"].get(fields["step_id"])
    if attempt is not None and step is not None and _is_settled(step, attempt):
        return False
    in_flight = state["status"] == "failed" and step is not None and step["status"] == "running"
    if _unexpected(state, event) or not (state["status"] in {"running", "paused"} or in_flight):
        return False
    step = step or _new_step(state, fields["step_id"])
    if step["status"] != "running" or (attempt is not None and attempt > step["attempt"]):
        step["attempt"] = step["attempt"] + 1 if attempt is None else attempt
        step["started_at"] = None
    step["status"] = "completed"
    step["completed_at"] = event["occurred_at"]
    step["outputs"] = fields["outputs"]
    step["status_reason"] = step["error"] = step["error_type"] = None
    for used, number in fields["usage"].items():
        for sums in (step["usage"], state["usage"]):
            sums[used] = sums.get(used, 0) + number
    return True


def _is_settled(step: Fields, attempt: int) -> bool:
    """Whether an outcome of this attempt is too late, or there already."""
    if attempt != step["attempt"]:
        return bool(attempt < step["attempt"])
    return step["status"] in {"pending", "completed", "failed"}


def _new_step(state: Fields, step_id: str) -> Fields:
    step: Fields = {
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


_APPLY = {
    "WorkflowStarted": _started,
    "WorkflowCompleted": _completed,
    "StepStarted": _step_started,
    "StepCompleted": _step_completed,
}

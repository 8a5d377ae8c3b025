"""What can be wrong with an event by itself, whatever the run's state: invalid_payload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ids import is_uuid
from .json_values import json_problem
from .limits import MAX_INSTANT, MAX_INT, MIN_INSTANT
from .records import EventRecord
from .transitions import ANY_STEP, EXISTING, NO_STEP

Check = Callable[[Any], str | None]
"""Takes a value, returns what is wrong with it, without its name."""


def payload_problem(event: EventRecord, *, known_run: bool = False) -> str | None:
    """What is wrong with the event, in one line; None if nothing is.

    known_run: its run_id is that of a state, and so needs no look.
    """
    if not is_uuid(event["event_id"]):
        return f"event_id: no UUID text: {event['event_id'][:60]!r}"
    if not known_run and not is_uuid(event["run_id"]):
        return f"run_id: no UUID text: {event['run_id'][:60]!r}"
    if not MIN_INSTANT <= event["occurred_at"] <= MAX_INSTANT:
        return f"occurred_at: {_instant(event['occurred_at'])}"
    expected = event["expected_version"]
    if expected is not None and expected < 0:
        return f"expected_version: {_count(expected)}"
    kind, fields = event["transition"]
    for name, check in _FIELDS[kind]:
        if (value := fields[name]) is not None and (problem := check(value)):
            return f"{name}: {problem}"
    if kind in _REPLACED_BY:
        replacement = fields[_REPLACED_BY[kind]]["id"]
        if replacement.lower() != event["run_id"].lower():
            return f"{_REPLACED_BY[kind]}: is of run {replacement}, the event of run {event['run_id']}"
    return None


def _uuid(text: str) -> str | None:
    return None if is_uuid(text) else f"no UUID text: {text[:60]!r}"


def _instant(micros: int) -> str | None:
    return None if MIN_INSTANT <= micros <= MAX_INSTANT else f"{micros} µs is outside the years 1 to 9999"


def _attempt(number: int) -> str | None:
    return None if 1 <= number <= MAX_INT else f"{number}, and the first attempt is 1"


def _count(number: int) -> str | None:
    return None if number >= 0 else f"{number} is negative"


def _small_count(number: int) -> str | None:
    # another schema's reader lets an int through that is none, and the state could then never be read again
    return None if 0 <= number <= MAX_INT else f"{number} is not from 0 to {MAX_INT}"


def _usage(usage: dict[str, int]) -> str | None:
    for name, number in usage.items():
        if problem := _count(number):
            return f"{name[:60]!r}: {problem}"
    return None


def _parent(parent: dict[str, str]) -> str | None:
    return _uuid(parent["id"])


def _gone(_ref: Any) -> str | None:
    return "refers to an output that does not exist: this topic set keeps everything inline"


def _status(allowed: frozenset[str]) -> Check:
    return lambda status: None if status in allowed else f"{status!r} is no status that can be stored"


def _step(step: dict[str, Any]) -> str | None:
    return _first_problem(step, _STEP_FIELDS)


def _steps(steps: dict[str, dict[str, Any]]) -> str | None:
    for step_id, step in steps.items():
        if problem := _step(step):
            return f"step {step_id[:60]!r}: {problem}"
    return None


def _state(state: dict[str, Any]) -> str | None:
    return _first_problem(state, _STATE_FIELDS)


def _first_problem(record: dict[str, Any], checks: tuple[tuple[str, Check], ...]) -> str | None:
    for name, check in checks:
        if (value := record[name]) is not None and (problem := check(value)):
            return f"{name}: {problem}"
    return None


_STEP_FIELDS: tuple[tuple[str, Check], ...] = (
    ("status", _status(ANY_STEP - {NO_STEP})),
    ("started_at", _instant),
    ("completed_at", _instant),
    ("outputs", json_problem),
    ("retry_count", _small_count),
    ("attempt", _small_count),
    ("usage", _usage),
    ("outputs_ref", _gone),
)
_STATE_FIELDS: tuple[tuple[str, Check], ...] = (
    ("id", _uuid),
    ("status", _status(EXISTING)),
    ("started_at", _instant),
    ("updated_at", _instant),
    ("completed_at", _instant),
    ("context", json_problem),
    ("context_ref", _gone),
    ("parent", _parent),
    ("last_event_id", _uuid),
    ("version", _count),
    ("checkpoint_count", _count),
    ("output_count", _count),
    ("usage", _usage),
    ("steps", _steps),
)
_REPLACED_BY = {"WorkflowSaved": "state", "WorkflowRestored": "snapshot"}
_FIELDS: dict[str, tuple[tuple[str, Check], ...]] = {
    "WorkflowCreated": (("context", json_problem), ("parent", _parent)),
    "WorkflowStarted": (),
    "WorkflowPaused": (),
    "WorkflowResumed": (),
    "WorkflowCompleted": (),
    "WorkflowFailed": (),
    "ContextUpdated": (("patch", json_problem),),
    "StepCreated": (),
    "StepStarted": (("attempt", _attempt), ("inputs", json_problem)),
    "StepCompleted": (("attempt", _attempt), ("outputs", json_problem), ("usage", _usage)),
    "StepFailed": (("attempt", _attempt), ("usage", _usage)),
    "StepRetried": (("attempt", _attempt),),
    "StepSkipped": (),
    "StepHeartbeat": (("attempt", _attempt),),
    "CheckpointRequested": (("checkpoint_id", _uuid), ("timestamp", _instant), ("snapshot", _state)),
    "CheckpointsTrimmed": (("keep", _count),),
    "WorkflowSaved": (("state", _state),),
    "WorkflowRestored": (("checkpoint_id", _uuid), ("snapshot", _state)),
    "WorkflowDeleted": (),
}

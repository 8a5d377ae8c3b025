"""What can be wrong with an event by itself, whatever the run's state: invalid_payload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from .ids import is_uuid
from .json_values import json_problem
from .limits import MAX_INSTANT, MAX_INT, MIN_INSTANT
from .records import EventRecord, StateRecord
from .referring import GIVEN_STATES, NO_TEXT, references
from .transitions import ANY_STEP, EXISTING, NO_STEP

SHA256_BYTES = 32

Check = Callable[[Any], str | None]
"""Takes a value, returns what is wrong with it, without its name."""


def payload_problem(event: EventRecord, *, known_run: bool = False, all_inline: bool = False) -> str | None:
    """What is wrong with the event, in one line; None if nothing is.

    known_run: its run_id is that of a state, and so needs no look. all_inline: there are no outputs to refer to, whatever
    the run's state is.
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
    if (
        all_inline
        and (given := GIVEN_STATES.get(kind))
        and fields[given]
        and (where := _first_reference(fields[given]))
    ):
        return f"{given}: {where}: refers to an output that does not exist: this topic set keeps everything inline"
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


def _reference(ref: dict[str, Any]) -> str | None:
    if ref["n"] < 1 or ref["bytes"] < 0 or ref["born"] < 0 or len(ref["sha256"]) != SHA256_BYTES:
        return "is no reference to an output: n is at least 1, bytes and born at least 0, sha256 has 32 bytes"
    return None


def _first_reference(state: dict[str, Any]) -> str | None:
    """Where it is."""
    if state["context_ref"] is not None:
        return "context_ref"
    found = [step_id for step_id, step in state["steps"].items() if step["outputs_ref"] is not None]
    return f"steps: step {found[0][:60]!r}: outputs_ref" if found else None


def _status(allowed: frozenset[str]) -> Check:
    return lambda status: None if status in allowed else f"{status!r} is no status that can be stored"


def _step(step: dict[str, Any]) -> str | None:
    if problem := _first_problem(step, _STEP_FIELDS):
        return problem
    if step["outputs_ref"] is not None and step["outputs"] is not None:
        return "outputs_ref: there are outputs beside it, and one of the two is right"
    return None


def _steps(steps: dict[str, dict[str, Any]]) -> str | None:
    for step_id, step in steps.items():
        if problem := _step(step):
            return f"step {step_id[:60]!r}: {problem}"
    return None


def _state(state: dict[str, Any]) -> str | None:
    if problem := _first_problem(state, _STATE_FIELDS):
        return problem
    if state["context_ref"] is not None and state["context"] != NO_TEXT:
        return f"context_ref: there is a context beside it, and not {NO_TEXT}"
    named: set[int] = set()
    for ref, _ in references(cast(StateRecord, state)):
        if ref["n"] in named:
            return f"refers to output {ref['n']} in two places"
        named.add(ref["n"])
    return None


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
    ("outputs_ref", _reference),
)
_STATE_FIELDS: tuple[tuple[str, Check], ...] = (
    ("id", _uuid),
    ("status", _status(EXISTING)),
    ("started_at", _instant),
    ("updated_at", _instant),
    ("completed_at", _instant),
    ("context", json_problem),
    ("context_ref", _reference),
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

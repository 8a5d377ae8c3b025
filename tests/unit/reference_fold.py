"""A second fold, written from the rules' text alone: slow, plain, and sharing nothing with the first.

It copies where the first changes in place, asks one question after the other where the first has tables, and keeps the
window as a list of numbers.
"""

from __future__ import annotations

import copy
import json
import re
import uuid
from typing import Any

from tests.unit import reference_outputs
from tests.unit.reference_outputs import Texts

State = dict[str, Any]

STEP_KINDS = {
    "StepCreated",
    "StepStarted",
    "StepCompleted",
    "StepFailed",
    "StepRetried",
    "StepSkipped",
    "StepHeartbeat",
}
LARGEST = 2**63 - 1


def judge(
    before: State | None, event: dict[str, Any], policy: str, limit: int | None = None, texts: Texts | None = None
) -> tuple[str, State | None]:
    """The verdict in a word, and the state after it: a new one, or the given one if nothing is applied.

    limit: beyond which values go out, to texts, which has those of this run.
    """
    kind, fields = event["transition"]
    texts = {} if texts is None else texts
    verdict = _verdict(before, event, kind, fields, texts)
    if verdict != "applied":
        return verdict, before
    event = copy.deepcopy(event)
    after = _after(_with_context(before, kind, texts), event, kind)
    if after is None:
        texts.clear()
        return "applied", None
    if limit is not None:
        reference_outputs.settle(before, after, event, limit, texts)
    after["version"] = (before["version"] if before else 0) + 1
    after["last_event_id"] = event["event_id"].lower()
    if kind != "WorkflowSaved":
        after["updated_at"] = max(before["updated_at"] if before else event["occurred_at"], event["occurred_at"])
    if event["fencing_token"] is not None:
        after["fencing_token"] = event["fencing_token"]
    if fields.get("attempt") is None:
        window = [*_window(before), _short(event)][-32:]
        after["recent_event_ids"] = b"".join(number.to_bytes(8, "big") for number in window)
    wants = {"step": ("StepCompleted", "CheckpointRequested"), "requested": ("CheckpointRequested",), "off": ()}[policy]
    if kind in wants:
        after["checkpoint_count"] += 1
        if limit is not None:
            reference_outputs.after_checkpoint(after, event["transition"][1].get("snapshot"), limit, texts)
    return "applied", after


def _with_context(before: State | None, kind: str, texts: Texts) -> State | None:
    run = copy.deepcopy(before)
    if run is not None and kind == "ContextUpdated" and run["context_ref"] is not None:
        run["context"] = texts[run["context_ref"]["n"]]
    return run


# --- verdicts --------------------------------------------------------------------------------------------------------


def _verdict(run: State | None, event: dict[str, Any], kind: str, fields: dict[str, Any], texts: Texts) -> str:
    if fields.get("attempt") is None and _short(event) in _window(run):
        return "duplicate"
    if run is None and kind not in ("WorkflowCreated", "WorkflowSaved"):
        return "unknown_run"
    if run is not None and kind == "WorkflowCreated":
        return "run_exists"
    token = event["fencing_token"]
    if run is not None and token is not None and run["fencing_token"] is not None and token < run["fencing_token"]:
        return "fenced"
    if run is not None and fields.get("attempt") is not None:
        by_attempt = _by_attempt(run["steps"].get(fields["step_id"]), kind, fields["attempt"])
        if by_attempt is not None:
            return by_attempt
    if event["expected_version"] is not None and event["expected_version"] != (run["version"] if run else 0):
        return "version_conflict"
    if run is not None and not _legal(run, event, kind, fields):
        return "illegal_transition"
    given = fields.get("state") or fields.get("snapshot")
    return "applied" if reference_outputs.all_there(run, given, texts) else "illegal_transition"


def _by_attempt(step: State | None, kind: str, attempt: int) -> str | None:
    if step is None or attempt > step["attempt"]:
        return None
    if attempt < step["attempt"]:
        return "stale_attempt"
    if kind == "StepHeartbeat":
        return None
    if kind == "StepStarted":
        return "duplicate"
    if step["status"] == "pending":
        return "stale_attempt" if kind == "StepCompleted" else "duplicate"
    if kind == "StepCompleted" and step["status"] in ("completed", "failed"):
        return "duplicate" if step["status"] == "completed" else "illegal_transition"
    if kind == "StepFailed" and step["status"] in ("completed", "failed"):
        return "duplicate" if step["status"] == "failed" else "illegal_transition"
    return None


def _legal(run: State, event: dict[str, Any], kind: str, fields: dict[str, Any]) -> bool:
    status = run["status"]
    is_open = status in ("pending", "running", "paused")
    is_active = status in ("running", "paused")
    if kind in ("CheckpointRequested", "CheckpointsTrimmed", "WorkflowSaved", "WorkflowRestored", "WorkflowDeleted"):
        return True
    if kind == "WorkflowStarted":
        return bool(status == "pending")
    if kind == "WorkflowPaused":
        return status in ("pending", "running")
    if kind == "WorkflowResumed":
        if status == "failed":
            return run["completed_at"] is None or event["occurred_at"] >= run["completed_at"]
        return is_active
    if kind in ("WorkflowCompleted", "WorkflowFailed", "ContextUpdated"):
        return is_open
    step = run["steps"].get(fields["step_id"])
    step_status = step["status"] if step else None
    if kind == "StepCreated":
        return is_open and step is None
    if kind == "StepStarted":
        return is_active
    if kind in ("StepCompleted", "StepFailed"):
        return is_active or (status == "failed" and step_status == "running")
    if kind == "StepRetried":
        return is_active and step_status in ("failed", "running")
    if kind == "StepSkipped":
        return is_open and step_status in (None, "pending", "running")
    assert kind == "StepHeartbeat"
    return is_active and step_status == "running"


def _short(event: dict[str, Any]) -> int:
    number = uuid.UUID(event["event_id"]).int
    return (number // 2**64) ^ (number % 2**64)


def _window(run: State | None) -> list[int]:
    encoded = run["recent_event_ids"] if run else b""
    return [int.from_bytes(encoded[at : at + 8], "big") for at in range(0, len(encoded), 8)]


# --- effects ---------------------------------------------------------------------------------------------------------


def _after(run: State | None, event: dict[str, Any], kind: str) -> State | None:
    fields, at = event["transition"][1], event["occurred_at"]
    if kind == "WorkflowDeleted":
        return None
    if run is None:
        run = _new_run(event)
    if kind == "WorkflowCreated":
        run.update(fields)
    elif kind in ("WorkflowSaved", "WorkflowRestored"):
        _replace(run, fields.get("state") or fields.get("snapshot"), saved=kind == "WorkflowSaved")
    elif kind == "ContextUpdated":
        run["context"] = merge(run["context"], fields["patch"])
    elif kind in STEP_KINDS:
        _step_after(run, kind, fields, at)
    elif kind.startswith("Workflow"):
        _run_after(run, kind, fields, at)
    return run


def _run_after(run: State, kind: str, fields: dict[str, Any], at: int) -> None:
    run["status_reason"] = None
    if kind == "WorkflowPaused":
        run["status"], run["status_reason"] = "paused", fields["reason"]
    elif kind == "WorkflowCompleted":
        run["status"], run["completed_at"] = "completed", at
    elif kind == "WorkflowFailed":
        run["status"], run["completed_at"] = "failed", at
        run["error"], run["error_type"] = fields["error"], fields["error_type"]
    elif kind == "WorkflowResumed":
        run["error"] = run["error_type"] = run["completed_at"] = None
        run["status"] = "running"
    else:
        assert kind == "WorkflowStarted"
        run["status"] = "running"


def _step_after(run: State, kind: str, fields: dict[str, Any], at: int) -> None:
    name = fields["step_id"]
    if kind == "StepHeartbeat":
        return
    if name not in run["steps"]:
        run["steps"][name] = {
            "step_id": name, "status": "pending", "started_at": None, "completed_at": None, "outputs": None,
            "error": None, "retry_count": 0, "attempt": 0, "error_type": None, "status_reason": None, "usage": {},
            "outputs_ref": None,
        }  # fmt: skip
    step, attempt = run["steps"][name], fields.get("attempt")
    step["status_reason"] = None
    if kind == "StepStarted":
        step["attempt"] = step["attempt"] + 1 if attempt is None else attempt
        step["status"], step["started_at"] = "running", at
        for cleared in ("completed_at", "outputs", "error", "error_type"):
            step[cleared] = None
    elif kind in ("StepCompleted", "StepFailed"):
        if step["status"] != "running":
            step["attempt"] = step["attempt"] + 1 if attempt is None else attempt
            step["started_at"] = None
        elif attempt is not None and attempt > step["attempt"]:
            step["attempt"] = attempt
            step["started_at"] = None
        step["completed_at"] = at
        step["status"] = "completed" if kind == "StepCompleted" else "failed"
        step["outputs"] = fields.get("outputs")
        step["error"], step["error_type"] = fields.get("error"), fields.get("error_type")
        for total in (step["usage"], run["usage"]):
            for unit, amount in fields["usage"].items():
                total[unit] = min(total.get(unit, 0) + amount, LARGEST)
    elif kind == "StepRetried":
        step["status"], step["retry_count"] = "pending", step["retry_count"] + 1
        if attempt is not None and attempt > step["attempt"]:
            step["attempt"] = attempt
    elif kind == "StepSkipped":
        step["status"], step["completed_at"], step["status_reason"] = "skipped", at, fields["reason"]


def _replace(run: State, given: State, *, saved: bool) -> None:
    attempts = {name: step["attempt"] for name, step in run["steps"].items()}
    ours = {
        "id", "version", "last_event_id", "recent_event_ids", "fencing_token", "checkpoint_count", "output_count",
        "released_outputs",
    }  # fmt: skip
    for name, value in given.items():
        if name not in ours and (saved or name != "updated_at"):
            run[name] = value
    for name, step in run["steps"].items():
        step["step_id"] = name
        step["attempt"] = max(step["attempt"], attempts.get(name, 0))


def _new_run(event: dict[str, Any]) -> State:
    at = event["occurred_at"]
    return {
        "id": event["run_id"].lower(), "workflow_id": "", "workflow_name": "", "user_id": None, "started_at": at,
        "labels": {}, "parent": None, "context": "{}", "context_ref": None, "status": "pending", "updated_at": at,
        "completed_at": None, "error": None, "error_type": None, "status_reason": None, "version": 0,
        "last_event_id": None, "recent_event_ids": b"", "fencing_token": None, "checkpoint_count": 0,
        "output_count": 0, "released_outputs": [], "usage": {}, "steps": {},
    }  # fmt: skip


# --- merge patch -----------------------------------------------------------------------------------------------------


def merge(target: str, patch: str) -> str:
    """RFC 7396 on texts; numbers travel as strings that nothing else looks like."""

    def number(text: str) -> str:
        return f"\ue000{text}\ue001"

    def read(text: str) -> Any:
        return json.loads(text, parse_int=number, parse_float=number)

    def merged(one: Any, other: Any) -> Any:
        if not isinstance(other, dict):
            return other
        result = dict(one) if isinstance(one, dict) else {}
        for key in other:
            if other[key] is None:
                result = {name: value for name, value in result.items() if name != key}
            else:
                result[key] = merged(result.get(key), other[key])
        return result

    text = json.dumps(merged(read(target), read(patch)), ensure_ascii=False, separators=(",", ":"))
    return re.sub('"\ue000(.*?)\ue001"', r"\1", text)

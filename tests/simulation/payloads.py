"""Fields of events by kind, drawn from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random
from typing import Any

BEGIN = 1_767_605_400_000_000
"""The first event's instant, in microseconds since 1970."""

STEPS = ("fetch", "answer", "judge[0]")
JSON = ("{}", '{"a":1,"b":{"c":[1,2.50]}}', '{"a":null,"d":"é"}', '"text"', "[1]", "17")

LARGE = JSON[1:3]
"""That go out where they are a context: by themselves, or where a step has something."""

Fields = dict[str, Any]


def uuid_text(rng: Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def json_text(rng: Random, largest: int) -> str:
    """A JSON value; where `largest` is not 0, sometimes one of up to so many characters."""
    if largest and rng.random() < 0.4:
        return '"' + "x" * rng.randrange(largest) + '"'
    return rng.choice(JSON)


def run_fields(kind: str, rng: Random, run_id: str, now: int, largest: int = 0) -> Fields:
    """Of every kind that is not about a step; `now` in microseconds, `largest` as json_text() takes it."""
    make = _BY_KIND.get(kind)
    return make(rng, run_id, now, largest) if make is not None else {}


def _created(rng: Random, run_id: str, now: int, largest: int) -> Fields:
    parent = {"id": uuid_text(rng), "step_id": "spawn"} if rng.random() < 0.2 else None
    return {"workflow_id": "triage", "workflow_name": "Ticket triage", "user_id": None,
            "context": json_text(rng, largest), "labels": {"team": "a"}, "parent": parent}  # fmt: skip


def _checkpoint_requested(rng: Random, run_id: str, now: int, largest: int) -> Fields:
    if rng.random() < 0.7:
        return {"step_id": "manual", "checkpoint_id": None, "timestamp": None, "snapshot": None}
    snapshot = state(rng, run_id, now, largest)
    return {"step_id": "manual", "checkpoint_id": uuid_text(rng), "timestamp": now, "snapshot": snapshot}


def state(rng: Random, run_id: str, now: int, largest: int) -> Fields:
    """A complete WorkflowState record with one step."""
    step = {"step_id": STEPS[0], "status": "completed", "started_at": BEGIN, "completed_at": BEGIN + 5,
            "outputs": "1", "error": None, "retry_count": 0, "attempt": 1, "error_type": None,
            "status_reason": None, "usage": {}, "outputs_ref": None}  # fmt: skip
    ref = _reference(rng) if rng.random() < 0.4 else None
    context = json_text(rng, largest) if ref is None else "null"
    return {
        "id": run_id, "workflow_id": "triage", "workflow_name": "Ticket triage", "user_id": "u", "started_at": BEGIN,
        "labels": {}, "parent": None, "context": context, "context_ref": ref,
        "status": rng.choice(("pending", "running", "completed")), "updated_at": now,
        "completed_at": None, "error": None, "error_type": None, "status_reason": None, "version": 3,
        "last_event_id": None, "recent_event_ids": b"", "fencing_token": None, "checkpoint_count": 7,
        "output_count": 0, "released_outputs": [], "usage": {}, "steps": {STEPS[0]: step},
    }  # fmt: skip


def _reference(rng: Random) -> Fields:
    """To a context that is perhaps there: of these the text is compared, so what is taken for one is one."""
    value = rng.choice(LARGE).encode()
    sha256 = hashlib.sha256(value).digest()
    return {"n": rng.randrange(1, 5), "bytes": len(value), "sha256": sha256, "born": rng.randrange(20)}


_BY_KIND: dict[str, Callable[[Random, str, int, int], Fields]] = {
    "WorkflowCreated": _created,
    "WorkflowPaused": lambda rng, run_id, now, largest: {"reason": "asked a person"},
    "WorkflowFailed": lambda rng, run_id, now, largest: {"error": "gave up", "error_type": "cancelled"},
    "ContextUpdated": lambda rng, run_id, now, largest: {"patch": json_text(rng, largest)},
    "CheckpointsTrimmed": lambda rng, run_id, now, largest: {"keep": rng.choice((0, 1, 3))},
    "CheckpointRequested": _checkpoint_requested,
    "WorkflowSaved": lambda rng, run_id, now, largest: {"state": state(rng, run_id, now, largest)},
    "WorkflowRestored": lambda rng, run_id, now, largest: {
        "checkpoint_id": uuid_text(rng),
        "snapshot": state(rng, run_id, now, largest),
    },
}

"""Event and state records for tests, with all that a test does not care about filled in."""

from __future__ import annotations

import copy
import itertools
import uuid
from typing import Any, cast

from llm_orchestrator_state.model.fold import fold
from llm_orchestrator_state.model.placement import Placement, Written
from llm_orchestrator_state.model.records import EventRecord, StateRecord, StepRecord
from llm_orchestrator_state.model.verdicts import Rejection, Verdict

RUN = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
OTHER_RUN = "0e9a2c44-17f0-4f0e-b3a1-2d5e8c9b7a60"
T0 = 1_767_605_400_000_000
"""2026-01-05T09:30:00Z"""

_numbers = itertools.count(1)

FIELDS: dict[str, dict[str, Any]] = {
    "WorkflowCreated": {
        "workflow_id": "triage", "workflow_name": "Ticket triage", "user_id": None, "context": "{}", "labels": {},
        "parent": None,
    },
    "WorkflowStarted": {},
    "WorkflowPaused": {"reason": None},
    "WorkflowResumed": {},
    "WorkflowCompleted": {},
    "WorkflowFailed": {"error": "gave up", "error_type": None},
    "ContextUpdated": {"patch": "{}"},
    "StepCreated": {"step_id": "a"},
    "StepStarted": {"step_id": "a", "attempt": None, "inputs": None},
    "StepCompleted": {"step_id": "a", "attempt": None, "outputs": None, "usage": {}},
    "StepFailed": {"step_id": "a", "attempt": None, "error": "broke", "error_type": None, "usage": {}},
    "StepRetried": {"step_id": "a", "attempt": None},
    "StepSkipped": {"step_id": "a", "reason": None},
    "StepHeartbeat": {"step_id": "a", "attempt": None},
    "CheckpointRequested": {"step_id": "a", "checkpoint_id": None, "timestamp": None, "snapshot": None},
    "CheckpointsTrimmed": {"keep": 0},
    "WorkflowSaved": {"state": None},
    "WorkflowRestored": {"checkpoint_id": "00000000-0000-4000-8000-0000000000cc", "snapshot": None},
    "WorkflowDeleted": {},
}  # fmt: skip
"""Every kind's fields, in the schema's order."""


def an_id() -> str:
    """An event id that no other call gives, nor histories.py."""
    return str(uuid.UUID(int=0xE1 << 112 | next(_numbers)))


def event(
    kind: str, *, at: int = T0, id: str | None = None, run: str = RUN, token: int | None = None,  # noqa: A002
    expected: int | None = None, **fields: Any,
) -> EventRecord:  # fmt: skip
    """An event record; Saved and Restored carry a plain running state unless another is given."""
    assert fields.keys() <= FIELDS[kind].keys(), f"{kind} has no field {fields.keys() - FIELDS[kind].keys()}"
    whole = copy.deepcopy({**FIELDS[kind], **fields})
    for name in ("state", "snapshot"):
        if kind in ("WorkflowSaved", "WorkflowRestored") and name in whole and whole[name] is None:
            whole[name] = state(id=run)
    return {
        "event_id": id or an_id(),
        "run_id": run,
        "occurred_at": at,
        "expected_version": expected,
        "fencing_token": token,
        "transition": (kind, whole),
    }


def step(step_id: str = "a", status: str = "pending", **fields: Any) -> StepRecord:
    """A step record."""
    plain: dict[str, Any] = {
        "step_id": step_id, "status": status, "started_at": None, "completed_at": None, "outputs": None, "error": None,
        "retry_count": 0, "attempt": 0, "error_type": None, "status_reason": None, "usage": {}, "outputs_ref": None,
    }  # fmt: skip
    assert fields.keys() <= plain.keys()
    return cast(StepRecord, {**plain, **copy.deepcopy(fields)})


def state(status: str = "running", *steps: StepRecord, **fields: Any) -> StateRecord:
    """A state record; the steps are filed under their own ids."""
    plain: dict[str, Any] = {
        "id": RUN, "workflow_id": "triage", "workflow_name": "Ticket triage", "user_id": None, "started_at": T0,
        "labels": {}, "parent": None, "context": "{}", "context_ref": None, "status": status, "updated_at": T0,
        "completed_at": None, "error": None, "error_type": None, "status_reason": None, "version": 1,
        "last_event_id": None, "recent_event_ids": b"", "fencing_token": None, "checkpoint_count": 0,
        "output_count": 0, "released_outputs": [], "usage": {}, "steps": {one["step_id"]: one for one in steps},
    }  # fmt: skip
    assert fields.keys() <= plain.keys()
    return cast(StateRecord, {**plain, **copy.deepcopy(fields)})


class Folding:
    """One run; calling it folds an event and says the verdict in a word.

    inline_limit: beyond which values go out; outputs has them, by number.
    """

    def __init__(self, given: StateRecord | None = None, policy: str = "step", inline_limit: int | None = None) -> None:
        self.state = given
        self.outputs: dict[int, str] = {}
        self.taken: EventRecord
        """The last event, as the fold has left it: what goes out is taken out of a snapshot that it carries."""
        self._policy = policy
        self._limit = inline_limit
        self._placement = self._fresh()

    def __call__(self, kind: str, **given: Any) -> str:
        return self.take(event(kind, **given))

    def take(self, one: EventRecord) -> str:
        before = copy.deepcopy(self.state)
        self.taken = copy.deepcopy(one)
        verdict, after = fold(self.state, self.taken, self._policy, self._placement)
        if verdict is not Verdict.APPLIED:
            assert after == before, "only an applied event changes something"
            assert self.state == before, "only an applied event changes something"
        self.state = after
        if after is None:
            self._placement = self._fresh()
        return verdict.code.value if isinstance(verdict, Rejection) else verdict.value

    def _fresh(self) -> Placement | None:
        return None if self._limit is None else Placement(self._limit, self.outputs.__getitem__, self._write)

    def _write(self, written: Written) -> None:
        if written.value is None:
            self.outputs.pop(written.n, None)
        else:
            self.outputs[written.n] = written.value.decode()

    @property
    def run(self) -> StateRecord:
        assert self.state is not None
        return self.state

    def step(self, step_id: str = "a") -> StepRecord:
        return self.run["steps"][step_id]


def running(**fields: Any) -> Folding:
    """A run that was created and started."""
    folding = Folding(**fields)
    assert folding("WorkflowCreated") == "applied"
    assert folding("WorkflowStarted") == "applied"
    return folding

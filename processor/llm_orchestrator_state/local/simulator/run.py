"""What an orchestrator knows of a run that it works on: enough to publish its events, and to take it over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...model.records import EventRecord
from .story import Beat

_STATUS = {
    "WorkflowCreated": "pending", "WorkflowStarted": "running", "WorkflowPaused": "paused",
    "WorkflowResumed": "running", "WorkflowCompleted": "completed", "WorkflowFailed": "failed",
}  # fmt: skip

OPEN = frozenset({"pending", "running", "paused"})


class Run:
    """One run.

    version: as the processor counts it. token: the fencing token of who works on it now.
    running: from the steps that run to their attempt.
    """

    __slots__ = ("_more_attempts", "id", "parent", "running", "status", "token", "version")

    def __init__(self, run_id: str, parent: str | None = None) -> None:
        self.id = run_id
        self.parent = parent
        self.status = ""
        self.version = 0
        self.token = 1
        self.running: dict[str, int] = {}
        self._more_attempts: dict[str, int] = {}

    def event(self, event_id: str, at: int, beat: Beat) -> EventRecord:
        """The event of a beat. Nothing is changed: it may be one that is never applied."""
        fields = beat.fields
        if self._more_attempts and (more := self._more_attempts.get(fields.get("step_id", ""))) and "attempt" in fields:
            fields = {**fields, "attempt": fields["attempt"] + more}
        if self.parent is not None and beat.kind == "WorkflowCreated":
            fields = {**fields, "parent": {**fields["parent"], "id": self.parent}}
        expected = None if beat.expects is None else self.version + beat.expects
        return self._record(event_id, at, beat.kind, fields, expected)

    def apply(self, kind: str, fields: dict[str, Any]) -> None:
        """As the processor does."""
        self.version += 1
        if kind == "StepStarted":
            self.running[fields["step_id"]] = fields["attempt"]
        elif kind in _STATUS:
            self.status = _STATUS[kind]
        elif kind != "StepHeartbeat" and "step_id" in fields:
            self.running.pop(fields["step_id"], None)

    def taken_over(self, ids: Iterator[str], at: Iterator[int]) -> Iterator[EventRecord]:
        """What a successor publishes first: its claim where the run is running, and the lost steps once again.

        Of a paused or pending run there is nothing to do, and whatever comes next carries the higher token.
        """
        self.token += 1
        if self.status != "running":
            return
        yield self._successor(ids, at, "WorkflowResumed", {}, self.version)
        for step_id, attempt in list(self.running.items()):
            self._more_attempts[step_id] = self._more_attempts.get(step_id, 0) + 1
            fields = {"step_id": step_id, "attempt": attempt + 1, "inputs": None}
            yield self._successor(ids, at, "StepStarted", fields, None)

    def _successor(
        self, ids: Iterator[str], at: Iterator[int], kind: str, fields: dict[str, Any], expected: int | None
    ) -> EventRecord:
        record = self._record(next(ids), next(at), kind, fields, expected)
        self.apply(kind, fields)
        return record

    def _record(self, event_id: str, at: int, kind: str, fields: dict[str, Any], expected: int | None) -> EventRecord:
        return {
            "event_id": event_id,
            "run_id": self.id,
            "occurred_at": at,
            "expected_version": expected,
            "fencing_token": self.token,
            "transition": (kind, fields),
        }

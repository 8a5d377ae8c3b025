"""When a run and the attempts at its steps began and ended, from the events that were applied to it."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.records import EventRecord, StateRecord, StepRecord
from ..model.transitions import NO_RUN, RULES

_OUTCOMES = {"StepCompleted": "completed", "StepFailed": "failed"}


class Span(msgspec.Struct):
    """One attempt at a step; or a stretch of the run in one status, which has no attempt and the status as its outcome.

    began, ended: microseconds since 1970 UTC. began is None where no start was told, ended where there was no end yet.
    outcome: running, completed, failed, skipped; given up (for a retry), or abandoned (something else came in between).
    """

    name: str
    attempt: int
    began: int | None
    ended: int | None
    outcome: str

    @property
    def seconds(self) -> float | None:
        """None where it has no beginning or no end; clocks of several hosts may let it be negative."""
        return None if self.began is None or self.ended is None else (self.ended - self.began) / 1e6


class Spans:
    """Told of the applied events in the order of the log.

    stretches: of the run; its end and its deletion are points in time. attempts: of its steps, in the order in which they were heard of.
    """

    def __init__(self) -> None:
        self.stretches: list[Span] = []
        self.attempts: list[Span] = []
        self._attempt: dict[str, int] = {}
        """How often each step was started."""
        self._running: dict[str, Span] = {}

    def run_seconds(self, last: int) -> float | None:
        """From the run's beginning to its end, or to the instant of the last event. None where no beginning was told."""
        alive = [each for each in self.stretches if each.outcome != "deleted"]
        if not alive or alive[0].began is None:
            return None
        return ((alive[-1].ended or last) - alive[0].began) / 1e6

    def apply(self, event: EventRecord) -> Span | None:
        """The attempt that this event tells of, if any."""
        kind, fields = event["transition"]
        at = event["occurred_at"]
        if kind in {"WorkflowSaved", "WorkflowRestored"}:
            self._replace(fields["state"] if kind == "WorkflowSaved" else fields["snapshot"], at)
        elif (status := RULES[kind].run_to) is not None:
            self._run_is(status, at)
        return self._step(kind, fields, at) if RULES[kind].steps is not None else None

    def _run_is(self, status: str, at: int) -> None:
        if self.stretches:
            last = self.stretches[-1]
            if last.outcome == status:
                return
            if last.ended is None:
                last.ended = at
        if status == NO_RUN:
            for step_id in list(self._running):
                self._end(step_id, at, "abandoned")
            self._attempt.clear()
            self.stretches.append(Span("run", 0, at, at, "deleted"))
        elif status not in {"completed", "failed"}:
            self.stretches.append(Span("run", 0, at, None, status))
        else:
            self.stretches.append(Span("run", 0, at, at, status))

    def _replace(self, state: StateRecord, at: int) -> None:
        self._run_is(state["status"], at)
        steps = state["steps"]
        before, self._attempt = self._attempt, {}
        for step_id, step in steps.items():
            self._attempt[step_id] = max(before.get(step_id, 0), step["attempt"])
        for span in list(self._running.values()):
            if not self._goes_on(span, steps.get(span.name)):
                self._end(span.name, at, "abandoned")
        for step_id, step in steps.items():
            if step["status"] == "running" and step_id not in self._running:
                self._begin(step_id, step["started_at"], self._attempt[step_id])

    def _goes_on(self, span: Span, step: StepRecord | None) -> bool:
        """Whether it is what this step of a restored run is about."""
        if step is None or step["status"] != "running":
            return False
        return (span.attempt, span.began) == (self._attempt[span.name], step["started_at"])

    def _step(self, kind: str, fields: dict[str, Any], at: int) -> Span | None:
        step_id, given = fields["step_id"], fields.get("attempt")
        running = self._running.get(step_id)
        if kind == "StepStarted":
            self._end(step_id, at, "abandoned")
            return self._begin(step_id, at, given or self._attempt.get(step_id, 0) + 1)
        if kind in _OUTCOMES:
            if running is None or (given or 0) > running.attempt:
                self._end(step_id, at, "abandoned")
                self._begin(step_id, None, given or self._attempt.get(step_id, 0) + 1)
            return self._end(step_id, at, _OUTCOMES[kind])
        if kind == "StepSkipped":
            if running is None:
                self._begin(step_id, None, self._attempt.get(step_id, 0))
            return self._end(step_id, at, "skipped")
        if kind == "StepRetried":
            self._attempt[step_id] = max(self._attempt.get(step_id, 0), given or 0)
            return self._end(step_id, at, "given up")
        return running

    def _begin(self, step_id: str, at: int | None, attempt: int) -> Span:
        span = self._running[step_id] = Span(step_id, attempt, at, None, "running")
        self._attempt[step_id] = attempt
        self.attempts.append(span)
        return span

    def _end(self, step_id: str, at: int, outcome: str) -> Span | None:
        span = self._running.pop(step_id, None)
        if span is not None:
            span.ended, span.outcome = at, outcome
        return span

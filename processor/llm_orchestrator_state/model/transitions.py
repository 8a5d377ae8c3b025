"""The transition table, as data: which event is legal when, and to which status it leads."""

from __future__ import annotations

from typing import NamedTuple

NO_RUN = "no run"
NO_STEP = "none"

OPEN = frozenset({"pending", "running", "paused"})
UNDER_WAY = frozenset({"running", "paused"})
TERMINAL = frozenset({"completed", "failed"})
EXISTING = OPEN | TERMINAL
ANY_STEP = frozenset({NO_STEP, "pending", "running", "completed", "failed", "skipped"})


class Rule(NamedTuple):
    """When a kind of event is legal.

    runs: statuses of the run, NO_RUN included.
    run_to: the status that the run gets; None: it keeps its own.
    steps: statuses of the step, NO_STEP included; None: the event is about no step's status.
    step_to: the status that the step gets.
    in_flight: statuses of the run in which the event is legal besides, if its step is running: the outcome of a
        parallel branch that was under way when the run ended.
    """

    runs: frozenset[str]
    run_to: str | None = None
    steps: frozenset[str] | None = None
    step_to: str | None = None
    in_flight: frozenset[str] = frozenset()


_FAILED = frozenset({"failed"})

RULES: dict[str, Rule] = {
    "WorkflowCreated": Rule(frozenset({NO_RUN}), "pending"),
    "WorkflowStarted": Rule(frozenset({"pending"}), "running"),
    "WorkflowPaused": Rule(frozenset({"pending", "running"}), "paused"),
    # a failed run only by an event that is not older than its end: see fold.py
    "WorkflowResumed": Rule(frozenset({"paused", "running", "failed"}), "running"),
    "WorkflowCompleted": Rule(OPEN, "completed"),
    "WorkflowFailed": Rule(OPEN, "failed"),
    "ContextUpdated": Rule(OPEN),
    "StepCreated": Rule(OPEN, None, frozenset({NO_STEP}), "pending"),
    "StepStarted": Rule(UNDER_WAY, None, ANY_STEP, "running"),
    "StepCompleted": Rule(UNDER_WAY, None, ANY_STEP, "completed", _FAILED),
    "StepFailed": Rule(UNDER_WAY, None, ANY_STEP, "failed", _FAILED),
    "StepRetried": Rule(UNDER_WAY, None, frozenset({"failed", "running"}), "pending"),
    "StepSkipped": Rule(OPEN, None, frozenset({NO_STEP, "pending", "running"}), "skipped"),
    "StepHeartbeat": Rule(UNDER_WAY, None, frozenset({"running"})),
    "CheckpointRequested": Rule(EXISTING),
    "CheckpointsTrimmed": Rule(EXISTING),
    "WorkflowSaved": Rule(EXISTING | {NO_RUN}),
    "WorkflowRestored": Rule(EXISTING),
    "WorkflowDeleted": Rule(EXISTING, NO_RUN),
}

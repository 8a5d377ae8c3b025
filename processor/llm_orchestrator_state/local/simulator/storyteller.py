"""Telling what happens to one run, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from ...model.verdicts import Code
from .steps import MAX_ATTEMPTS, StepTeller, named, text
from .story import CHILD, ROOT, SECOND, Beat, Call, Fate, Over, Sample, Trouble


class Storyteller(StepTeller):
    """Notes down the beats of one run."""

    parent_step = ""
    """Of a sub-workflow: the step that started it."""

    def __init__(self, rng: Random, beats: list[Beat], run: int = ROOT, at: int = 0) -> None:
        super().__init__(rng, beats, run, at)
        self.fate = Fate.COMPLETES
        self.calls_to_fate = 0
        self.user = ""
        self.failure: str | None = None

    # --- the run ------------------------------------------------------------------------------------------------------

    def begin(self, workflow_id: str, name: str, user: str, context: Mapping[str, Any], labels: dict[str, str]) -> None:
        """Created, and started when an orchestrator has time for it. Raises Over."""
        self.user = user
        parent = {"id": "", "step_id": self.parent_step} if self.run == CHILD else None
        fields = {
            "workflow_id": workflow_id, "workflow_name": name, "user_id": user, "context": text(context),
            "labels": labels, "parent": parent,
        }  # fmt: skip
        self.tell("WorkflowCreated", fields)
        self.wait(0.02, 0.4)
        if self.run == ROOT and self.chance(0.008):  # the webhook was delivered twice
            self.tell("WorkflowCreated", fields, Code.RUN_EXISTS)
            self.wait(0.01, 0.02)
        if self.fate is Fate.STAYS_QUEUED:
            raise Over
        self.tell("WorkflowStarted")

    def complete(self) -> None:
        self.wait(0.005, 0.03)
        self.tell("WorkflowCompleted", twice=self.chance(0.006))
        if self.chance(0.006):  # who reports progress was slower than the run
            self.wait(0.1, 0.8)
            self.tell("ContextUpdated", {"patch": text({"progress": 1.0})}, Code.ILLEGAL_TRANSITION)

    def fail(self, error: str, error_type: str) -> None:
        self.wait(0.002, 0.01)
        self.tell("WorkflowFailed", {"error": error, "error_type": error_type})
        self.failure = error

    def update(self, patch: Mapping[str, Any]) -> None:
        self.wait(0.002, 0.01)
        self.tell("ContextUpdated", {"patch": text(patch)})

    def announce(self, *steps: str) -> None:
        for step in steps:
            self.wait(0.001, 0.002)
            self.tell("StepCreated", {"step_id": step})

    def skip(self, step: str, reason: str) -> None:
        self.wait(0.001, 0.005)
        self.tell("StepSkipped", {"step_id": step, "reason": reason})

    def approval(self, step: str, reason: str, refused: str) -> None:
        """The run waits for a person, who agrees or not. Raises Over."""
        self.wait(0.01, 0.05)
        self.tell("CheckpointRequested", {"step_id": step, "checkpoint_id": None, "timestamp": None, "snapshot": None})
        self.wait(0.001, 0.005)
        self.tell("WorkflowPaused", {"reason": reason})
        if self.fate is Fate.WAITS:
            raise Over
        self.wait(8, 75)
        if self.chance(0.08):
            self.fail(refused, "ApprovalRefused")
            raise Over
        self.tell("WorkflowResumed", expects=0)
        if self.chance(0.15):  # two people pressed the button
            self.wait(0.05, 0.4)
            self.tell("WorkflowResumed", verdict=Code.VERSION_CONFLICT, expects=-1)

    # --- its steps ----------------------------------------------------------------------------------------------------

    def call(self, call: Call, key: str | None = None) -> None:
        """A step, tried again where it fails. Raises Over."""
        self.calls_to_fate -= 1
        self.wait(0.003, 0.015)
        if self.calls_to_fate == 0 and self.fate not in {Fate.COMPLETES, Fate.WAITS}:
            self._fated(call, named(call.step, key))
        else:
            self.attempts(call, named(call.step, key))

    def branches(self, calls: Sequence[tuple[Call, str]]) -> None:
        """Steps side by side. Raises Over."""
        self.calls_to_fate -= 1
        if self.calls_to_fate == 0:
            if self.fate is Fate.IS_CANCELLED:
                self._cancelled_in_flight(calls)
            self.calls_to_fate = 1
        ends = []
        for number, (call, key) in enumerate(calls):
            branch = self.beside(number)
            branch.attempts(call, named(call.step, key))
            ends.append(branch.at)
        self.at = max(ends)

    def delegate(self, step: str, tell_child: Callable[[Storyteller], None], outputs: Sample) -> None:
        """A step that is a sub-workflow. Raises Over where that fails."""
        self.wait(0.003, 0.015)
        self.start(step, 1, {"workflow": "fact-check"})
        child = Storyteller(self.rng, self.beats, CHILD, self.at)
        child.parent_step = step
        child.wait(0.01, 0.04)
        child.fate, child.calls_to_fate = (Fate.FAILS, 2) if self.chance(0.08) else (Fate.COMPLETES, 0)
        try:
            tell_child(child)
            child.complete()
        except Over:
            pass
        self.at = child.at
        self.wait(0.01, 0.04)
        if child.failure is None:
            self.ended(step, 1, outputs(self.rng), {})
            return
        error = f"sub-workflow fact-check failed: {child.failure}"
        self.failed(step, 1, Trouble(error, "SubWorkflowFailed"), {})
        self.fail(error, "SubWorkflowFailed")
        raise Over

    def _fated(self, call: Call, step: str) -> None:
        seconds, usage = self.attempt_begins(call, step, 1)
        attempt = 1
        match self.fate:
            case Fate.HANGS:
                self.busy(step, 1, self.rng.uniform(12, 30))
                raise Over
            case Fate.IS_CANCELLED:
                self.busy(step, 1, seconds / 2)
                self._cancelled(step)
            case Fate.TIMES_OUT:
                self.busy(step, 1, self.rng.uniform(40, 60))
                self.failed(step, 1, Trouble("no answer in 40 s", "timed_out"), {})
                self.fail(f"the run was given up: {step} gave no answer in 40 s", "timed_out")
                raise Over
        trouble = self.trouble(call)
        while True:
            self.busy(step, attempt, trouble.seconds or seconds / 3)
            self.failed(step, attempt, trouble, usage)
            if attempt == MAX_ATTEMPTS:
                break
            self.retry(step, attempt)
            attempt += 1
            seconds, usage = self.attempt_begins(call, step, attempt)
        self.fail(f"{step}: {trouble.error}", trouble.error_type)
        if self.fate is not Fate.IS_RESCUED:
            raise Over
        self.failure = None
        self.wait(20, 60)
        self.tell("WorkflowResumed", expects=0)
        self.wait(0.01, 0.03)
        self.attempts(call, step, attempt + 1)

    def _cancelled(self, step: str) -> None:
        self.failed(step, 1, Trouble(f"cancelled by {self.user}", "cancelled"), {})
        self.fail(f"cancelled by {self.user}", "cancelled")
        if self.chance(0.5):  # its loop had not heard of it
            self.wait(0.01, 0.2)
            fields = {"step_id": "notify", "attempt": 1, "inputs": None}
            self.tell("StepStarted", fields, Code.ILLEGAL_TRANSITION)
        raise Over

    def _cancelled_in_flight(self, calls: Sequence[tuple[Call, str]]) -> None:
        """The calls that are under way are paid for, and their outcomes still count."""
        started = []
        for number, (call, key) in enumerate(calls):
            branch = self.beside(number)
            step = named(call.step, key)
            started.append((branch, step, call, *branch.attempt_begins(call, step, 1)))
        self.at = max(branch.at for branch, *_ in started)
        self.fail(f"cancelled by {self.user}", "cancelled")
        for branch, step, call, seconds, usage in started:
            branch.at = max(branch.at, self.at) + int(seconds * SECOND)
            branch.ended(step, 1, call.outputs(self.rng), usage)
        raise Over

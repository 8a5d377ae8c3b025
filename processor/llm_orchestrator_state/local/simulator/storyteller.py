"""Telling what happens to one run, as the events that its orchestrator publishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from ...model.verdicts import Code
from .story import CHILD, ROOT, SECOND, STRANGER, Beat, Call, Fate, Over, Sample, Trouble

MAX_ATTEMPTS = 3
HEARTBEAT_S = 5


class Storyteller:
    """Notes down the beats of one run, on the run's own clock."""

    def __init__(self, rng: Random, beats: list[Beat], run: int = ROOT, at: int = 0) -> None:
        self.rng = rng
        self.at = at
        self.beats = beats
        self.run = run
        self.fate = Fate.COMPLETES
        self.calls_to_fate = 0
        self.failure: str | None = None

    # --- the run ------------------------------------------------------------------------------------------------------

    def begin(self, workflow_id: str, name: str, user: str, context: Mapping[str, Any], labels: dict[str, str]) -> None:
        """Created, and started when an orchestrator has time for it. Raises Over."""
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

    parent_step = ""
    """Of a sub-workflow: the step that started it."""

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
            branch = self._beside(number)
            branch.attempts(call, named(call.step, key))
            ends.append(branch.at)
        self.at = max(ends)

    def delegate(self, step: str, tell_child: Callable[[Storyteller], None], outputs: Sample) -> None:
        """A step that is a sub-workflow. Raises Over where that fails."""
        self.wait(0.003, 0.015)
        self._start(step, 1, {"workflow": "fact-check"})
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
        self._failed(step, 1, Trouble(error, "SubWorkflowFailed"), {})
        self.fail(error, "SubWorkflowFailed")
        raise Over

    def attempts(self, call: Call, step: str, attempt: int = 1) -> None:
        timed_out = False
        while True:
            seconds, usage = self.attempt_begins(call, step, attempt)
            if timed_out and self.chance(0.35):  # the call that was given up has ended nevertheless
                late = self._beside(0)
                late.wait(0.1, 0.5)
                late.ended(step, attempt - 1, call.outputs(self.rng), usage, Code.STALE_ATTEMPT)
            if attempt == MAX_ATTEMPTS or not self.chance(call.flaky):
                self._busy(step, attempt, seconds)
                self.ended(step, attempt, call.outputs(self.rng), usage)
                return
            trouble = self.rng.choice(call.troubles)
            timed_out = trouble.error_type in {"timed_out", "ToolTimeout"}
            self._busy(step, attempt, seconds * 2 if timed_out else seconds / 3)
            self._failed(step, attempt, trouble, usage)
            self._retry(step, attempt)
            attempt += 1

    def _fated(self, call: Call, step: str) -> None:
        seconds, usage = self.attempt_begins(call, step, 1)
        attempt = 1
        match self.fate:
            case Fate.HANGS:
                self._busy(step, 1, self.rng.uniform(12, 30))
                raise Over
            case Fate.IS_CANCELLED:
                self._busy(step, 1, seconds / 2)
                self._cancelled(step)
            case Fate.TIMES_OUT:
                self._busy(step, 1, self.rng.uniform(40, 60))
                self._failed(step, 1, Trouble("no answer in 40 s", "timed_out"), {})
                self.fail(f"the run was given up: {step} gave no answer in 40 s", "timed_out")
                raise Over
        trouble = self.rng.choice(call.troubles)
        while True:
            self._busy(step, attempt, seconds)
            self._failed(step, attempt, trouble, usage)
            if attempt == MAX_ATTEMPTS:
                break
            self._retry(step, attempt)
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
        self._failed(step, 1, Trouble("cancelled by its user", "cancelled"), {})
        self.fail("cancelled by its user", "cancelled")
        if self.chance(0.5):  # its loop had not heard of it
            self.wait(0.01, 0.2)
            fields = {"step_id": "notify", "attempt": 1, "inputs": None}
            self.tell("StepStarted", fields, Code.ILLEGAL_TRANSITION)
        raise Over

    def _cancelled_in_flight(self, calls: Sequence[tuple[Call, str]]) -> None:
        """The calls that are under way are paid for, and their outcomes still count."""
        started = []
        for number, (call, key) in enumerate(calls):
            branch = self._beside(number)
            step = named(call.step, key)
            started.append((branch, step, call, *branch.attempt_begins(call, step, 1)))
        self.at = max(branch.at for branch, *_ in started)
        self.fail("cancelled by its user", "cancelled")
        for branch, step, call, seconds, usage in started:
            branch.at = max(branch.at, self.at) + int(seconds * SECOND)
            branch.ended(step, 1, call.outputs(self.rng), usage)
        raise Over

    def attempt_begins(self, call: Call, step: str, attempt: int) -> tuple[float, dict[str, int]]:
        """Returns the seconds that it will take, and what it will cost."""
        seconds = self.rng.uniform(*call.seconds)
        inputs = call.inputs(self.rng) if call.inputs else None
        if call.model is None:
            self._start(step, attempt, inputs)
            return seconds, {}
        tokens_in, tokens_out = (self.rng.randint(*span) for span in call.tokens)
        self._start(step, attempt, inputs or {"model": call.model.name, "input_tokens": tokens_in})
        usage = {
            "gen_ai.usage.input_tokens": tokens_in,
            "gen_ai.usage.output_tokens": tokens_out,
            "cost_micro_usd": round(tokens_in * call.model.input_price + tokens_out * call.model.output_price),
        }
        return seconds + tokens_out * call.model.seconds_per_token, usage

    def _start(self, step: str, attempt: int, inputs: Mapping[str, Any] | None) -> None:
        self.tell("StepStarted", {"step_id": step, "attempt": attempt, "inputs": text(inputs) if inputs else None})
        if self.chance(0.003):  # a tool that calls back to the wrong installation
            fields = {"step_id": step, "attempt": 1, "outputs": text({"status": "ok"}), "usage": {}}
            self.beats.append(Beat(self.at + 1000, STRANGER, "StepCompleted", fields, Code.UNKNOWN_RUN))

    def _busy(self, step: str, attempt: int, seconds: float) -> None:
        """Long work says every few seconds that it still lives."""
        whole, rest = divmod(seconds, HEARTBEAT_S)
        for _ in range(int(whole)):
            self.at += HEARTBEAT_S * SECOND
            self.tell("StepHeartbeat", {"step_id": step, "attempt": attempt})
        self.at += int(rest * SECOND) + 1000

    def ended(
        self, step: str, attempt: int, outputs: Mapping[str, Any], usage: dict[str, int], verdict: Code | None = None
    ) -> None:
        fields = {"step_id": step, "attempt": attempt, "outputs": text(outputs), "usage": usage}
        self.tell("StepCompleted", fields, verdict, twice=verdict is None and self.chance(0.004))

    def _failed(self, step: str, attempt: int, trouble: Trouble, usage: dict[str, int]) -> None:
        """Only an answer that was no use has cost something."""
        fields = {
            "step_id": step, "attempt": attempt, "error": trouble.error, "error_type": trouble.error_type,
            "usage": usage if trouble.billed else {},
        }  # fmt: skip
        self.tell("StepFailed", fields)

    def _retry(self, step: str, attempt: int) -> None:
        self.wait(0.001, 0.005)
        self.tell("StepRetried", {"step_id": step, "attempt": attempt})
        self.at += int(SECOND * 0.5 * 2**attempt * self.rng.uniform(0.8, 1.2))

    # --- beats --------------------------------------------------------------------------------------------------------

    def tell(
        self, kind: str, fields: dict[str, Any] | None = None, verdict: Code | None = None, *,
        expects: int | None = None, twice: bool = False,
    ) -> None:  # fmt: skip
        self.beats.append(Beat(self.at, self.run, kind, fields or {}, verdict, expects, twice))

    def wait(self, least_s: float, most_s: float) -> None:
        self.at += int(self.rng.uniform(least_s, most_s) * SECOND)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _beside(self, number: int) -> Storyteller:
        return Storyteller(self.rng, self.beats, self.run, self.at + 2000 * number)


def named(step: str, key: str | None) -> str:
    return step if key is None else f"{step}[{key}]"


def text(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()

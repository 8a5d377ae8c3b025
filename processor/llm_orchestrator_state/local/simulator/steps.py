"""Telling of one step after the other, as the events that its orchestrator publishes."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from ...model.verdicts import Code
from .story import ROOT, SECOND, STRANGER, Beat, Call, Trouble

MAX_ATTEMPTS = 3
HEARTBEAT_S = 5


class StepTeller:
    """Notes down the beats of one run's steps, on a clock of its own."""

    def __init__(self, rng: Random, beats: list[Beat], run: int = ROOT, at: int = 0) -> None:
        self.rng = rng
        self.at = at
        self.beats = beats
        self.run = run

    def attempts(self, call: Call, step: str, attempt: int = 1) -> None:
        timed_out = False
        while True:
            seconds, usage = self.attempt_begins(call, step, attempt)
            if timed_out and self.chance(0.35):  # the call that was given up has ended nevertheless
                late = self.beside(0)
                late.wait(0.1, 0.5)
                late.ended(step, attempt - 1, call.outputs(self.rng), usage, Code.STALE_ATTEMPT)
            if attempt >= MAX_ATTEMPTS or not self.chance(call.flaky):
                self.busy(step, attempt, seconds)
                self.ended(step, attempt, call.outputs(self.rng), usage)
                return
            trouble = self.trouble(call)
            timed_out = trouble.seconds is not None
            self.busy(step, attempt, trouble.seconds or seconds / 3)
            self.failed(step, attempt, trouble, usage)
            self.retry(step, attempt)
            attempt += 1

    def trouble(self, call: Call) -> Trouble:
        trouble = self.rng.choice(call.troubles)
        return trouble._replace(error=trouble.error.format(model=call.model.name)) if call.model else trouble

    def attempt_begins(self, call: Call, step: str, attempt: int) -> tuple[float, dict[str, int]]:
        """Returns the seconds that it will take, and what it will cost."""
        seconds = self.rng.uniform(*call.seconds)
        inputs = call.inputs(self.rng) if call.inputs else None
        if call.model is None:
            self.start(step, attempt, inputs)
            return seconds, {}
        tokens_in, tokens_out = (self.rng.randint(*span) for span in call.tokens)
        self.start(step, attempt, {"model": call.model.name, "prompt": call.prompt, "input_tokens": tokens_in})
        usage = {
            "gen_ai.usage.input_tokens": tokens_in,
            "gen_ai.usage.output_tokens": tokens_out,
            "cost_micro_usd": round(tokens_in * call.model.input_price + tokens_out * call.model.output_price),
        }
        return seconds + tokens_out * call.model.seconds_per_token, usage

    def start(self, step: str, attempt: int, inputs: Mapping[str, Any] | None) -> None:
        self.tell("StepStarted", {"step_id": step, "attempt": attempt, "inputs": text(inputs) if inputs else None})
        if self.chance(0.003):  # a tool that calls back to the wrong installation
            fields = {"step_id": step, "attempt": 1, "outputs": text({"status": "ok"}), "usage": {}}
            self.beats.append(Beat(self.at + 1000, STRANGER, "StepCompleted", fields, Code.UNKNOWN_RUN))

    def busy(self, step: str, attempt: int, seconds: float) -> None:
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

    def failed(self, step: str, attempt: int, trouble: Trouble, usage: dict[str, int]) -> None:
        """Only an answer that was no use has cost something."""
        fields = {
            "step_id": step, "attempt": attempt, "error": trouble.error, "error_type": trouble.error_type,
            "usage": usage if trouble.billed else {},
        }  # fmt: skip
        self.tell("StepFailed", fields)

    def retry(self, step: str, attempt: int) -> None:
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

    def beside(self, number: int) -> StepTeller:
        """Who tells of one of several branches."""
        return StepTeller(self.rng, self.beats, self.run, self.at + 2000 * number)


def named(step: str, key: str | None) -> str:
    return step if key is None else f"{step}[{key}]"


def text(value: Mapping[str, Any]) -> str:
    return msgspec.json.encode(value).decode()

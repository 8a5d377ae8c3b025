"""What happens in a step's block, as events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import InvalidState
from ...model.events import TransitionEvent
from ...model.kinds import StepCompleted, StepFailed, StepRetried, StepStarted, Transition
from .outcome import error_text, error_type
from .run_events import RunEvents

INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
COST = "cost_micro_usd"


class StepEvents:
    """One attempt at a step of a run, for as long as its block is open."""

    # so that a misspelt step.output = ... is an error, and not a step without outputs
    __slots__ = ("_inputs", "_run", "_usage", "attempt", "outputs", "step_id")

    def __init__(self, run: RunEvents, step_id: str, inputs: Any) -> None:
        self.step_id = step_id
        self.attempt: int | None = None
        """1 for the first; None where the handle does not know the attempts."""
        self.outputs: Any = None
        """A JSON value; what the step is completed with."""
        self._run = run
        self._inputs = inputs
        self._usage: dict[str, int] = {}

    def usage(
        self,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cost_micro_usd: int = 0,
        more: Mapping[str, int] | None = None,
    ) -> None:
        """Add to what this attempt has used: tokens and cost (millionths of a US dollar).

        more: under names of their own, such as OpenTelemetry's gen_ai.usage.cache_read.input_tokens.
        Raises InvalidState for what is no whole number from 0 on; then nothing is added.
        """
        used: dict[str, Any] = {
            INPUT_TOKENS: input_tokens,
            OUTPUT_TOKENS: output_tokens,
            COST: cost_micro_usd,
            **(more or {}),
        }
        # here, and not when the step ends: what failed it then could not be told either
        for name, number in used.items():
            if not isinstance(number, int) or number < 0:
                raise InvalidState(f"{name} is {number!r}; expected a whole number from 0 on")
        for name, number in used.items():
            if number:
                self._usage[name] = self._usage.get(name, 0) + number

    def _started(self) -> TransitionEvent:
        self.attempt = self._run.open_step(self.step_id)
        return self._tell(StepStarted(step_id=self.step_id, attempt=self.attempt, inputs=self._inputs))

    def _completed(self) -> TransitionEvent:
        return self._tell(
            StepCompleted(step_id=self.step_id, attempt=self.attempt, outputs=self.outputs, usage=self._usage)
        )

    def _failed(self, error: BaseException) -> TransitionEvent | None:
        """None where it is not ours to say any more."""
        if self._run.is_lost:
            return None
        return self._tell(
            StepFailed(
                step_id=self.step_id,
                attempt=self.attempt,
                error=error_text(error),
                error_type=error_type(error),
                usage=self._usage,
            )
        )

    def _retried(self) -> TransitionEvent:
        return self._tell(StepRetried(step_id=self.step_id, attempt=self.attempt))

    def _beating(self) -> TransitionEvent:
        return self._run.heartbeat(self.step_id)

    def _closed(self) -> None:
        self._run.close_step(self.step_id)

    def _tell(self, what: Transition) -> TransitionEvent:
        return self._run.of_attempt(what, self.step_id, self.attempt)

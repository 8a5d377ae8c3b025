"""What a handle's calls mean as events: all of the handles but publishing and waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from threading import Lock
from typing import Any
from uuid import UUID, uuid4

from msgspec.structs import replace

from ...errors import EventRejected, InvalidState, StepAlreadyOpen
from ...model.checkpoint import Checkpoint
from ...model.events import TransitionEvent
from ...model.kinds import (
    CheckpointRequested,
    ContextUpdated,
    StepHeartbeat,
    StepSkipped,
    Transition,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowPaused,
    WorkflowRestored,
    WorkflowResumed,
)
from ...model.status import WorkflowStatus
from ...model.verdicts import Code
from .beginning import Beginning
from .given_state import without_cleared
from .ids import child_id_for, event_id_for
from .outcome import error_text, error_type


def step_id_of(name: str, key: str | int | None) -> str:
    if not name:
        raise InvalidState(f"a step's name is {name!r}; expected a text that is not empty")
    return name if key is None else f"{name}[{key}]"


class Phase(Enum):
    NEW = "not begun: enter its with block first"
    UNCONFIRMED = "claimed, and nobody has looked whether the claim was applied: call confirm(reader) first"
    LOST = "another orchestrator's, which has claimed it; leave it alone"
    OPEN = "open"
    PAUSED = "paused"
    ENDED = "completed or failed; claim() takes up a failed one again"
    LEFT = "left: its with block is over; attach() or claim() it"


_USABLE = frozenset({Phase.OPEN, Phase.PAUSED})
_NOTHING_TO_CONFIRM = frozenset({Phase.NEW, Phase.LOST})


class RunEvents:
    """One handle of a run."""

    def __init__(self, beginning: Beginning) -> None:
        self.run_id = beginning.run_id
        self._beginning = beginning
        self._attempts = beginning.attempts
        self._open_steps: set[str] = set()
        self._children: Counter[tuple[str, str]] = Counter()
        self._steps = Lock()
        self._phase = Phase.NEW if beginning.transitions else Phase.OPEN
        self._pauses = 0

    # --- beginning and end --------------------------------------------------------------------------------------------

    def begun(self) -> list[TransitionEvent]:
        if self._phase is not Phase.NEW:
            raise InvalidState(f"run {self.run_id} was entered before; make another handle")
        events = [self._once(what) for what in self._beginning.transitions]
        expected, not_before = self._beginning.expected_version, self._beginning.not_before
        if expected is not None:
            events = [replace(event, expected_version=expected) for event in events]
        if not_before is not None:
            events = [replace(event, occurred_at=max(event.occurred_at, not_before)) for event in events]
        return events

    def entered(self) -> None:
        self._phase = Phase.OPEN if self._beginning.expected_version is None else Phase.UNCONFIRMED

    @contextmanager
    def confirmation(self) -> Iterator[None]:
        """Around what finds out whether the latest event was applied."""
        if self._phase in _NOTHING_TO_CONFIRM:
            raise InvalidState(f"run {self.run_id} is {self._phase.value}")
        claiming = self._phase is Phase.UNCONFIRMED
        try:
            yield
        except EventRejected as rejected:
            if claiming or rejected.code is Code.FENCED:
                self._phase = Phase.LOST
            raise
        if claiming:
            self._phase = Phase.OPEN

    @property
    def is_lost(self) -> bool:
        """Whether the run is another orchestrator's: nothing that is said here any more would be applied."""
        return self._phase is Phase.LOST

    def left(self, error: BaseException | None) -> TransitionEvent | None:
        """What leaving the block says, if anything. Raises InvalidState for a claim that was never confirmed."""
        phase, self._phase = self._phase, Phase.LEFT
        if phase in _USABLE and error is not None:
            return self._event(WorkflowFailed(error=error_text(error), error_type=error_type(error)))
        if phase is Phase.OPEN:
            return self._once(WorkflowCompleted())
        if phase is Phase.UNCONFIRMED and error is None:
            raise InvalidState(f"run {self.run_id} is {phase.value}")
        return None

    def completed(self) -> TransitionEvent:
        self._check()
        self._phase = Phase.ENDED
        return self._once(WorkflowCompleted())

    def failed(self, error: str | BaseException, kind: str | None) -> TransitionEvent:
        self._check()
        self._phase = Phase.ENDED
        if isinstance(error, BaseException):
            return self._event(WorkflowFailed(error=error_text(error), error_type=kind or error_type(error)))
        return self._event(WorkflowFailed(error=error, error_type=kind))

    # --- in between ---------------------------------------------------------------------------------------------------

    def paused(self, reason: str | None) -> TransitionEvent:
        self._check()
        self._phase = Phase.PAUSED
        self._pauses += 1
        return self._once(WorkflowPaused(reason=reason), self._pauses)

    def resumed(self) -> TransitionEvent:
        self._check()
        self._phase = Phase.OPEN
        return self._once(WorkflowResumed(), self._pauses)

    def skipped(self, step_id: str, reason: str | None) -> TransitionEvent:
        self._check()
        return self._event(StepSkipped(step_id=step_id, reason=reason))

    def heartbeat(self, step_id: str) -> TransitionEvent:
        self._check()
        return self._event(StepHeartbeat(step_id=step_id, attempt=self._attempt(step_id)))

    def checkpoint(self, step_id: str, checkpoint_id: UUID | None) -> TransitionEvent:
        self._check()
        return self._event(CheckpointRequested(step_id=step_id, checkpoint_id=checkpoint_id))

    def context_updated(self, patch: Any) -> TransitionEvent:
        self._check()
        return self._event(ContextUpdated(patch=patch))

    def restored(self, checkpoint: Checkpoint) -> TransitionEvent:
        self._check()
        snapshot = without_cleared(checkpoint.snapshot)
        event = self._event(WorkflowRestored(checkpoint_id=checkpoint.id, snapshot=snapshot))
        if not snapshot.is_active():
            self._phase = Phase.ENDED
        else:
            self._phase = Phase.PAUSED if snapshot.status is WorkflowStatus.PAUSED else Phase.OPEN
        return event

    # --- steps --------------------------------------------------------------------------------------------------------

    def open_step(self, step_id: str) -> int | None:
        """Its attempt, one more than the last."""
        self._check()
        with self._steps:
            if step_id in self._open_steps:
                raise StepAlreadyOpen(
                    f"step {step_id!r} of run {self.run_id} is open in this handle; give each unit of work its own key=, "
                    "such as the loop's index, or leave the step first"
                )
            self._open_steps.add(step_id)
            if self._attempts is None:
                return None
            self._attempts[step_id] = attempt = self._attempts.get(step_id, 0) + 1
            return attempt

    def close_step(self, step_id: str) -> None:
        self._open_steps.discard(step_id)

    def _attempt(self, step_id: str) -> int | None:
        return (self._attempts or {}).get(step_id) or None

    def child_id(self, step_id: str, workflow_id: str) -> UUID | None:
        """Of the step's next sub-workflow of that definition: the same when the program is run again for the same run.

        None where it is not the program that makes the run; see _once().
        """
        if not self._beginning.repeatable:
            return None
        with self._steps:
            self._children[step_id, workflow_id] += 1
            number = self._children[step_id, workflow_id]
        return child_id_for(self.run_id, step_id, workflow_id, number)

    # --- events -------------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._phase not in _USABLE:
            raise InvalidState(f"run {self.run_id} is {self._phase.value}")

    def _event(self, what: Transition, event_id: UUID | None = None) -> TransitionEvent:
        """With a random id, if none is given: what can rightly happen again."""
        return TransitionEvent(
            event_id=event_id or uuid4(),
            run_id=self.run_id,
            transition=what,
            fencing_token=self._beginning.fencing_token,
        )

    def _once(self, what: Transition, *which: object) -> TransitionEvent:
        """With an id that is the same when the program is run again for the same run: then it is a duplicate.

        Only where the program makes the run. Two that claim one must not have one id: both would seem to have won.
        """
        if not self._beginning.repeatable:
            return self._event(what)
        return self._event(what, event_id_for(self.run_id, type(what).__name__, *which))

    def of_attempt(self, what: Transition, step_id: str, attempt: int | None) -> TransitionEvent:
        """With an id that says what its attempt says: which step, and which try."""
        if attempt is None:
            return self._event(what)
        return self._event(what, event_id_for(self.run_id, type(what).__name__, step_id, attempt))

"""What can happen to a run: one type per kind of transition.

``KINDS`` maps each kind's Avro name to its type, ``KIND_OF_WORD`` the word of the JSON lines form ("step_completed") to
the Avro name. JSON values are Python objects here.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from msgspec import Struct, field

from .event_fields import from_field, to_field
from .references import ParentStep
from .state import WorkflowState


def _word(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


class Transition(Struct, frozen=True, kw_only=True, tag_field="type", tag=_word):
    """What happened. Which of them a run in which status accepts is in the transition table."""

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The transition that the fields of a record hold."""
        return cls(**{name: from_field(name, value) for name, value in fields.items()})

    def to_fields(self) -> dict[str, Any]:
        """Datum of this kind's record in TransitionEvent.avsc."""
        return {name: to_field(name, getattr(self, name)) for name in self.__struct_fields__}


class WorkflowCreated(Transition, frozen=True, kw_only=True):
    """A run comes to be, pending."""

    workflow_id: str
    """Names the definition; several runs share one."""
    workflow_name: str
    user_id: str | None = None
    context: Any = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    parent: ParentStep | None = None


class WorkflowStarted(Transition, frozen=True, kw_only=True):
    """A pending run begins to run."""


class WorkflowPaused(Transition, frozen=True, kw_only=True):
    """A pending or running run waits, for a person or anything else."""

    reason: str | None = None


class WorkflowResumed(Transition, frozen=True, kw_only=True):
    """A paused run goes on, or a failed one is taken up again."""


class WorkflowCompleted(Transition, frozen=True, kw_only=True):
    """The run is done."""


class WorkflowFailed(Transition, frozen=True, kw_only=True):
    """The run is over without success."""

    error: str
    error_type: str | None = None
    """``cancelled``, ``timed_out`` or an exception's class."""


class ContextUpdated(Transition, frozen=True, kw_only=True):
    """The context changes by a merge patch (RFC 7396): null removes a key."""

    patch: Any


class StepCreated(Transition, frozen=True, kw_only=True):
    """A step is announced, pending."""

    step_id: str


class StepStarted(Transition, frozen=True, kw_only=True):
    """A step begins, or begins anew."""

    step_id: str
    attempt: int | None = None
    """1 for the first start. Given, it identifies the report: the same one again is a duplicate."""
    inputs: Any = None
    """Kept in the log, not in the state."""


class StepCompleted(Transition, frozen=True, kw_only=True):
    """A step is done."""

    step_id: str
    attempt: int | None = None
    outputs: Any = None
    usage: dict[str, int] = field(default_factory=dict)
    """Of this attempt; added to the step's and the run's."""


class StepFailed(Transition, frozen=True, kw_only=True):
    """A step's attempt ended without success."""

    step_id: str
    attempt: int | None = None
    error: str
    error_type: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    """Of this attempt; added to the step's and the run's."""


class StepRetried(Transition, frozen=True, kw_only=True):
    """A step will be tried again: it is pending until it starts."""

    step_id: str
    attempt: int | None = None
    """The attempt that failed."""


class StepSkipped(Transition, frozen=True, kw_only=True):
    """A step will not be done."""

    step_id: str
    reason: str | None = None


class StepHeartbeat(Transition, frozen=True, kw_only=True):
    """A running step still runs."""

    step_id: str
    attempt: int | None = None


class CheckpointRequested(Transition, frozen=True, kw_only=True):
    """A checkpoint of the run is wanted, or of the snapshot given."""

    step_id: str
    checkpoint_id: UUID | None = None
    timestamp: datetime | None = None
    snapshot: WorkflowState | None = None


class CheckpointsTrimmed(Transition, frozen=True, kw_only=True):
    """Only so many of the newest checkpoints stay; 0: none."""

    keep: int


class WorkflowSaved(Transition, frozen=True, kw_only=True):
    """The complete state, created or replaced: the crate's save_workflow_state."""

    state: WorkflowState


class WorkflowRestored(Transition, frozen=True, kw_only=True):
    """The run goes back to a checkpoint's snapshot."""

    checkpoint_id: UUID
    snapshot: WorkflowState


class WorkflowDeleted(Transition, frozen=True, kw_only=True):
    """The run and its checkpoints go."""


KINDS: dict[str, type[Transition]] = {kind.__name__: kind for kind in Transition.__subclasses__()}
KIND_OF_WORD: dict[str, str] = {_word(name): name for name in KINDS}

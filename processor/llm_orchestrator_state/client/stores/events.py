"""The events that a store's calls publish."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid4

import msgspec

from ...model.checkpoint import Checkpoint
from ...model.events import TransitionEvent
from ...model.instants import to_micros
from ...model.kinds import CheckpointRequested, CheckpointsTrimmed, WorkflowDeleted, WorkflowSaved
from ...model.state import WorkflowState
from ..publishing.given_state import without_cleared, without_references
from ..publishing.ids import event_id_for


def at_last_activity(state: WorkflowState) -> WorkflowState:
    """A shallow copy. The crate's steps do not move updated_at: its most recent run may be one that nobody works on."""
    instants = [each for step in state.steps.values() for each in (step.started_at, step.completed_at) if each]
    last = max(state.updated_at, *instants, key=to_micros) if instants else state.updated_at
    return msgspec.structs.replace(state, updated_at=last)


def saved(state: WorkflowState, expected_version: int) -> TransitionEvent:
    """The same save again is the same event; without a version (0) it is another one, and replaces whatever is there."""
    state = without_cleared(state) if expected_version else without_references(state)
    return TransitionEvent(
        event_id=_save_id(state, expected_version) if expected_version else uuid4(),
        run_id=state.id,
        expected_version=expected_version or None,
        transition=WorkflowSaved(state=state),
    )


def requested(checkpoint: Checkpoint, count: int) -> TransitionEvent:
    """The same checkpoint again is the same event, as long as the run's checkpoint_count is the same."""
    run_id = checkpoint.workflow_state_id
    return TransitionEvent(
        event_id=event_id_for(run_id, "checkpoint", checkpoint.id, count),
        run_id=run_id,
        transition=CheckpointRequested(
            step_id=checkpoint.step_id,
            checkpoint_id=checkpoint.id,
            timestamp=checkpoint.timestamp,
            snapshot=without_cleared(checkpoint.snapshot),
        ),
    )


def trimmed(run_id: UUID, keep: int) -> TransitionEvent:
    return TransitionEvent(run_id=run_id, transition=CheckpointsTrimmed(keep=keep))


def deleted(run_id: UUID, version: int) -> TransitionEvent:
    """Only as it is with that version."""
    return TransitionEvent(
        event_id=event_id_for(run_id, "deleted", version),
        run_id=run_id,
        expected_version=version,
        transition=WorkflowDeleted(),
    )


def touches_checkpoints(event: TransitionEvent) -> bool:
    return not isinstance(event.transition, WorkflowSaved)


def _save_id(state: WorkflowState, expected_version: int) -> UUID:
    try:
        content = msgspec.json.encode(state, order="sorted")
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return uuid4()  # what has no JSON form is refused, with its name, when the event is encoded
    return event_id_for(state.id, "saved", expected_version, hashlib.sha256(content).hexdigest())

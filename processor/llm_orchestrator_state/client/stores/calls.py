"""What each method of a store does, without its waiting.

Each call that publishes is a generator of events to be settled; it is sent what became of each.
The stores differ in how they settle, and whether they block.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Generic, TypeVar, final
from uuid import UUID

from ...errors import Configuration, EventRejected, InvalidState, NotFound
from ...model.checkpoint import Checkpoint
from ...model.events import TransitionEvent
from ...model.ids import short_id
from ...model.instants import to_micros
from ...model.state import WorkflowState
from ...model.verdicts import Code
from ..reading.window import Window
from .events import at_last_activity, deleted, requested, saved, trimmed
from .runs import Runs, as_uuid
from .unchanged import Unchanged

Outcome = EventRejected | Window | None
"""Why an event was rejected; or its run's window, in which it may be; or None where the run is gone."""
Outcomes = list[Outcome]

T = TypeVar("T")
Call = Generator[Sequence[TransitionEvent], Outcomes, T]

TOGETHER = 500
"""Events that are settled at a time: enough to share the waiting, few enough to be known one by one."""


@final
class Done(Generic[T]):
    """What a call returns."""

    def __init__(self, value: T) -> None:
        self.value = value


def advance(call: Call[T], outcomes: Outcomes | None = None) -> Sequence[TransitionEvent] | Done[T]:
    """To the next events that are to be settled, or the call's end. outcomes: of the last ones; None at its beginning."""
    try:
        return next(call) if outcomes is None else call.send(outcomes)
    except StopIteration as end:
        return Done(end.value)


def save(runs: Runs, unchanged: Unchanged, state: WorkflowState) -> Call[int]:
    if not isinstance(state, WorkflowState):
        raise InvalidState(f"a {type(state).__name__} is no state; give a WorkflowState")
    given = at_last_activity(state)
    event = saved(given, unchanged.current(runs, state.id, state.version))
    (outcome,) = yield [event]
    if isinstance(outcome, EventRejected):
        raise outcome
    if outcome is None:
        raise NotFound(f"run {state.id} was deleted as soon as it was saved; save it again if it is to be there")
    if event.expected_version is None:
        state.version = outcome.version_after(short_id(str(event.event_id)))
    else:
        state.version = event.expected_version + 1
    state.updated_at = given.updated_at
    return state.version


def load(runs: Runs, run_id: UUID | str) -> WorkflowState:
    state = runs.get(as_uuid(run_id, "run"))
    if state is None:
        raise NotFound(f"there is no run {run_id}")
    return state


def load_latest_of(runs: Runs, workflow_id: str) -> WorkflowState:
    state = runs.latest_of(workflow_id)
    if state is None:
        raise NotFound(f"there is no run of workflow {workflow_id!r}; the name is taken exactly as it is")
    return state


def create_checkpoint(runs: Runs, unchanged: Unchanged, checkpoint: Checkpoint) -> Call[None]:
    kept = runs.checkpoint(checkpoint.id)
    if kept is None:
        run = runs.get(checkpoint.workflow_state_id)
        event = requested(checkpoint, 0 if run is None else run.checkpoint_count)
        (outcome,) = yield [event]
        if isinstance(outcome, EventRejected):
            raise _of_no_run(outcome, checkpoint.workflow_state_id)
        if outcome is not None:
            unchanged.note(event, outcome)
        kept = runs.checkpoint(checkpoint.id)
        if kept is None:
            _raise_if_off(runs, checkpoint)
            return  # ten others came after it
    if _content(kept) != _content(checkpoint):
        raise InvalidState(
            f"checkpoint {checkpoint.id} exists already, with other content, and stays; give the new one an id of its own"
        )


def latest_checkpoint(runs: Runs, run_id: UUID | str) -> Checkpoint | None:
    return next(reversed(runs.checkpoints(as_uuid(run_id, "run"))), None)


def restore(runs: Runs, checkpoint_id: UUID | str) -> WorkflowState:
    checkpoint = runs.checkpoint(as_uuid(checkpoint_id, "checkpoint"))
    if checkpoint is None:
        raise NotFound(f"there is no checkpoint {checkpoint_id}; the newest ten of a run are kept")
    state = checkpoint.snapshot
    now = runs.get(state.id)
    state.version = 0 if now is None else now.version
    return state


def delete_old(runs: Runs, older_than: datetime) -> Call[int]:
    to_micros(older_than)  # raises for an instant without a zone
    count = 0
    old = runs.ended_before(older_than)
    for at in range(0, len(old), TOGETHER):
        outcomes = yield [deleted(state) for state in old[at : at + TOGETHER]]
        for outcome in outcomes:
            if not isinstance(outcome, EventRejected):
                count += 1
            elif outcome.code not in (Code.VERSION_CONFLICT, Code.UNKNOWN_RUN):  # changed, or deleted, meanwhile
                raise outcome
    return count


def cleanup_checkpoints(runs: Runs, unchanged: Unchanged, run_id: UUID | str, keep_count: int) -> Call[int]:
    if keep_count < 0:
        raise InvalidState(f"keep_count is {keep_count}; expected how many checkpoints stay, from 0 on")
    run = as_uuid(run_id, "run")
    kept = runs.checkpoints(run)
    if len(kept) <= keep_count:
        return 0
    event = trimmed(run, keep_count)
    (outcome,) = yield [event]
    if isinstance(outcome, Window):
        unchanged.note(event, outcome)
    elif outcome is not None and outcome.code is not Code.UNKNOWN_RUN:  # deleted meanwhile, its checkpoints too
        raise outcome
    return len(kept) - keep_count


def _of_no_run(rejected: EventRejected, run_id: UUID) -> Exception:
    if rejected.code is Code.UNKNOWN_RUN:
        return NotFound(f"there is no run {run_id} to keep a checkpoint of; save it first")
    return rejected


def _raise_if_off(runs: Runs, checkpoint: Checkpoint) -> None:
    state = runs.get(checkpoint.workflow_state_id)
    if state is not None and not state.checkpoint_count:
        raise Configuration(
            "this topic set keeps no checkpoints (policy off); use one that was made with `topics create --checkpoints "
            "requested` or `step`"
        )


def _content(checkpoint: Checkpoint) -> object:
    """What is kept of what was given: the version is the run's."""
    record = checkpoint.to_record()
    return record["workflow_state_id"], record["step_id"], record["timestamp"], record["snapshot"]

"""What each method of a store does, without its waiting.

Each call is a generator: of events to be settled, of which it is sent what became of each, and of what has to be waited
for, of which it is sent the answer. The stores differ in how they settle, and whether they block.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar, final
from uuid import UUID

from ...errors import Configuration, EventRejected, InvalidState, NotFound
from ...model.carried import without_references
from ...model.checkpoint import Checkpoint
from ...model.events import TransitionEvent
from ...model.ids import short_id
from ...model.instants import to_micros
from ...model.state import WorkflowState
from ...model.verdicts import Code
from ..reading.waiting import Waiting
from ..reading.window import Window
from .events import at_last_activity, deleted, requested, saved, trimmed
from .runs import Runs, as_uuid
from .unchanged import Unchanged

Outcome = EventRejected | Window | None
"""Why an event was rejected; or its run's window, in which it may be; or None where the run is gone."""
Outcomes = list[Outcome]

T = TypeVar("T")
Call = Generator[Sequence[TransitionEvent] | Waiting, Any, T]

TOGETHER = 500
"""Events that are settled at a time: enough to share the waiting, few enough to be known one by one."""


@final
class Done(Generic[T]):
    """What a call returns."""

    def __init__(self, value: T) -> None:
        self.value = value


def advance(call: Call[T], answer: Any = None) -> Sequence[TransitionEvent] | Waiting | Done[T]:
    """To what is next to be settled or waited for, or the call's end. answer: to the last; None at its beginning."""
    try:
        return call.send(answer)
    except StopIteration as end:
        return Done(end.value)


def save(runs: Runs, unchanged: Unchanged, state: WorkflowState) -> Call[int]:
    if not isinstance(state, WorkflowState):
        raise InvalidState(f"a {type(state).__name__} is no state; give a WorkflowState")
    given = at_last_activity(state)
    event = saved(given, unchanged.current(runs, state.id, state.version))
    (outcome,) = yield from _settled([event])
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


def load(runs: Runs, run_id: UUID | str) -> Call[WorkflowState]:
    state = yield from runs.get(as_uuid(run_id, "run"))
    if state is None:
        raise NotFound(f"there is no run {run_id}")
    return state


def load_latest_of(runs: Runs, workflow_id: str) -> Call[WorkflowState]:
    state = yield from runs.latest_of(workflow_id)
    if state is None:
        raise NotFound(f"there is no run of workflow {workflow_id!r}; the name is taken exactly as it is")
    return state


def create_checkpoint(runs: Runs, unchanged: Unchanged, checkpoint: Checkpoint) -> Call[None]:
    kept = yield from runs.checkpoint(checkpoint.id)
    if kept is None:
        run = runs.record(checkpoint.workflow_state_id)
        event = requested(checkpoint, 0 if run is None else run["checkpoint_count"])
        (outcome,) = yield from _settled([event])
        if isinstance(outcome, EventRejected):
            raise _of_no_run(outcome, checkpoint.workflow_state_id)
        if outcome is not None:
            unchanged.note(event, outcome)
        kept = yield from runs.checkpoint(checkpoint.id)
        if kept is None:
            _raise_if_off(runs, checkpoint)
            return  # ten others came after it
    if _content(kept) != _content(checkpoint):
        raise InvalidState(
            f"checkpoint {checkpoint.id} exists already, with other content, and stays; give the new one an id of its own"
        )


def latest_checkpoint(runs: Runs, run_id: UUID | str) -> Call[Checkpoint | None]:
    return (yield from runs.latest_checkpoint(as_uuid(run_id, "run")))


def restore(runs: Runs, checkpoint_id: UUID | str) -> Call[WorkflowState]:
    checkpoint = yield from runs.checkpoint(as_uuid(checkpoint_id, "checkpoint"))
    if checkpoint is None:
        raise NotFound(f"there is no checkpoint {checkpoint_id}; the newest ten of a run are kept")
    state = checkpoint.snapshot
    now = runs.record(state.id)
    state.version = 0 if now is None else now["version"]
    return state


def delete_old(runs: Runs, older_than: datetime) -> Call[int]:
    to_micros(older_than)  # raises for an instant without a zone
    count = 0
    old = runs.ended_before(older_than)
    for at in range(0, len(old), TOGETHER):
        outcomes = yield from _settled(
            [deleted(UUID(state["id"]), state["version"]) for state in old[at : at + TOGETHER]]
        )
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
    kept = runs.checkpoint_count(run)
    if kept <= keep_count:
        return 0
    event = trimmed(run, keep_count)
    (outcome,) = yield from _settled([event])
    if isinstance(outcome, Window):
        unchanged.note(event, outcome)
    elif outcome is not None and outcome.code is not Code.UNKNOWN_RUN:  # deleted meanwhile, its checkpoints too
        raise outcome
    return kept - keep_count


def _settled(events: Sequence[TransitionEvent]) -> Generator[Sequence[TransitionEvent], Outcomes, Outcomes]:
    return (yield events)


def _of_no_run(rejected: EventRejected, run_id: UUID) -> Exception:
    if rejected.code is Code.UNKNOWN_RUN:
        return NotFound(f"there is no run {run_id} to keep a checkpoint of; save it first")
    return rejected


def _raise_if_off(runs: Runs, checkpoint: Checkpoint) -> None:
    state = runs.record(checkpoint.workflow_state_id)
    if state is not None and not state["checkpoint_count"]:
        raise Configuration(
            "this topic set keeps no checkpoints (policy off); use one that was made with `topics create --checkpoints "
            "requested` or `step`"
        )


def _content(checkpoint: Checkpoint) -> object:
    """What is kept of what was given: the version is the run's."""
    record = checkpoint.to_record()
    return record["workflow_state_id"], record["step_id"], record["timestamp"], without_references(record["snapshot"])

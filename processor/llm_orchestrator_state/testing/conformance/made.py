"""Runs that the tests make, and what they expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from ...client.stores import StateStore
from ...model.carried import without_references
from ...model.checkpoint import Checkpoint
from ...model.state import WorkflowState
from ...model.step import StepState

DAY = timedelta(days=1)


def name(what: str = "workflow") -> str:
    """Nobody else's."""
    return f"{what}-{uuid4().hex[:12]}"


def run(workflow_id: str | None = None, *, at: datetime | None = None, context: Any = None) -> WorkflowState:
    """Not saved yet. at: of its creation; now, if not given."""
    return WorkflowState.new(workflow_id or name(), "Ticket triage", "user-1", context, at=at)


def saved(store: StateStore, state: WorkflowState | None = None) -> WorkflowState:
    state = state or run()
    store.save_workflow_state(state)
    return state


def completed_step(step_id: str, outputs: Any = None) -> StepState:
    step = StepState.new(step_id)
    step.mark_running()
    step.mark_completed(outputs)
    return step


def checkpoint(state: WorkflowState, step_id: str = "step", *, at: datetime | None = None) -> Checkpoint:
    """Of the state as it is now, whatever becomes of it."""
    return Checkpoint.new(state.id, step_id, WorkflowState.from_json(state.to_json()), at=at)


def content(state: WorkflowState) -> dict[str, Any]:
    """What a save gives the run: all but what counts its events, and where its values are."""
    record: dict[str, Any] = {**without_references(state.to_record())}
    for counted in (
        "version",
        "last_event_id",
        "recent_event_ids",
        "fencing_token",
        "checkpoint_count",
        "output_count",
        "released_outputs",
    ):
        del record[counted]
    return record


def ancient() -> datetime:
    """An instant in the seventies, which no real run has: each time another day."""
    return datetime(1970, 1, 1, tzinfo=UTC) + uuid4().int % 3_000 * DAY


@contextmanager
def raises(kind: type[Exception], text: str = "", **attributes: object) -> Iterator[None]:
    """An error of that kind, whose message has that text and which has those attributes."""
    try:
        yield
    except kind as error:
        assert text in str(error), f"{text!r} is not in {str(error)!r}"
        for attribute, expected in attributes.items():
            found = getattr(error, attribute)
            assert found == expected, f"{attribute} is {found!r}, not {expected!r}"
    else:
        raise AssertionError(f"{kind.__name__} was not raised")

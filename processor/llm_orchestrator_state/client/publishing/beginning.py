"""How handles come to their runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from ...errors import InvalidState
from ...model.kinds import Transition, WorkflowCreated, WorkflowResumed, WorkflowStarted
from ...model.references import ParentStep
from ...model.state import WorkflowState
from ...model.status import WorkflowStatus
from .ids import as_run_id

FIRST_TOKEN = 0
"""Of the program that makes a run. Without one its late events would pass, whoever has claimed the run meanwhile."""


class Beginning(NamedTuple):
    """How a handle comes to its run.

    transitions: what entering its block publishes; decided on expected_version, if given, and not before ``not_before``.
    attempts: by step, how often it was started; None: not known, and then no event says its attempt.
    fencing_token: None for a handle that does not own the run, and that no claim fences off.
    repeatable: the program that makes this run may be run again from its start, and then says the same once more.
    """

    run_id: UUID
    transitions: tuple[Transition, ...] = ()
    attempts: dict[str, int] | None = None
    fencing_token: int | None = None
    expected_version: int | None = None
    not_before: datetime | None = None
    repeatable: bool = False


def created(
    workflow_id: str,
    *,
    name: str | None,
    user_id: str | None,
    context: Any,
    labels: Mapping[str, str] | None,
    run_id: UUID | str | None,
    parent: ParentStep | None,
) -> Beginning:
    """Of a new run."""
    what = WorkflowCreated(
        workflow_id=workflow_id,
        workflow_name=workflow_id if name is None else name,
        user_id=user_id,
        context={} if context is None else context,
        labels=dict(labels or {}),
        parent=parent,
    )
    return Beginning(
        uuid4() if run_id is None else as_run_id(run_id),
        (what, WorkflowStarted()),
        {},
        fencing_token=FIRST_TOKEN,
        repeatable=True,
    )


def claimed(state: WorkflowState) -> Beginning:
    """Of a run that another orchestrator has left. Raises InvalidState for one that is completed."""
    if not isinstance(state, WorkflowState):
        raise InvalidState(
            f"a {type(state).__name__} is no state to claim; a reader's get() gives one, if there is the run"
        )
    if not (state.is_active() or state.status is WorkflowStatus.FAILED):
        raise InvalidState(
            f"run {state.id} is {state.status}; only a pending, running, paused or failed run can be claimed"
        )
    pending = state.status is WorkflowStatus.PENDING
    return Beginning(
        state.id,
        (WorkflowStarted() if pending else WorkflowResumed(),),
        attempts_of(state),
        fencing_token=(state.fencing_token or FIRST_TOKEN) + 1,
        expected_version=state.version,
        # a failed run is not resumed by an event from before its end, and that host's clock may be ahead of ours
        not_before=state.completed_at,
    )


def attempts_of(state: WorkflowState) -> dict[str, int]:
    return {step_id: step.attempt for step_id, step in state.steps.items()}

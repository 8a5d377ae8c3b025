"""Where a run that was interrupted goes on."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ...errors import InvalidState
from ...model.state import WorkflowState
from ...model.status import StepStatus


class ResumePoint(Struct, frozen=True):
    """What is done and what is left of a run, as its state says; steps that no event has named are not in it.

    done: outputs of the completed steps by step id. skipped, running, failed, to_do (pending, retries too): step ids. All
    in order of first appearance. A running step's orchestrator may be at work, or dead: only its publisher knows.
    """

    state: WorkflowState
    done: dict[str, Any]
    skipped: list[str]
    running: list[str]
    failed: list[str]
    to_do: list[str]

    @classmethod
    def of(cls, state: WorkflowState) -> ResumePoint:
        """Raises InvalidState for a step whose status is newer than this program."""
        ids: dict[StepStatus, list[str]] = {status: [] for status in StepStatus}
        for step_id, step in state.steps.items():
            ids[step.status].append(step_id)
        if unknown := ids[StepStatus.UNKNOWN]:
            raise InvalidState(
                f"step {unknown[0]!r} of run {state.id} has a status newer than this program; update this program"
            )
        return cls(
            state=state,
            done={step_id: state.steps[step_id].outputs for step_id in ids[StepStatus.COMPLETED]},
            skipped=ids[StepStatus.SKIPPED],
            running=ids[StepStatus.RUNNING],
            failed=ids[StepStatus.FAILED],
            to_do=ids[StepStatus.PENDING],
        )

"""States as users give them: of one that was read, the values count, and the references say only where those were."""

from __future__ import annotations

from msgspec.structs import replace

from ...model.state import WorkflowState


def without_cleared(state: WorkflowState) -> WorkflowState:
    """One without references whose values were set to None. The given one is not changed.

    In an event a reference without a value stands for it: the value would come back.
    """
    cleared = {
        step_id: replace(step, outputs_ref=None)
        for step_id, step in state.steps.items()
        if step.outputs is None and step.outputs_ref is not None
    }
    if state.context is None and state.context_ref is not None:
        state = replace(state, context_ref=None)
    return replace(state, steps={**state.steps, **cleared}) if cleared else state


def without_references(state: WorkflowState) -> WorkflowState:
    """One with its values only, for a run that may have other outputs, or none. The given one is not changed."""
    steps = {
        step_id: step if step.outputs_ref is None else replace(step, outputs_ref=None)
        for step_id, step in state.steps.items()
    }
    return replace(state, context_ref=None, steps=steps)

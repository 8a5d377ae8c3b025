"""Whole states in events: a value that was written to the outputs topic once is not sent again.

A state that was read has its large values, and beside each the reference to where it is. The value is what counts: whoever
changes it need not know that there is a reference.
"""

from __future__ import annotations

from hashlib import sha256

from .records import OutputRefRecord, StateRecord

WHOLE_STATES = frozenset({"state", "snapshot"})
"""Fields of events that carry one."""

NO_CONTEXT = "null"
"""In place of a context that is in the outputs topic."""


def with_references(state: StateRecord) -> StateRecord:
    """One in which a value that still is what its reference says gives way to it, and a changed one is without it.

    The processor takes neither both nor one reference in two places. A reference without a value stays.
    """
    if not _refers(state):
        return state
    carried: set[int] = set()

    def reference(text: str | None, ref: OutputRefRecord | None) -> OutputRefRecord | None:
        if ref is None or text is None:
            return ref
        if ref["n"] in carried or not _is_value_of(text, ref):
            return None
        carried.add(ref["n"])
        return ref

    state = {**state, "steps": {step_id: {**step} for step_id, step in state["steps"].items()}}
    context = None if state["context"] == NO_CONTEXT else state["context"]
    state["context_ref"] = reference(context, state["context_ref"])
    if state["context_ref"] is not None:
        state["context"] = NO_CONTEXT
    for step in state["steps"].values():
        step["outputs_ref"] = reference(step["outputs"], step["outputs_ref"])
        if step["outputs_ref"] is not None:
            step["outputs"] = None
    return state


def without_references(state: StateRecord) -> StateRecord:
    """One with its values only."""
    if not _refers(state):
        return state
    return {
        **state,
        "context_ref": None,
        "steps": {step_id: {**step, "outputs_ref": None} for step_id, step in state["steps"].items()},
    }


def _refers(state: StateRecord) -> bool:
    return state["context_ref"] is not None or any(step["outputs_ref"] for step in state["steps"].values())


def _is_value_of(text: str, ref: OutputRefRecord) -> bool:
    value = text.encode()
    return len(value) == ref["bytes"] and sha256(value).digest() == ref["sha256"]

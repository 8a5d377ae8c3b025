"""The JSON form of runs, steps and checkpoints, as types: what is read and written, before its texts are understood.

Fields stand in the crate's order, ours after them. What the crate requires is required. Unknown fields are ignored, so
that a newer program's state stays readable. JSON values stay text, so that a number keeps its digits.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from .limits import MAX_INT, MAX_LONG

Int = Annotated[int, Meta(ge=0, le=MAX_INT)]
Long = Annotated[int, Meta(ge=0, le=MAX_LONG)]
SignedLong = Annotated[int, Meta(ge=-MAX_LONG - 1, le=MAX_LONG)]


class ParentForm(Struct):
    """JSON form of ParentStep."""

    id: str
    step_id: str


class OutputRefForm(Struct):
    """JSON form of OutputRef; sha256 in hex digits."""

    n: Long
    bytes: Long
    sha256: str
    born: Long


class ReleasedOutputForm(Struct):
    """JSON form of ReleasedOutput."""

    n: SignedLong
    released: Long


class StepForm(Struct, kw_only=True):
    """JSON form of StepState."""

    step_id: str
    status: str
    started_at: str | None = None
    completed_at: str | None = None
    outputs: Raw
    error: str | None = None
    retry_count: Int
    attempt: Int = 0
    error_type: str | None = None
    status_reason: str | None = None
    usage: dict[str, Long] = {}
    outputs_ref: OutputRefForm | None = None


class StateForm(Struct, kw_only=True):
    """JSON form of WorkflowState; recent_event_ids in hex digits."""

    id: str
    workflow_id: str
    workflow_name: str
    status: str
    user_id: str | None = None
    started_at: str
    updated_at: str
    completed_at: str | None = None
    context: Raw
    error: str | None = None
    steps: dict[str, StepForm] = {}
    version: Long = 0
    last_event_id: str | None = None
    recent_event_ids: str = ""
    fencing_token: SignedLong | None = None
    checkpoint_count: Long = 0
    output_count: Long = 0
    released_outputs: list[ReleasedOutputForm] = []
    context_ref: OutputRefForm | None = None
    error_type: str | None = None
    status_reason: str | None = None
    labels: dict[str, str] = {}
    parent: ParentForm | None = None
    usage: dict[str, Long] = {}


class CheckpointForm(Struct, kw_only=True):
    """JSON form of Checkpoint."""

    id: str
    workflow_state_id: str
    step_id: str
    timestamp: str
    snapshot: StateForm
    version: Long = 0

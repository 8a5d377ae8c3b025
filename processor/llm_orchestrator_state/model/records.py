"""Records: the plain dicts that are the Avro data of schemas/*.avsc. The fold works on these.

Every field is present; instants are int microseconds since 1970 UTC; JSON values are JSON text; statuses their
lower-case symbol; ids UUID text; ``steps`` keeps the order of first appearance, which is part of the encoded bytes.
"""

from __future__ import annotations

import builtins
from typing import Any, TypedDict


class OutputRefRecord(TypedDict):
    """Where a value too large to carry inline is."""

    n: int
    bytes: int
    sha256: builtins.bytes
    born: int


class ReleasedOutputRecord(TypedDict):
    """An output that no state refers to any more, and the checkpoint_count at which that happened. n < 0: a context."""

    n: int
    released: int


class ParentRecord(TypedDict):
    """The step of another run that started this sub-workflow."""

    id: str
    step_id: str


class StepRecord(TypedDict):
    """Datum of StepState.avsc."""

    step_id: str
    status: str
    started_at: int | None
    completed_at: int | None
    outputs: str | None
    error: str | None
    retry_count: int
    attempt: int
    error_type: str | None
    status_reason: str | None
    usage: dict[str, int]
    outputs_ref: OutputRefRecord | None


class StateRecord(TypedDict):
    """Datum of WorkflowState.avsc."""

    id: str
    workflow_id: str
    workflow_name: str
    user_id: str | None
    started_at: int
    labels: dict[str, str]
    parent: ParentRecord | None
    context: str
    context_ref: OutputRefRecord | None
    status: str
    updated_at: int
    completed_at: int | None
    error: str | None
    error_type: str | None
    status_reason: str | None
    version: int
    last_event_id: str | None
    recent_event_ids: bytes
    fencing_token: int | None
    checkpoint_count: int
    output_count: int
    released_outputs: list[ReleasedOutputRecord]
    usage: dict[str, int]
    steps: dict[str, StepRecord]


class CheckpointRecord(TypedDict):
    """Datum of Checkpoint.avsc."""

    id: str
    workflow_state_id: str
    step_id: str
    timestamp: int
    version: int
    snapshot: StateRecord


class EventRecord(TypedDict):
    """Datum of TransitionEvent.avsc. ``transition`` is the kind's Avro name and its fields."""

    event_id: str
    run_id: str
    occurred_at: int
    expected_version: int | None
    fencing_token: int | None
    transition: tuple[str, dict[str, Any]]

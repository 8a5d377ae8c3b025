"""A checkpoint, as other programs see it."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID, uuid4

from msgspec import Struct

from .form_reading import read_checkpoint
from .form_writing import write_checkpoint
from .instants import from_micros, now, to_micros
from .json_objects import uuid_object
from .records import CheckpointRecord
from .state import WorkflowState


class Checkpoint(Struct, kw_only=True):
    """A complete state of a run as it was after one event. The latest has the greatest version."""

    id: UUID
    workflow_state_id: UUID
    """The run."""
    step_id: str
    timestamp: datetime
    """Timezone-aware; says when, orders nothing."""
    snapshot: WorkflowState
    version: int = 0
    """Version of the run after the event that made this checkpoint."""

    @classmethod
    def new(cls, workflow_state_id: UUID, step_id: str, snapshot: WorkflowState, *, at: datetime | None = None) -> Self:
        """A checkpoint with a random id. Neither the step nor the snapshot's run is compared, as in the crate."""
        return cls(
            id=uuid4(),
            workflow_state_id=workflow_state_id,
            step_id=step_id,
            timestamp=at or now(),
            snapshot=snapshot,
            version=snapshot.version,
        )

    @classmethod
    def from_record(cls, record: CheckpointRecord) -> Self:
        """The checkpoint that a record (datum of Checkpoint.avsc, instants in microseconds) holds."""
        return cls(
            id=uuid_object(record["id"]),
            workflow_state_id=uuid_object(record["workflow_state_id"]),
            step_id=record["step_id"],
            timestamp=from_micros(record["timestamp"]),
            snapshot=WorkflowState.from_record(record["snapshot"]),
            version=record["version"],
        )

    def to_record(self) -> CheckpointRecord:
        """Datum of Checkpoint.avsc. Raises InvalidState as the snapshot's ``to_record`` does."""
        return {
            "id": str(self.id),
            "workflow_state_id": str(self.workflow_state_id),
            "step_id": self.step_id,
            "timestamp": to_micros(self.timestamp),
            "version": self.version,
            "snapshot": self.snapshot.to_record(),
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The checkpoint that a JSON text holds, this package's or the crate's. Raises Serialization."""
        return cls.from_record(read_checkpoint(text))

    def to_json(self) -> str:
        """Compact JSON with every field. Raises InvalidState as ``to_record`` does."""
        return write_checkpoint(self.to_record()).decode()

"""Small values inside states that point elsewhere: at outputs and at parent runs."""

from __future__ import annotations

import builtins
from typing import Self
from uuid import UUID

from msgspec import Struct

from .json_objects import uuid_object
from .records import OutputRefRecord, ParentRecord, ReleasedOutputRecord


class OutputRef(Struct, frozen=True):
    """Where a value too large to carry inline is: record ``<run>/<n>`` of the outputs topic."""

    n: int
    """Counted per run, never reused."""
    bytes: int
    """Length of the value in UTF-8 bytes."""
    sha256: builtins.bytes
    born: int
    """The run's checkpoint_count when it was written."""

    @classmethod
    def from_record(cls, record: OutputRefRecord | None) -> Self | None:
        """The reference that a record holds, if any."""
        return None if record is None else cls(record["n"], record["bytes"], record["sha256"], record["born"])

    def to_record(self) -> OutputRefRecord:
        """Datum of OutputRef in the schemas."""
        return {"n": self.n, "bytes": self.bytes, "sha256": self.sha256, "born": self.born}


class ParentStep(Struct, frozen=True):
    """The step of another run that started this sub-workflow."""

    id: UUID
    step_id: str

    @classmethod
    def from_record(cls, record: ParentRecord | None) -> Self | None:
        """The parent that a record holds, if any."""
        return None if record is None else cls(uuid_object(record["id"]), record["step_id"])

    def to_record(self) -> ParentRecord:
        """Datum of ParentStep in the schemas."""
        return {"id": str(self.id), "step_id": self.step_id}


class ReleasedOutput(Struct, frozen=True):
    """An output that the state no longer refers to, kept for the checkpoints that still do."""

    n: int
    """Negative: it is a context. Stores have the texts of these, and a context may be restored from nothing else."""
    released: int
    """checkpoint_count at its release."""

    def to_record(self) -> ReleasedOutputRecord:
        """Datum of ReleasedOutput in the schemas."""
        return {"n": self.n, "released": self.released}

"""Transition events: reports of what happened to a run, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID, uuid4

from msgspec import Struct, field

from ..errors import Serialization
from .carried import WHOLE_STATES, with_references
from .instants import from_micros, now, to_micros
from .json_objects import uuid_object
from .kinds import KINDS, Transition
from .records import EventRecord


class TransitionEvent(Struct, frozen=True, kw_only=True):
    """A report of what happened to one run, and when."""

    event_id: UUID = field(default_factory=uuid4)
    """Chosen by the caller, so that publishing again after a crash is recognised; else random."""
    run_id: UUID
    occurred_at: datetime = field(default_factory=now)
    """Timezone-aware: the fold's only clock. Now, if not given."""
    expected_version: int | None = None
    """The version this was decided on, 0 for "must not exist"; another one in the state is a version_conflict."""
    fencing_token: int | None = None
    """Of the orchestrator; one lower than the highest seen is fenced."""
    transition: Transition

    @classmethod
    def from_record(cls, record: EventRecord) -> Self:
        """The event that a record (datum of TransitionEvent.avsc, instants in microseconds) holds.

        Raises:
            Serialization: a kind that is newer than this program, or a value that is not what it should be.
        """
        kind, fields = record["transition"]
        if kind not in KINDS:
            raise Serialization(f"transition {kind} is newer than this program: update it")
        return cls(
            event_id=uuid_object(record["event_id"]),
            run_id=uuid_object(record["run_id"]),
            occurred_at=from_micros(record["occurred_at"]),
            expected_version=record["expected_version"],
            fencing_token=record["fencing_token"],
            transition=KINDS[kind].from_fields(fields),
        )

    def to_record(self) -> EventRecord:
        """Datum of TransitionEvent.avsc.

        Raises:
            InvalidState: a value that is not JSON, an instant without zone, or a state whose status is unknown.
        """
        return {
            "event_id": str(self.event_id),
            "run_id": str(self.run_id),
            "occurred_at": to_micros(self.occurred_at),
            "expected_version": self.expected_version,
            "fencing_token": self.fencing_token,
            "transition": (type(self.transition).__name__, self._fields()),
        }

    def _fields(self) -> dict[str, Any]:
        fields = self.transition.to_fields()
        for name in WHOLE_STATES & fields.keys():
            if fields[name] is not None:
                fields[name] = with_references(fields[name])
        return fields

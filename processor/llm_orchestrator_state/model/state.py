"""A run's state, as other programs see it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID, uuid4

from msgspec import Struct, field

from ..errors import InvalidState
from .form_reading import read_state
from .form_writing import write_state
from .instants import from_micros, now, to_micros
from .json_objects import json_object, json_text, uuid_object
from .records import StateRecord
from .references import OutputRef, ParentStep, ReleasedOutput
from .status import WorkflowStatus
from .step import StepState

_STATUS = {status.value: status for status in WorkflowStatus}
_WORD = {status.value: status.value for status in WorkflowStatus}


class WorkflowState(Struct, kw_only=True):
    """The state of one run. ``workflow_id`` names the definition, which several runs share.

    Instants are timezone-aware UTC datetimes. ``context`` and outputs are JSON values as Python objects.
    The methods are the crate's and guard nothing: what a real sequence of events may do is the fold's to say.
    """

    id: UUID
    """The run: the Kafka key everywhere."""
    workflow_id: str
    workflow_name: str
    status: WorkflowStatus = WorkflowStatus.PENDING
    user_id: str | None = None
    started_at: datetime
    """When the run was created; nothing moves it."""
    updated_at: datetime
    completed_at: datetime | None = None
    context: Any = field(default_factory=dict)
    error: str | None = None
    steps: dict[str, StepState] = field(default_factory=dict)
    """In order of first appearance."""
    version: int = 0
    """Events applied to this run."""
    last_event_id: UUID | None = None
    recent_event_ids: bytes = b""
    """The deduplication window: 8 bytes an event id, newest last."""
    fencing_token: int | None = None
    """The highest seen."""
    checkpoint_count: int = 0
    output_count: int = 0
    released_outputs: list[ReleasedOutput] = field(default_factory=list)
    context_ref: OutputRef | None = None
    error_type: str | None = None
    """``cancelled``, ``timed_out`` or an exception's class."""
    status_reason: str | None = None
    """Why it was paused."""
    labels: dict[str, str] = field(default_factory=dict)
    parent: ParentStep | None = None
    usage: dict[str, int] = field(default_factory=dict)
    """Sums over the steps: OpenTelemetry GenAI names, cost in micro-USD."""

    @classmethod
    def new(
        cls,
        workflow_id: str,
        workflow_name: str,
        user_id: str | None = None,
        context: Any = None,
        *,
        at: datetime | None = None,
    ) -> Self:
        """A pending run with a random id and no steps. No context given is the empty object."""
        at = at or now()
        return cls(
            id=uuid4(),
            workflow_id=workflow_id,
            workflow_name=workflow_name,
            user_id=user_id,
            started_at=at,
            updated_at=at,
            context={} if context is None else context,
        )

    def mark_running(self, *, at: datetime | None = None) -> None:
        """Running, also after an end: ``completed_at`` and ``error`` of that end stay, as in the crate."""
        self._mark(WorkflowStatus.RUNNING, at)

    def mark_completed(self, *, at: datetime | None = None) -> None:
        """Completed: ``completed_at`` and ``updated_at`` are one instant. An earlier error stays, as in the crate."""
        self._mark(WorkflowStatus.COMPLETED, at)
        self.completed_at = self.updated_at

    def mark_failed(self, error: str, error_type: str | None = None, *, at: datetime | None = None) -> None:
        """Failed: ``completed_at`` and ``updated_at`` are one instant."""
        self._mark(WorkflowStatus.FAILED, at)
        self.completed_at = self.updated_at
        self.error = error
        self.error_type = error_type

    def _mark(self, status: WorkflowStatus, at: datetime | None) -> None:
        self.status = status
        self.updated_at = at or now()
        self.status_reason = None

    def is_active(self) -> bool:
        """Whether the run is not over: pending, running or paused."""
        return WorkflowStatus(self.status).is_active

    @classmethod
    def from_record(cls, record: StateRecord) -> Self:
        """The run that a record (datum of WorkflowState.avsc, instants in microseconds) holds."""
        completed_at, last_event_id = record["completed_at"], record["last_event_id"]
        return cls(
            id=uuid_object(record["id"]),
            workflow_id=record["workflow_id"],
            workflow_name=record["workflow_name"],
            status=_STATUS.get(record["status"], WorkflowStatus.UNKNOWN),
            user_id=record["user_id"],
            started_at=from_micros(record["started_at"]),
            updated_at=from_micros(record["updated_at"]),
            completed_at=None if completed_at is None else from_micros(completed_at),
            context=json_object(record["context"]),
            error=record["error"],
            steps={step_id: StepState.from_record(step) for step_id, step in record["steps"].items()},
            version=record["version"],
            last_event_id=None if last_event_id is None else uuid_object(last_event_id),
            recent_event_ids=record["recent_event_ids"],
            fencing_token=record["fencing_token"],
            checkpoint_count=record["checkpoint_count"],
            output_count=record["output_count"],
            released_outputs=[ReleasedOutput(each["n"], each["released"]) for each in record["released_outputs"]],
            context_ref=OutputRef.from_record(record["context_ref"]),
            error_type=record["error_type"],
            status_reason=record["status_reason"],
            labels=dict(record["labels"]),
            parent=ParentStep.from_record(record["parent"]),
            usage=dict(record["usage"]),
        )

    def to_record(self) -> StateRecord:
        """Datum of WorkflowState.avsc. A step goes under its key, whatever id it has inside (the crate's rule).

        Raises:
            InvalidState: a context or outputs that are not JSON, an instant without zone, or a status unknown.
        """
        if self.status == WorkflowStatus.UNKNOWN:
            raise InvalidState(f"run {self.id} has a status newer than this program, which cannot write it")
        return {
            "id": str(self.id),
            "workflow_id": self.workflow_id,
            "workflow_name": self.workflow_name,
            "user_id": self.user_id,
            "started_at": to_micros(self.started_at),
            "labels": dict(self.labels),
            "parent": None if self.parent is None else self.parent.to_record(),
            "context": json_text(self.context, "context"),
            "context_ref": None if self.context_ref is None else self.context_ref.to_record(),
            "status": _WORD.get(self.status) or WorkflowStatus.parse(self.status).value,
            "updated_at": to_micros(self.updated_at),
            "completed_at": None if self.completed_at is None else to_micros(self.completed_at),
            "error": self.error,
            "error_type": self.error_type,
            "status_reason": self.status_reason,
            "version": self.version,
            "last_event_id": None if self.last_event_id is None else str(self.last_event_id),
            "recent_event_ids": self.recent_event_ids,
            "fencing_token": self.fencing_token,
            "checkpoint_count": self.checkpoint_count,
            "output_count": self.output_count,
            "released_outputs": [output.to_record() for output in self.released_outputs],
            "usage": dict(self.usage),
            "steps": {step_id: {**step.to_record(), "step_id": step_id} for step_id, step in self.steps.items()},
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The run that a JSON text holds, this package's or the crate's. Raises Serialization."""
        return cls.from_record(read_state(text))

    def to_json(self) -> str:
        """Compact JSON with every field. Raises InvalidState as ``to_record`` does."""
        return write_state(self.to_record()).decode()

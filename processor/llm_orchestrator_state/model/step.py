"""A step of a run, as other programs see it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from msgspec import Struct, field

from ..errors import InvalidState
from .form_reading import read_step
from .form_writing import write_step
from .instants import from_micros, now, to_micros
from .json_objects import json_object, json_text
from .records import StepRecord
from .references import OutputRef
from .status import StepStatus

_STATUS = {status.value: status for status in StepStatus}
_WORD = {status.value: status.value for status in StepStatus}


class StepState(Struct, kw_only=True):
    """One unit of work of a run. Fan-out and loops use step ids of the form ``name[key]``.

    The methods are the crate's and guard nothing: what a real sequence of events may do is the fold's to say.
    """

    step_id: str
    status: StepStatus = StepStatus.PENDING
    started_at: datetime | None = None
    completed_at: datetime | None = None
    outputs: Any = None
    """A JSON value as Python objects."""
    error: str | None = None
    retry_count: int = 0
    attempt: int = 0
    """How often it was started."""
    error_type: str | None = None
    """``cancelled``, ``timed_out`` or an exception's class."""
    status_reason: str | None = None
    """Why it was skipped."""
    usage: dict[str, int] = field(default_factory=dict)
    """Sums over all attempts: OpenTelemetry GenAI names, cost in micro-USD."""
    outputs_ref: OutputRef | None = None

    @classmethod
    def new(cls, step_id: str) -> Self:
        """A pending step."""
        return cls(step_id=step_id)

    def mark_running(self, *, at: datetime | None = None) -> None:
        """Started, once more if it was before: ``started_at`` moves, earlier outputs and errors stay."""
        self.status = StepStatus.RUNNING
        self.started_at = at or now()
        self.attempt += 1
        self.status_reason = None

    def mark_completed(self, outputs: Any, *, at: datetime | None = None) -> None:
        """Done, with these outputs (a JSON value). An earlier error stays, as in the crate."""
        self.status = StepStatus.COMPLETED
        self.completed_at = at or now()
        self.outputs = outputs
        self.outputs_ref = None
        self.status_reason = None

    def mark_failed(self, error: str, error_type: str | None = None, *, at: datetime | None = None) -> None:
        """Failed. Earlier outputs stay, as in the crate."""
        self.status = StepStatus.FAILED
        self.completed_at = at or now()
        self.error = error
        self.error_type = error_type
        self.status_reason = None

    def increment_retry(self) -> None:
        """One retry more; nothing else changes."""
        self.retry_count += 1

    @classmethod
    def from_record(cls, record: StepRecord) -> Self:
        """The step that a record (datum of StepState.avsc, instants in microseconds) holds."""
        started_at, completed_at, outputs = record["started_at"], record["completed_at"], record["outputs"]
        return cls(
            step_id=record["step_id"],
            status=_STATUS.get(record["status"], StepStatus.UNKNOWN),
            started_at=None if started_at is None else from_micros(started_at),
            completed_at=None if completed_at is None else from_micros(completed_at),
            outputs=None if outputs is None else json_object(outputs),
            error=record["error"],
            retry_count=record["retry_count"],
            attempt=record["attempt"],
            error_type=record["error_type"],
            status_reason=record["status_reason"],
            usage=dict(record["usage"]),
            outputs_ref=OutputRef.from_record(record["outputs_ref"]),
        )

    def to_record(self) -> StepRecord:
        """Datum of StepState.avsc.

        Raises:
            InvalidState: outputs that are not JSON, an instant without zone, or the status unknown.
        """
        if self.status == StepStatus.UNKNOWN:
            raise InvalidState(f"step {self.step_id!r} has a status newer than this program, which cannot write it")
        return {
            "step_id": self.step_id,
            "status": _WORD.get(self.status) or StepStatus.parse(self.status).value,
            "started_at": None if self.started_at is None else to_micros(self.started_at),
            "completed_at": None if self.completed_at is None else to_micros(self.completed_at),
            "outputs": None if self.outputs is None else json_text(self.outputs, f"outputs of step {self.step_id!r}"),
            "error": self.error,
            "retry_count": self.retry_count,
            "attempt": self.attempt,
            "error_type": self.error_type,
            "status_reason": self.status_reason,
            "usage": dict(self.usage),
            "outputs_ref": None if self.outputs_ref is None else self.outputs_ref.to_record(),
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The step that a JSON text holds, this package's or the crate's. Raises Serialization."""
        return cls.from_record(read_step(text))

    def to_json(self) -> str:
        """Compact JSON with every field. Raises InvalidState as ``to_record`` does."""
        return write_step(self.to_record()).decode()

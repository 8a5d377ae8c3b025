"""What the calls of a store read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from ...errors import InvalidState
from ...model.checkpoint import Checkpoint
from ...model.records import StateRecord
from ...model.state import WorkflowState
from ..reading.page import Page
from ..reading.waiting import Question


class Runs(Protocol):
    """Runs as they are now. Questions wait for large values, where there are any; nothing else here waits."""

    def record(self, run_id: UUID) -> StateRecord | None:
        """As the state topic has it: with references in place of large values."""

    def get(self, run_id: UUID) -> Question[WorkflowState | None]: ...
    def latest_of(self, workflow_id: str) -> Question[WorkflowState | None]:
        """The one that was updated last."""

    def active(self) -> Page:
        """The most recently updated first."""

    def ended_before(self, instant: datetime) -> Sequence[StateRecord]:
        """Completed and failed ones that were last updated before it; as record() gives them."""

    def checkpoint_count(self, run_id: UUID) -> int:
        """How many are kept."""

    def latest_checkpoint(self, run_id: UUID) -> Question[Checkpoint | None]: ...
    def checkpoint(self, checkpoint_id: UUID) -> Question[Checkpoint | None]: ...


def as_uuid(given: UUID | str, what: str) -> UUID:
    """Raises InvalidState for what is no UUID."""
    if isinstance(given, UUID):
        return given
    try:
        return UUID(given)
    except (ValueError, AttributeError, TypeError):
        raise InvalidState(
            f"{what} id {given!r} is not a UUID; expected one such as 6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
        ) from None

"""What the calls of a store read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from ...errors import InvalidState
from ...model.checkpoint import Checkpoint
from ...model.state import WorkflowState


class Runs(Protocol):
    """Runs as they are now. Nothing here waits."""

    def get(self, run_id: UUID | str) -> WorkflowState | None: ...
    def latest_of(self, workflow_id: str) -> WorkflowState | None:
        """The one that was updated last."""

    def active(self) -> Sequence[WorkflowState]:
        """The most recently updated first."""

    def ended_before(self, instant: datetime) -> Sequence[WorkflowState]:
        """Completed and failed ones that were last updated before it."""

    def checkpoints(self, run_id: UUID | str) -> list[Checkpoint]:
        """Oldest first."""

    def checkpoint(self, checkpoint_id: UUID) -> Checkpoint | None: ...


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

"""The store's interface: the crate's ten methods, under its names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

from ...model.checkpoint import Checkpoint
from ...model.state import WorkflowState
from .health import Health


@runtime_checkable
class StateStore(Protocol):
    """Whole states, saved and loaded. Threads may share one.

    What a method has written can be read when it returns. Every method may raise Connection, and TimedOut when brokers or
    workers do not answer in time; doing the same again is then safe: it is recognised, or changes nothing. testing.StateStoreConformance
    checks an implementation.
    """

    def save_workflow_state(self, state: WorkflowState) -> int:
        """Create or replace the run; returns its new version.

        All of it is replaced: steps that are not in the state go. A state that was loaded, restored or saved has a version,
        and replaces only the run of that version; one with version 0 replaces whatever is there. In the given state
        ``version`` is set to the new one, and ``updated_at`` moves to its steps' last start or end, if that is later.

        Raises:
            EventRejected: with code ``version_conflict`` where the run has another version; nothing is changed. Or with
                ``state_too_large``.
            InvalidState: a value that the model or JSON does not allow.
        """

    def load_workflow_state(self, run_id: UUID | str) -> WorkflowState:
        """The run, from one save or event, never a mixture of two. Raises NotFound."""

    def load_workflow_state_by_workflow_id(self, workflow_id: str) -> WorkflowState:
        """The run of that definition that was updated last, whatever its status. Raises NotFound."""

    def list_active_workflows(self) -> Sequence[WorkflowState]:
        """All pending, running and paused runs, the most recently updated first.

        Raises Serialization where one of them cannot be read: a list without it would be wrong.
        """

    def create_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; the newest ten of a run are kept, whatever their timestamps say. Again is no change.

        Raises:
            NotFound: there is no such run.
            InvalidState: another checkpoint has that id, and stays.
            Configuration: this topic set keeps no checkpoints.
        """

    def get_latest_checkpoint(self, run_id: UUID | str) -> Checkpoint | None:
        """The one that was made last; None where there are none, or no such run."""

    def restore_from_checkpoint(self, checkpoint_id: UUID | str) -> WorkflowState:
        """The state that the checkpoint has; the run is not changed.

        Its ``version`` is the one that the run has now, so that saving it takes the run back, unless somebody else changes
        the run before. Raises NotFound.
        """

    def delete_old_states(self, older_than: datetime) -> int:
        """Delete completed and failed runs last updated before that instant, and their checkpoints; returns how many.

        A run that changes meanwhile stays. Raises InvalidState for an instant without a zone.
        """

    def cleanup_old_checkpoints(self, run_id: UUID | str, keep_count: int) -> int:
        """Delete all but the newest ``keep_count`` checkpoints of a run; returns how many. Raises InvalidState below 0."""

    def health_check(self) -> Health:
        """Raises Connection, with what is not well."""


@runtime_checkable
class AsyncStateStore(Protocol):
    """StateStore, for an event loop."""

    async def save_workflow_state(self, state: WorkflowState) -> int:
        """See StateStore."""

    async def load_workflow_state(self, run_id: UUID | str) -> WorkflowState:
        """See StateStore."""

    async def load_workflow_state_by_workflow_id(self, workflow_id: str) -> WorkflowState:
        """See StateStore."""

    async def list_active_workflows(self) -> Sequence[WorkflowState]:
        """See StateStore."""

    async def create_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See StateStore."""

    async def get_latest_checkpoint(self, run_id: UUID | str) -> Checkpoint | None:
        """See StateStore."""

    async def restore_from_checkpoint(self, checkpoint_id: UUID | str) -> WorkflowState:
        """See StateStore."""

    async def delete_old_states(self, older_than: datetime) -> int:
        """See StateStore."""

    async def cleanup_old_checkpoints(self, run_id: UUID | str, keep_count: int) -> int:
        """See StateStore."""

    async def health_check(self) -> Health:
        """See StateStore."""

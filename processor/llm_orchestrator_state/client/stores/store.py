"""A store whose methods block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ...model.checkpoint import Checkpoint
from ...model.events import TransitionEvent
from ...model.state import WorkflowState
from ..reading.waiting import Waiting, wait
from . import calls
from .calls import Call, Done, Outcomes, T, advance
from .health import Health
from .runs import Runs
from .unchanged import Unchanged


class EventStateStore(ABC):
    """A StateStore that is made of events, and of runs that they change."""

    def __init__(self) -> None:
        self._unchanged = Unchanged()

    @abstractmethod
    def _runs(self) -> Runs: ...

    @abstractmethod
    def _settle(self, events: Sequence[TransitionEvent]) -> Outcomes:
        """Publish them, and wait until what they did can be read."""

    def save_workflow_state(self, state: WorkflowState) -> int:
        """See StateStore."""
        return self._do(calls.save(self._runs(), self._unchanged, state))

    def load_workflow_state(self, run_id: UUID | str) -> WorkflowState:
        """See StateStore."""
        return self._do(calls.load(self._runs(), run_id))

    def load_workflow_state_by_workflow_id(self, workflow_id: str) -> WorkflowState:
        """See StateStore."""
        return self._do(calls.load_latest_of(self._runs(), workflow_id))

    def list_active_workflows(self) -> Sequence[WorkflowState]:
        """See StateStore."""
        return self._runs().active()

    def create_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See StateStore."""
        self._do(calls.create_checkpoint(self._runs(), self._unchanged, checkpoint))

    def get_latest_checkpoint(self, run_id: UUID | str) -> Checkpoint | None:
        """See StateStore."""
        return self._do(calls.latest_checkpoint(self._runs(), run_id))

    def restore_from_checkpoint(self, checkpoint_id: UUID | str) -> WorkflowState:
        """See StateStore."""
        return self._do(calls.restore(self._runs(), checkpoint_id))

    def delete_old_states(self, older_than: datetime) -> int:
        """See StateStore."""
        return self._do(calls.delete_old(self._runs(), older_than))

    def cleanup_old_checkpoints(self, run_id: UUID | str, keep_count: int) -> int:
        """See StateStore."""
        return self._do(calls.cleanup_checkpoints(self._runs(), self._unchanged, run_id, keep_count))

    @abstractmethod
    def health_check(self) -> Health:
        """See StateStore."""

    def _do(self, call: Call[T]) -> T:
        reached = advance(call)
        try:
            while not isinstance(reached, Done):
                reached = advance(call, wait(reached) if isinstance(reached, Waiting) else self._settle(reached))
        finally:
            call.close()
        return reached.value

"""A store whose methods are awaited."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from ...model.checkpoint import Checkpoint
from ...model.events import TransitionEvent
from ...model.state import WorkflowState
from ..reading.waiting import Waiting, within
from . import calls
from .calls import Call, Done, Outcomes, T, advance
from .health import Health
from .runs import Runs
from .unchanged import Unchanged


class AsyncEventStateStore(ABC):
    """An AsyncStateStore that is made of events, and of runs that they change."""

    def __init__(self) -> None:
        self._unchanged = Unchanged()

    @abstractmethod
    async def _runs(self) -> Runs: ...

    @abstractmethod
    async def _settle(self, events: Sequence[TransitionEvent]) -> Outcomes:
        """Publish them, and wait until what they did can be read."""

    async def save_workflow_state(self, state: WorkflowState) -> int:
        """See StateStore."""
        return await self._do(calls.save(await self._runs(), self._unchanged, state))

    async def load_workflow_state(self, run_id: UUID | str) -> WorkflowState:
        """See StateStore."""
        return await self._do(calls.load(await self._runs(), run_id))

    async def load_workflow_state_by_workflow_id(self, workflow_id: str) -> WorkflowState:
        """See StateStore."""
        return await self._do(calls.load_latest_of(await self._runs(), workflow_id), aside=True)

    async def list_active_workflows(self) -> Sequence[WorkflowState]:
        """See StateStore."""
        runs = await self._runs()
        return await _aside(lambda: runs.active().loaded())

    async def create_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See StateStore."""
        await self._do(calls.create_checkpoint(await self._runs(), self._unchanged, checkpoint), aside=True)

    async def get_latest_checkpoint(self, run_id: UUID | str) -> Checkpoint | None:
        """See StateStore."""
        return await self._do(calls.latest_checkpoint(await self._runs(), run_id))

    async def restore_from_checkpoint(self, checkpoint_id: UUID | str) -> WorkflowState:
        """See StateStore."""
        return await self._do(calls.restore(await self._runs(), checkpoint_id), aside=True)

    async def delete_old_states(self, older_than: datetime) -> int:
        """See StateStore."""
        return await self._do(calls.delete_old(await self._runs(), older_than), aside=True)

    async def cleanup_old_checkpoints(self, run_id: UUID | str, keep_count: int) -> int:
        """See StateStore."""
        return await self._do(calls.cleanup_checkpoints(await self._runs(), self._unchanged, run_id, keep_count))

    @abstractmethod
    async def health_check(self) -> Health:
        """See StateStore."""

    async def _do(self, call: Call[T], *, aside: bool = False) -> T:
        reached = await _aside(advance, call) if aside else advance(call)
        try:
            while not isinstance(reached, Done):
                waits = within(reached) if isinstance(reached, Waiting) else self._settle(reached)
                reached = advance(call, await waits)
        finally:
            call.close()
        return reached.value


async def _aside(read: Callable[..., T], *arguments: object) -> T:
    """In a thread: what looks through all runs takes a second of a million of them."""
    return await asyncio.to_thread(read, *arguments)

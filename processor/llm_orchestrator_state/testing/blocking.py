"""An asynchronous store as a blocking one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Thread
from typing import Any, TypeVar
from uuid import UUID

from ..client.stores import AsyncStateStore, Health, StateStore
from ..model.checkpoint import Checkpoint
from ..model.state import WorkflowState

T = TypeVar("T")


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="blocking-store", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def blocking(store: AsyncStateStore, loop: asyncio.AbstractEventLoop) -> StateStore:
    """Its methods, called from any thread but the loop's; the store was opened in the loop, which runs in another thread."""
    return _Blocking(store, loop)


class _Blocking:
    def __init__(self, store: AsyncStateStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop

    def _wait(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def save_workflow_state(self, state: WorkflowState) -> int:
        return self._wait(self._store.save_workflow_state(state))

    def load_workflow_state(self, run_id: UUID | str) -> WorkflowState:
        return self._wait(self._store.load_workflow_state(run_id))

    def load_workflow_state_by_workflow_id(self, workflow_id: str) -> WorkflowState:
        return self._wait(self._store.load_workflow_state_by_workflow_id(workflow_id))

    def list_active_workflows(self) -> Sequence[WorkflowState]:
        return self._wait(self._store.list_active_workflows())

    def create_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._wait(self._store.create_checkpoint(checkpoint))

    def get_latest_checkpoint(self, run_id: UUID | str) -> Checkpoint | None:
        return self._wait(self._store.get_latest_checkpoint(run_id))

    def restore_from_checkpoint(self, checkpoint_id: UUID | str) -> WorkflowState:
        return self._wait(self._store.restore_from_checkpoint(checkpoint_id))

    def delete_old_states(self, older_than: datetime) -> int:
        return self._wait(self._store.delete_old_states(older_than))

    def cleanup_old_checkpoints(self, run_id: UUID | str, keep_count: int) -> int:
        return self._wait(self._store.cleanup_old_checkpoints(run_id, keep_count))

    def health_check(self) -> Health:
        return self._wait(self._store.health_check())

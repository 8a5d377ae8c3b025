"""State stores on the pipeline in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ..client.reading.window import Window
from ..client.stores import AsyncEventStateStore, EventStateStore, Health
from ..client.stores.calls import Outcome, Outcomes
from ..errors import EventRejected
from ..model.checkpoint import Checkpoint
from ..model.events import TransitionEvent
from ..model.ids import short_id
from ..model.state import WorkflowState
from ..model.transitions import TERMINAL
from .pipeline import InMemoryPipeline

HEALTH = Health(("the fold judges events in memory",), 0)


class PipelineRuns:
    """See client.stores.runs.Runs."""

    def __init__(self, pipeline: InMemoryPipeline) -> None:
        self._pipeline = pipeline
        self._publisher = pipeline.publisher()

    def get(self, run_id: UUID | str) -> WorkflowState | None:
        return self._pipeline.state(run_id)

    def latest_of(self, workflow_id: str) -> WorkflowState | None:
        found = [state for state in self._pipeline.states() if state.workflow_id == workflow_id]
        return max(found, key=_last_updated, default=None)

    def active(self) -> Sequence[WorkflowState]:
        found = [state for state in self._pipeline.states() if state.is_active()]
        return sorted(found, key=_last_updated, reverse=True)

    def ended_before(self, instant: datetime) -> Sequence[WorkflowState]:
        states = self._pipeline.states()
        return [state for state in states if state.status in TERMINAL and state.updated_at < instant]

    def checkpoints(self, run_id: UUID | str) -> list[Checkpoint]:
        return self._pipeline.checkpoints(run_id)

    def checkpoint(self, checkpoint_id: UUID) -> Checkpoint | None:
        return self._pipeline.checkpoint(checkpoint_id)

    def settle(self, events: Sequence[TransitionEvent]) -> Outcomes:
        return [self._judged(event) for event in events]

    def _judged(self, event: TransitionEvent) -> Outcome:
        delivered = self._publisher.publish(event).result()
        rejected = self._pipeline.rejected_at(delivered.partition, delivered.offset)
        if rejected is not None:
            return EventRejected(rejected.code, rejected.detail, delivered.event_id)
        state = self.get(event.run_id)
        if state is None:
            return None
        last = b"" if state.last_event_id is None else short_id(str(state.last_event_id))
        return Window(state.version, last, state.recent_event_ids)


def _last_updated(state: WorkflowState) -> tuple[datetime, str]:
    return state.updated_at, str(state.id)


class InMemoryStateStore(EventStateStore):
    """A StateStore in memory, for tests: the processor's own fold judges what is saved, and no broker is needed.

    pipeline: shared with a publisher whose runs are to be in the store; one of its own, if not given. Threads may share it.
    """

    def __init__(self, pipeline: InMemoryPipeline | None = None) -> None:
        super().__init__()
        self._of = PipelineRuns(pipeline or InMemoryPipeline())

    def health_check(self) -> Health:
        """See StateStore."""
        return HEALTH

    def _runs(self) -> PipelineRuns:
        return self._of

    def _settle(self, events: Sequence[TransitionEvent]) -> Outcomes:
        return self._of.settle(events)


class AsyncInMemoryStateStore(AsyncEventStateStore):
    """InMemoryStateStore, for asyncio."""

    def __init__(self, pipeline: InMemoryPipeline | None = None) -> None:
        super().__init__()
        self._of = PipelineRuns(pipeline or InMemoryPipeline())

    async def health_check(self) -> Health:
        """See StateStore."""
        return HEALTH

    async def _runs(self) -> PipelineRuns:
        return self._of

    async def _settle(self, events: Sequence[TransitionEvent]) -> Outcomes:
        return self._of.settle(events)

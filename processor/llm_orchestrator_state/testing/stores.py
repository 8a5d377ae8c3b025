"""State stores on the pipeline in memory."""

from __future__ import annotations

from collections.abc import Sequence

from ..client.stores import AsyncEventStateStore, EventStateStore, Health
from ..client.stores.calls import Outcome, Outcomes
from ..client.stores.reader_runs import ReaderRuns
from ..errors import EventRejected
from ..model.events import TransitionEvent
from .pipeline import InMemoryPipeline

HEALTH = Health(("the fold judges events in memory",), 0)


class PipelineRuns(ReaderRuns):
    """What a store reads, and how it writes."""

    def __init__(self, pipeline: InMemoryPipeline) -> None:
        self._core = pipeline.core()
        super().__init__(self._core)
        self._publisher = pipeline.publisher()

    def settle(self, events: Sequence[TransitionEvent]) -> Outcomes:
        return [self._judged(event) for event in events]

    def _judged(self, event: TransitionEvent) -> Outcome:
        try:
            return self._core.settle(self._publisher.publish(event).result()).result()
        except EventRejected as rejected:
            return rejected


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

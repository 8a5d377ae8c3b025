"""Reading runs, for one event loop."""

from __future__ import annotations

import asyncio
import weakref
from builtins import list as List  # noqa: N812 - as in reader.py
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, Unpack
from uuid import UUID

from ...errors import TimedOut
from ...model.checkpoint import Checkpoint
from ...model.records import StateRecord
from ...model.state import WorkflowState
from ...model.status import WorkflowStatus
from ..producer import Delivered
from .asking import Lag
from .change import Change, as_change
from .core import Core
from .filter import Filters, RunFilter, run_key
from .following import Progress
from .kafka_core import KafkaCore
from .opening import Opening
from .options import TOPIC_PREFIX, Options
from .page import Page
from .reader import LAG_S, PROGRESS_S, OnItsWay, not_as_expected, not_fetched, not_ready, not_settled, resume_point
from .resume import ResumePoint
from .waiting import awaited
from .watching import Watch

T = TypeVar("T")


class AsyncStateReader:
    """Like StateReader; what waits there is awaited here. watch() is an asynchronous iterator.

    No tasks are made, so a call that is cancelled leaves none.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic_prefix: str = TOPIC_PREFIX,
        checkpoints: bool = False,
        directory: Path | str | None = None,
        partitions: Collection[int] | None = None,
        group: str | None = None,
        schema_registry_url: str | None = None,
        schema_registry_properties: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        options = Options(
            bootstrap_servers=bootstrap_servers,
            topic_prefix=topic_prefix,
            checkpoints=checkpoints,
            directory=directory,
            partitions=partitions,
            group=group,
            schema_registry_url=schema_registry_url,
            schema_registry_properties=schema_registry_properties,
            properties=properties,
        )
        self._opening: Opening[Core] = Opening(lambda: KafkaCore(options))
        weakref.finalize(self, self._opening.close)

    # --- its life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        try:
            await self._core()
        except asyncio.CancelledError:
            self._opening.abandon()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """See StateReader.close()."""
        await asyncio.to_thread(self._opening.close)

    async def ready(
        self, timeout_s: float | None = None, on_progress: Callable[[Progress], None] | None = None
    ) -> Progress:
        """See StateReader.ready()."""
        core = await self._core()
        waiting = asyncio.wrap_future(core.when_ready())
        try:
            async with asyncio.timeout(timeout_s):
                while on_progress and not (await asyncio.wait([waiting], timeout=PROGRESS_S))[0]:
                    on_progress(core.progress())
                await waiting
        except TimeoutError:
            raise not_ready(core, timeout_s) from None
        finally:
            waiting.cancel()
        progress = core.progress()
        if on_progress:
            on_progress(progress)
        return progress

    async def lag(self) -> Lag:
        """See StateReader.lag()."""
        core = await self._core()
        try:
            async with asyncio.timeout(LAG_S):
                return await asyncio.wrap_future(core.lag())
        except TimeoutError:
            return core.known_lag()

    # --- runs ---------------------------------------------------------------------------------------------------------

    async def get(self, run_id: UUID | str) -> WorkflowState | None:
        """See StateReader.get()."""
        return await awaited((await self._ready()).answers.state(run_id))

    async def record(self, run_id: UUID | str, *, values: bool = True) -> StateRecord | None:
        """See StateReader.record()."""
        return await awaited((await self._ready()).answers.record(run_id, values=values))

    async def by_workflow_id(self, workflow_id: str, *, limit: int | None = None) -> Page:
        """See StateReader.by_workflow_id()."""
        return await self.list(workflow_id=workflow_id, limit=limit)

    async def list(self, *, limit: int | None = None, cursor: str | None = None, **filters: Unpack[Filters]) -> Page:
        """See StateReader.list(). The large values of the whole page are fetched before it is returned: give a limit."""
        answers, wanted = (await self._ready()).answers, RunFilter.of(filters)
        # in a thread: of a million runs it takes a second
        return await asyncio.to_thread(lambda: answers.runs(wanted, limit, cursor).loaded())

    async def counts(self) -> dict[WorkflowStatus, int]:
        """See StateReader.counts()."""
        return (await self._ready()).queries.counts()

    async def resume_point(self, run_id: UUID | str) -> ResumePoint:
        """See StateReader.resume_point()."""
        return resume_point(await self.get(run_id), run_id)

    # --- checkpoints --------------------------------------------------------------------------------------------------

    async def checkpoints(self, run_id: UUID | str) -> List[Checkpoint]:
        """See StateReader.checkpoints()."""
        return await awaited((await self._ready()).answers.checkpoints(run_id))

    async def latest_checkpoint(self, run_id: UUID | str) -> Checkpoint | None:
        """See StateReader.latest_checkpoint()."""
        return await awaited((await self._ready()).answers.latest_checkpoint(run_id))

    # --- waiting ------------------------------------------------------------------------------------------------------

    def watch(self, *, current: bool = False, **filters: Unpack[Filters]) -> AsyncChanges:
        """See StateReader.watch(). It begins now when the reader is ready, else with the first change that is awaited."""
        opened = self._opening.opened
        ready = opened if opened is not None and opened.is_ready() else None
        return AsyncChanges(ready, self._ready, RunFilter.of(filters), None, current=current)

    async def wait_for(
        self, run_id: UUID | str, predicate: Callable[[WorkflowState], object], timeout_s: float | None = None
    ) -> WorkflowState:
        """See StateReader.wait_for()."""
        async with AsyncChanges(None, self._ready, RunFilter(), run_key(run_id), current=True) as changes:
            try:
                async with asyncio.timeout(timeout_s) as limit:
                    async for change in changes:
                        if change.state is not None and predicate(change.state):
                            return change.state
            except TimeoutError:
                if not limit.expired():
                    raise  # the predicate's own
        raise not_as_expected(run_id, timeout_s)

    async def applied(
        self, delivery: Awaitable[Delivered] | OnItsWay | Delivered, timeout_s: float | None = None
    ) -> WorkflowState | None:
        """See StateReader.applied()."""
        delivered: Delivered | None = None
        settled = False
        try:
            async with asyncio.timeout(timeout_s) as limit:
                delivered = await _delivered(delivery)
                core = await self._ready()
                await asyncio.wrap_future(core.settle(delivered))
                settled = True
                return await awaited(core.answers.state(delivered.run_id))
        except TimeoutError:
            if not limit.expired():
                raise
            if delivered is None:
                raise TimedOut(f"the event was not delivered within {timeout_s:g} s; check the brokers") from None
            raise (not_fetched(delivered.run_id, timeout_s) if settled else not_settled(delivered, timeout_s)) from None

    async def _core(self) -> Core:
        opened = self._opening.opened
        return await asyncio.to_thread(self._opening.core) if opened is None else opened

    async def _ready(self) -> Core:
        core = await self._core()
        if not core.is_ready():
            await asyncio.wrap_future(core.when_ready())
        return core


class AsyncChanges:
    """An asynchronous iterator of changes; leaving its async with block, or close(), ends it."""

    def __init__(
        self,
        core: Core | None,
        ready: Callable[[], Awaitable[Core]],
        wanted: RunFilter,
        key: bytes | None,
        *,
        current: bool,
    ) -> None:
        self._ready = ready
        self._wanted, self._key, self._current = wanted, key, current
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()
        self._closed = False
        self._core = core
        self._watch = None if core is None else self._begin(core)

    def _begin(self, core: Core) -> Watch:
        return core.watch(self._wanted, self._key, self._wake, current=self._current)

    def _wake(self) -> None:
        """From any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._awake.set)

    async def __anext__(self) -> Change:
        if self._core is None or self._watch is None:
            self._core = await self._ready()
            self._watch = self._begin(self._core)
        while not self._closed:
            self._awake.clear()
            change = await awaited(self._core.next_change(self._watch))
            if change is not None:
                return as_change(change)
            try:
                async with asyncio.timeout(self._watch.next_due_s()):
                    await self._awake.wait()
            except TimeoutError:
                continue
        raise StopAsyncIteration

    def __aiter__(self) -> Self:
        return self

    def close(self) -> None:
        """Once is enough, and more does nothing."""
        if not self._closed:
            self._closed = True
            self._awake.set()
            if self._core is not None and self._watch is not None:
                self._core.unwatch(self._watch)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _delivered(delivery: Awaitable[Delivered] | OnItsWay | Delivered) -> Delivered:
    if isinstance(delivery, Delivered):
        return delivery
    if isinstance(delivery, Awaitable):
        return await delivery
    return await asyncio.to_thread(delivery.result)

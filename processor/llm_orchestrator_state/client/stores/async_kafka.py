"""The store on Kafka, for one event loop."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import EventRejected, TimedOut
from ...kafka.registry import Mode
from ...model.events import TransitionEvent
from ..producer import Delivered
from ..publishing.async_publisher import AsyncPublisher
from ..reading.kafka_core import KafkaCore
from ..reading.opening import Opening
from ..reading.options import TOPIC_PREFIX, Options
from ..reading.reader import not_settled
from ..reading.window import Window
from .async_store import AsyncEventStateStore
from .calls import Outcome, Outcomes
from .checking import checked, closed, publisher_properties, silent
from .events import touches_checkpoints
from .health import Health
from .kafka import TIMEOUT_S
from .reader_runs import ReaderRuns


class AsyncKafkaStateStore(AsyncEventStateStore):
    """Like KafkaStateStore; its methods are awaited. A call that is cancelled leaves no task, but what it has published."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic_prefix: str = TOPIC_PREFIX,
        directory: Path | str | None = None,
        group: str | None = None,
        schema_registry_url: str | None = None,
        schema_registry_mode: Mode = "register",
        schema_registry_properties: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._publisher = AsyncPublisher(
            bootstrap_servers,
            topic_prefix=topic_prefix,
            schema_registry_url=schema_registry_url,
            schema_registry_mode=schema_registry_mode,
            schema_registry_properties=schema_registry_properties,
            properties=publisher_properties(properties),
        )
        options = Options(
            bootstrap_servers=bootstrap_servers,
            topic_prefix=topic_prefix,
            checkpoints=True,
            directory=directory,
            partitions=None,
            group=group,
            schema_registry_url=schema_registry_url,
            schema_registry_properties=schema_registry_properties,
            properties=properties,
        )
        self._opening = Opening(lambda: KafkaCore(options))
        self._closed = False
        weakref.finalize(self, self._opening.close)

    async def __aenter__(self) -> Self:
        try:
            await self._runs()
            await self._publisher.__aenter__()
        except asyncio.CancelledError:
            self._opening.abandon()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """See KafkaStateStore.close()."""
        self._closed = True
        try:
            await self._publisher.close()
        finally:
            await asyncio.to_thread(self._opening.close)

    async def health_check(self) -> Health:
        """See KafkaStateStore.health_check()."""
        core = await self._core()
        try:
            async with asyncio.timeout(self._timeout_s):
                lag = await asyncio.wrap_future(core.lag())
        except TimeoutError:
            raise silent(self._timeout_s) from None
        return await asyncio.to_thread(checked, core, lag.records)

    async def _runs(self) -> ReaderRuns:
        return ReaderRuns(await self._core())

    async def _core(self) -> KafkaCore:
        if self._closed:
            raise closed()
        opened = self._opening.opened
        core = await asyncio.to_thread(self._opening.core) if opened is None else opened
        if not core.is_ready():
            await asyncio.wrap_future(core.when_ready())
        return core

    async def _settle(self, events: Sequence[TransitionEvent]) -> Outcomes:
        core = await self._core()
        delivered: list[Delivered] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                deliveries = [await self._publisher.publish(event) for event in events]
                delivered = [await delivery for delivery in deliveries]
                futures = [
                    core.settle(each, checkpoints=touches_checkpoints(event))
                    for each, event in zip(delivered, events, strict=True)
                ]
                return await _outcomes(futures)
        except TimeoutError:
            if not delivered:
                raise TimedOut(
                    f"the event was not delivered within {self._timeout_s:g} s, and is still being tried; check the brokers"
                ) from None
            raise not_settled(delivered[0], self._timeout_s) from None


async def _outcomes(futures: list[Future[Window | None]]) -> Outcomes:
    try:
        return [await _outcome(future) for future in futures]
    finally:
        for future in futures:
            future.cancel()


async def _outcome(future: Future[Window | None]) -> Outcome:
    try:
        return await asyncio.wrap_future(future)
    except EventRejected as rejected:
        return rejected

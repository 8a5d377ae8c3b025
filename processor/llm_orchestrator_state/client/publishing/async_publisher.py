"""The publisher for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from ...errors import StateError, TimedOut
from ...kafka.registry import Mode
from ...model.events import TransitionEvent
from ...model.references import ParentStep
from ...model.state import WorkflowState
from ..producer import CLOSING_TIMEOUT_S
from ..transport import Transport
from .async_run import AsyncReader, AsyncRunHandle, AsyncWorkflowRun
from .beginning import Beginning, attempts_of, claimed, created
from .delivery import AsyncDelivery, Report
from .ids import as_run_id
from .outbox import TOPIC_PREFIX, Outbox
from .tracing import trace_headers

SOONEST_S, LATEST_S = 0.001, 0.05
SLOWER = 1.2
"""How long after a look for deliveries the next one is: a fifth longer each time there were none, as in an outage."""

POLLED_EACH = 32
"""As in the synchronous publisher."""

YIELDED_EACH = 256
"""Events, some milliseconds: a loop that only publishes would have the event loop for itself, and not hear of its end."""


class AsyncPublisher:
    """Like Publisher, for one event loop: publish(), flush(), close() and the handles are awaited."""

    # librdkafka cannot wake an event loop. While something is pending, a timer polls it, without blocking: no thread
    # whose callbacks would wait for Python's lock, and no task that could be left behind.

    def __init__(
        self,
        bootstrap_servers: str | None = None,
        *,
        topic_prefix: str = TOPIC_PREFIX,
        schema_registry_url: str | None = None,
        schema_registry_mode: Mode = "register",
        schema_registry_properties: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._outbox = Outbox(
            bootstrap_servers,
            topic_prefix,
            schema_registry_url,
            schema_registry_mode,
            schema_registry_properties,
            properties,
            transport,
        )
        self._opening = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._pause_s = SOONEST_S
        self._waiting: list[asyncio.Future[None]] = []
        self._sent = 0

    async def publish(self, event: TransitionEvent) -> AsyncDelivery:
        """Queue one event; awaits while the queue is full, and now and then to let others have their turn.

        Raises as Publisher.publish() does.
        """
        if not (self._sent + 1) % YIELDED_EACH:
            await asyncio.sleep(0)  # before the event is queued: when this is cancelled, it was not sent
        return await self._publish(event)

    async def _publish(self, event: TransitionEvent) -> AsyncDelivery:
        outbox = self._outbox
        key, value = outbox.encode(event)
        headers = trace_headers()
        delivery = AsyncDelivery(self, event.event_id, event.run_id)
        while not (outbox.transport or await self._open()).send(key, value, headers, delivery):
            await self._something_delivered()
        self._sent += 1
        if not self._sent % POLLED_EACH:
            outbox.poll(0)
        self.expect_deliveries()
        return delivery

    async def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every event is delivered. Raises as Publisher.flush() does."""
        self._outbox.check_usable()
        await self._drain(timeout_s)
        if left := self._outbox.pending():
            raise TimedOut(
                f"{left} events are not delivered after {timeout_s:g} s, and are still being tried; wait longer, or check the "
                "brokers"
            )
        self._outbox.raise_failures()

    async def close(self) -> None:
        """Flush, and end. Raises as flush() does. Once is enough, and more does nothing."""
        try:
            if self._outbox.is_open:
                await self.flush()
        finally:
            self._end()

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
            return
        try:
            await self._drain(CLOSING_TIMEOUT_S)
        finally:
            self._end()
        try:
            self._outbox.raise_failures()
        except StateError as failure:
            error.add_note(f"besides: {failure}")

    # --- handles ------------------------------------------------------------------------------------------------------

    def workflow(
        self,
        workflow_id: str,
        *,
        name: str | None = None,
        user_id: str | None = None,
        context: Any = None,
        labels: Mapping[str, str] | None = None,
        run_id: UUID | str | None = None,
        parent: ParentStep | None = None,
    ) -> AsyncWorkflowRun:
        """As Publisher.workflow()."""
        return AsyncWorkflowRun(
            self, created(workflow_id, name=name, user_id=user_id, context=context, labels=labels, run_id=run_id, parent=parent)
        )  # fmt: skip

    def attach(self, run_id: UUID | str, state: WorkflowState | None = None) -> AsyncRunHandle:
        """As Publisher.attach()."""
        return AsyncRunHandle(
            self, Beginning(as_run_id(run_id), attempts=None if state is None else attempts_of(state))
        )

    def claim(
        self, state: WorkflowState, *, reader: AsyncReader | None = None, timeout_s: float = 30.0
    ) -> AsyncWorkflowRun:
        """As Publisher.claim()."""
        return AsyncWorkflowRun(self, claimed(state), reader, timeout_s)

    # --- waiting ------------------------------------------------------------------------------------------------------

    def expect_deliveries(self) -> None:
        """For deliveries: see that the timer runs."""
        if self._timer is None:
            self._pause_s = SOONEST_S
            self._timer = asyncio.get_running_loop().call_later(SOONEST_S, self._look)

    def _look(self) -> None:
        served = self._outbox.poll(0)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():  # nor cancelled
                each.set_result(None)
        self._timer = None
        if self._outbox.pending():
            self._pause_s = SOONEST_S if served else min(SLOWER * self._pause_s, LATEST_S)
            self._timer = asyncio.get_running_loop().call_later(self._pause_s, self._look)

    async def _something_delivered(self) -> None:
        """Until the next look."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self.expect_deliveries()
        await waiting

    async def _drain(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self._outbox.pending():
                    await self._something_delivered()
        except TimeoutError:
            pass

    async def _open(self) -> Transport:
        async with self._opening:
            return await asyncio.to_thread(self._outbox.open)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._outbox.close()
        for each in self._waiting:
            if not each.done():
                each.set_result(None)
        self._waiting.clear()

    def on_failure(self, delivery: Report[Any], error: StateError) -> None:
        self._outbox.failed(delivery, error)

    def told(self, delivery: Report[Any]) -> None:
        self._outbox.told(delivery)

    async def publish_of(self, run_id: UUID, event: TransitionEvent) -> AsyncDelivery:
        """For handles: nothing follows in a run's log on what is missing there."""
        self._outbox.raise_failure_of(run_id)
        return await self._publish(event)

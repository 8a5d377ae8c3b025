"""Handles of steps, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Protocol, Self

from ...errors import InvalidState
from ...model.events import TransitionEvent
from .delivery import AsyncDelivery
from .outcome import besides
from .retries import Tries
from .run_events import RunEvents
from .step_events import StepEvents


class Run(Protocol):
    """The run's handle, as its steps see it."""

    events: RunEvents

    async def tell(self, event: TransitionEvent) -> AsyncDelivery: ...


class AsyncStep(StepEvents):
    """A step that is started when its ``async with`` block is entered, and completed when it is left, or failed by what
    leaves it: ``error_type`` is ``cancelled``, ``timed_out`` or the exception's class.
    """

    __slots__ = ("_handle",)

    def __init__(self, run: Run, step_id: str, inputs: Any) -> None:
        super().__init__(run.events, step_id, inputs)
        self._handle = run

    async def heartbeat(self) -> AsyncDelivery:
        """Say that it still runs: every few seconds, not for every token."""
        return await self._handle.tell(self._beating())

    async def try_again(self) -> None:
        await self._handle.tell(self._retried())

    async def __aenter__(self) -> Self:
        event = self._started()
        try:
            await self._handle.tell(event)
        except BaseException:
            self._closed()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                await self._fail(error)
                return
            try:
                await self._handle.tell(self._completed())
            except InvalidState as refused:  # outputs that are no JSON, say: the step must not seem to run for ever
                await self._fail(refused)
                raise
        finally:
            self._closed()

    async def _fail(self, error: BaseException) -> None:
        with besides(error):
            if (event := self._failed(error)) is not None:
                await self._handle.tell(event)


class AsyncAttempt:
    """One try at a step: ``async with attempt as step``. An exception that is retried does not leave the block."""

    __slots__ = ("_step", "_tries", "number")

    def __init__(self, step: AsyncStep, tries: Tries, number: int) -> None:
        self.number = number
        """1 for the first in this loop."""
        self._step = step
        self._tries = tries

    async def __aenter__(self) -> AsyncStep:
        return await self._step.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        again = self._tries.retries(error)
        await self._step.__aexit__(kind, error, trace)
        if not again:
            return False
        await self._step.try_again()
        return True


class AsyncAttempts:
    """The tries at one step, one after the other until one succeeds."""

    __slots__ = ("_handle", "_inputs", "_step_id", "_tries")

    def __init__(self, run: Run, step_id: str, inputs: Any, tries: Tries) -> None:
        self._handle = run
        self._step_id = step_id
        self._inputs = inputs
        self._tries = tries

    def __aiter__(self) -> AsyncIterator[AsyncAttempt]:
        return self

    async def __anext__(self) -> AsyncAttempt:
        if (found := self._tries.next()) is None:
            raise StopAsyncIteration
        number, wait_s = found
        await asyncio.sleep(wait_s)
        return AsyncAttempt(AsyncStep(self._handle, self._step_id, self._inputs), self._tries, number)

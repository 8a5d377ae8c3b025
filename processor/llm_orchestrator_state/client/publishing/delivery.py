"""What became of a published event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException

from ...errors import InvalidState, StateError, TimedOut
from ...kafka.failures import as_state_error
from ..producer import Delivered


class _Client(Protocol):
    """The publisher, as its deliveries see it."""

    def on_failure(self, delivery: Report[Any], error: StateError) -> None: ...
    def told(self, delivery: Report[Any]) -> None: ...


class _Blocking(_Client, Protocol):
    def wait(self, done: Callable[[], bool], timeout_s: float | None) -> None: ...


class _Awaiting(_Client, Protocol):
    def expect_deliveries(self) -> None: ...


C = TypeVar("C", bound=_Client)


class Report(Generic[C]):
    """What both kinds of delivery know."""

    __slots__ = ("_client", "_error", "_event_id", "_offset", "_partition", "_run_id")

    def __init__(self, client: C, event_id: UUID, run_id: UUID) -> None:
        self._client = client
        self._event_id = event_id
        self._run_id = run_id
        self._partition: int | None = None
        self._offset: int | None = None
        self._error: StateError | None = None

    @property
    def event_id(self) -> str:
        """Canonical UUID text."""
        return str(self._event_id)

    @property
    def run_id(self) -> str:
        """Canonical UUID text."""
        return str(self._run_id)

    def is_of(self, run_id: UUID) -> bool:
        return self._run_id == run_id

    def _settled(self) -> bool:
        return self._partition is not None or self._error is not None

    def __call__(self, error: KafkaError | None, position: Any) -> None:
        """The transport's OnDelivery, called once. (Not a method: that would be one object more for each event.)"""
        if error is None:
            self._partition = position.partition()
            self._offset = position.offset()
        else:
            self._error = self._failure(error)
            self._client.on_failure(self, self._error)

    def _failure(self, error: KafkaError) -> StateError:
        what = f"event {self.event_id} of run {self.run_id} was not delivered"
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return InvalidState(f"{what}: it is larger than the topic allows; keep large values elsewhere")
        failed = as_state_error(KafkaException(error), what)
        return type(failed)(f"{failed}; publish it again: if it has arrived, it is recognised by its id")

    def _outcome(self) -> Delivered:
        if self._error is not None:
            self._client.told(self)
            raise self._error
        assert self._partition is not None
        # an offset that the broker did not tell (a repeated request that it already had) is -1
        return Delivered(self.event_id, self.run_id, self._partition, -1 if self._offset is None else self._offset)


def _overdue(report: Report[Any], timeout_s: float) -> TimedOut:
    return TimedOut(
        f"event {report.event_id} of run {report.run_id} was not delivered within {timeout_s:g} s, and is still being "
        "tried; wait longer, or check the brokers"
    )


class Delivery(Report[_Blocking]):
    """A published event on its way. It arrives, or fails, within the time-out of the producer (60 s)."""

    __slots__ = ()

    def done(self) -> bool:
        """Whether it has arrived or failed."""
        if not self._settled():
            self._client.wait(self._settled, 0)
        return self._settled()

    def result(self, timeout_s: float | None = None) -> Delivered:
        """Where it is in the log, as soon as all in-sync replicas have it.

        Raises:
            Connection: it could not be delivered.
            TimedOut: not within timeout_s; it is still being tried.
            InvalidState: it is larger than the topic allows.
        """
        self._client.wait(self._settled, timeout_s)
        if not self._settled():
            raise _overdue(self, timeout_s or 0)
        return self._outcome()


class AsyncDelivery(Report[_Awaiting]):
    """Like Delivery, and awaitable: ``await delivery`` is ``await delivery.result()``."""

    __slots__ = ("_waiting",)

    def __init__(self, client: _Awaiting, event_id: UUID, run_id: UUID) -> None:
        super().__init__(client, event_id, run_id)
        self._waiting: list[asyncio.Future[None]] | None = None

    def done(self) -> bool:
        """Whether it has arrived or failed, as far as the event loop has been told."""
        return self._settled()

    async def result(self, timeout_s: float | None = None) -> Delivered:
        """Like Delivery.result(). Cancelling the wait does not take the event back."""
        if not self._settled():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting = [*(self._waiting or ()), waiting]
            self._client.expect_deliveries()
            try:
                async with asyncio.timeout(timeout_s):
                    await waiting
            except TimeoutError:
                assert timeout_s is not None
                raise _overdue(self, timeout_s) from None
        return self._outcome()

    def __await__(self) -> Generator[Any, None, Delivered]:
        return self.result().__await__()

    def __call__(self, error: KafkaError | None, position: Any) -> None:
        super().__call__(error, position)
        for waiting in self._waiting or ():
            if not waiting.done():  # nor cancelled
                waiting.set_result(None)
        self._waiting = None

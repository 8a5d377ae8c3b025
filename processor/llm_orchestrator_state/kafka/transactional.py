"""The transactional producer, whose errors are KafkaExceptions and whose calls end in time, whatever librdkafka does."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from . import codes

log = logging.getLogger(__name__)

GRACE_S = 2.0
"""How much longer than its own time-out a call may take."""


@contextmanager
def _fatal_errors_as_they_are() -> Iterator[None]:
    """The binding raises a fatal error from within poll() and flush(), and a delivery report served after it makes a
    SystemError of that: "returned a result with an exception set" (tried, with a fenced producer).
    """
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, KafkaException):
            raise error.__cause__ from None
        raise


class _Call:
    """One call, made by another thread."""

    def __init__(self, make: Callable[[], None]) -> None:
        self._make = make
        self._error: BaseException | None = None
        self._over = threading.Event()

    def run(self) -> None:
        try:
            self._make()
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and raised there
            self._error = error
        self._over.set()

    def is_over(self, within_s: float) -> bool:
        return self._over.wait(within_s)

    def result(self) -> None:
        if self._error is not None:
            raise self._error


class _Caller:
    """A thread that may be left behind in a call that does not return. It ends with this object."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._stuck = False
        threading.Thread(target=_run_all, args=(self._calls,), name="transactions", daemon=True).start()

    def __del__(self) -> None:
        self._calls.put(None)

    def call(self, make: Callable[[], None], timeout_s: float) -> None:
        """Raises what it raises; a fatal KafkaException when it has not returned in time, and from then on."""
        if not self._stuck:
            call = _Call(make)
            self._calls.put(call)
            if call.is_over(timeout_s + GRACE_S):
                return call.result()
            self._stuck = True
            log.error("librdkafka does not return from a transactional call; the producer is given up")
        raise KafkaException(KafkaError(codes.TIMED_OUT, "a transactional call does not return", fatal=True))


def _run_all(calls: queue.SimpleQueue[_Call | None]) -> None:
    while call := calls.get():
        call.run()
        del call  # it holds the producer


class FencibleProducer(Producer):
    """Every method that serves callbacks may raise KafkaException with a fatal error, as for example fencing is.

    Of librdkafka 2.16, send_offsets_to_transaction() does not keep to its time-out after the broker was away: it came
    back after ten minutes (tried), and no signal was heard meanwhile. So transactional calls are made by a thread of
    their own; a producer that is stuck in one is as good as fenced.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._caller = _Caller()

    def poll(self, timeout: float = -1) -> int:
        with _fatal_errors_as_they_are():
            return super().poll(timeout)

    def flush(self, timeout: float = -1) -> int:
        with _fatal_errors_as_they_are():
            return super().flush(timeout)

    def init_transactions(self, timeout: float = -1) -> None:
        call = super().init_transactions
        self._bounded(lambda: call(timeout), timeout)

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None:
        call = super().send_offsets_to_transaction
        self._bounded(lambda: call(positions, group_metadata, timeout), timeout)

    def commit_transaction(self, timeout: float = -1) -> None:
        call = super().commit_transaction
        self._bounded(lambda: call(timeout), timeout)

    def abort_transaction(self, timeout: float = -1) -> None:
        call = super().abort_transaction
        self._bounded(lambda: call(timeout), timeout)

    def _bounded(self, call: Callable[[], None], timeout_s: float) -> None:
        with _fatal_errors_as_they_are():
            self._caller.call(call, timeout_s)

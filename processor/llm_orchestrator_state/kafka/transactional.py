"""The transactional producer, whose fatal errors are KafkaExceptions whatever it was serving when they came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaException, Producer, TopicPartition


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


class FencibleProducer(Producer):
    """Every method that serves callbacks may raise KafkaException with a fatal error, as for example fencing is."""

    def poll(self, timeout: float = -1) -> int:
        with _fatal_errors_as_they_are():
            return super().poll(timeout)

    def flush(self, timeout: float = -1) -> int:
        with _fatal_errors_as_they_are():
            return super().flush(timeout)

    def init_transactions(self, timeout: float = -1) -> None:
        with _fatal_errors_as_they_are():
            super().init_transactions(timeout)

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None:
        with _fatal_errors_as_they_are():
            super().send_offsets_to_transaction(positions, group_metadata, timeout)

    def commit_transaction(self, timeout: float = -1) -> None:
        with _fatal_errors_as_they_are():
            super().commit_transaction(timeout)

    def abort_transaction(self, timeout: float = -1) -> None:
        with _fatal_errors_as_they_are():
            super().abort_transaction(timeout)

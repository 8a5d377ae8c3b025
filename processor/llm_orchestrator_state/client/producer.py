"""Publishing event records: one failed delivery is the end of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from confluent_kafka import KafkaError

from ..errors import Connection
from ..kafka.failures import one_line
from ..model.records import EventRecord
from .transport import KafkaTransport

CLOSING_TIMEOUT_S = 5.0
"""How long queued events are still delivered for after an error or Ctrl-C."""


class Encoder(Protocol):
    def encode_event(self, record: EventRecord) -> bytes: ...


class Delivered(NamedTuple):
    """Where an event is in the events topic."""

    event_id: str
    run_id: str
    partition: int
    offset: int


class EventProducer:
    """Publishes event records to the events topic, keyed by canonical run id and partitioned by murmur2.

    A context manager: leaving it waits for every delivery and raises Connection when one failed.

    on_delivered: called for each event that has arrived, from within the methods. It must not raise.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        properties: Mapping[str, str] | None,
        topic: str,
        encoder: Encoder,
        on_delivered: Callable[[Delivered], None] | None = None,
    ) -> None:
        self.topic = topic
        self.delivered = 0
        self.failed = 0
        self._first_failure: KafkaError | None = None
        self._encode = encoder.encode_event
        self._on_delivered = on_delivered
        self._transport = KafkaTransport(bootstrap_servers, properties, topic)

    def publish(self, record: EventRecord) -> None:
        """Queue one event; waits while the queue is full.

        Raises InvalidState for an event larger than the topic allows, and Connection once a delivery has failed:
        what would follow is not published after a gap.
        """
        self._raise_failure()
        value = self._encode(record)
        run_id = record["run_id"].lower()
        done = partial(self._on_delivery, record["event_id"], run_id) if self._on_delivered else self._count
        while not self._transport.send(run_id.encode(), value, None, done):
            self._transport.poll(0.1)
            self._raise_failure()
        self._transport.poll(0)

    def flush(self) -> None:
        """Wait until every queued event is delivered. Raises Connection when one was not."""
        # Ends by itself: delivery.timeout.ms bounds how long any event stays queued.
        while self._transport.pending():
            self._transport.poll(0.1)
        self._raise_failure()

    def _on_delivery(self, event_id: str, run_id: str, error: KafkaError | None, message: Any) -> None:
        self._count(error, message)
        if error is None and self._on_delivered:
            offset = message.offset()  # None where a repeated request was answered that the broker had already
            self._on_delivered(Delivered(event_id, run_id, message.partition(), -1 if offset is None else offset))

    def _count(self, error: KafkaError | None, _: Any) -> None:
        if error is None:
            self.delivered += 1
            return
        self.failed += 1
        self._first_failure = self._first_failure or error

    def _raise_failure(self) -> None:
        if self._first_failure is None:
            return
        raise Connection(
            f"{self.failed} of {self.delivered + self.failed} events were not delivered to {self.topic} "
            f"({one_line(self._first_failure)}); publish the same events again: those that arrived are recognised by "
            "their ids"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            self.flush()
        else:
            give_up_at = monotonic() + CLOSING_TIMEOUT_S
            while self._transport.pending() and monotonic() < give_up_at:
                self._transport.poll(0.1)
        self._transport.close()

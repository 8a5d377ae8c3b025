"""Publishing events: an idempotent producer whose every failed delivery is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from confluent_kafka import KafkaError, KafkaException, Producer

from ..errors import Connection, InvalidState
from ..kafka.failures import as_state_error, one_line
from ..kafka.logs import logger
from ..kafka.properties import MAX_EVENT_BYTES, PRODUCER, Properties, with_pass_through
from ..model.records import EventRecord

EVENT_PRODUCER: Properties = PRODUCER | {
    # The topic's own limit: a larger event is refused here, with its line, not by the broker, with its batch.
    "message.max.bytes": MAX_EVENT_BYTES,
    # Back-pressure begins here: enough to fill the connection's batches, little enough to hold in memory anywhere.
    "queue.buffering.max.kbytes": 65_536,
    "linger.ms": 5,
    # The default of five minutes is how long a script would hang on a broker that has gone.
    "delivery.timeout.ms": 60_000,
}

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
        conf = with_pass_through(EVENT_PRODUCER, bootstrap_servers, dict(properties or {}))
        try:
            self._producer = Producer(conf, logger=logger)
        except KafkaException as failure:
            raise as_state_error(failure, "Kafka client properties") from None

    def publish(self, record: EventRecord) -> None:
        """Queue one event; waits while the queue is full.

        Raises InvalidState for an event larger than the topic allows, and Connection once a delivery has failed:
        what would follow is not published after a gap.
        """
        if self._first_failure is not None:
            self._raise_failure()
        value = self._encode(record)
        run_id = record["run_id"].lower()
        key = run_id.encode()
        done = partial(self._on_delivery, record["event_id"], run_id) if self._on_delivered else self._count
        while True:
            try:
                self._producer.produce(self.topic, value, key, on_delivery=done)
            except BufferError:
                self._producer.poll(0.1)
                if self._first_failure is not None:
                    self._raise_failure()
            except KafkaException as failure:
                if failure.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    raise InvalidState(
                        f"the event is {len(value)} bytes; expected at most {MAX_EVENT_BYTES - 1024}"
                    ) from None
                raise as_state_error(failure, f"publishing to {self.topic}") from None
            else:
                self._producer.poll(0)
                return

    def flush(self) -> None:
        """Wait until every queued event is delivered. Raises Connection when one was not."""
        # Ends by itself: delivery.timeout.ms bounds how long any event stays queued.
        while self._producer.flush(1.0):
            pass
        if self._first_failure is not None:
            self._raise_failure()

    def _on_delivery(self, event_id: str, run_id: str, error: KafkaError | None, message: Any) -> None:
        self._count(error, message)
        if error is None and self._on_delivered:
            self._on_delivered(Delivered(event_id, run_id, message.partition(), message.offset()))

    def _count(self, error: KafkaError | None, _: Any) -> None:
        if error is None:
            self.delivered += 1
            return
        self.failed += 1
        self._first_failure = self._first_failure or error

    def _raise_failure(self) -> None:
        assert self._first_failure is not None
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
            return
        self._producer.flush(CLOSING_TIMEOUT_S)

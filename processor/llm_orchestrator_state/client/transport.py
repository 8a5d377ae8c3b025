"""Where published events go: to Kafka, or into a pipeline in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

from confluent_kafka import KafkaError, KafkaException, Producer

from ..errors import InvalidState
from ..kafka.admin import Admin
from ..kafka.failures import as_state_error
from ..kafka.logs import log_error, logger
from ..kafka.properties import MAX_EVENT_BYTES, PRODUCER, Properties, with_pass_through
from .read import partitions_of

EVENT_PRODUCER: Properties = PRODUCER | {
    # The topic's own limit: a larger event is refused here, with its line, not by the broker, with its batch.
    "message.max.bytes": MAX_EVENT_BYTES,
    # Back-pressure begins here: enough to fill the connection's batches, little enough to hold in memory anywhere.
    "queue.buffering.max.kbytes": 65_536,
    "linger.ms": 5,
    # The default of five minutes is how long a script would hang on a broker that has gone.
    "delivery.timeout.ms": 60_000,
}

Headers = list[tuple[str, bytes]]


class Position(Protocol):
    """Where an event is in the log: confluent-kafka's Message, or what is like it."""

    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...


OnDelivery = Callable[[KafkaError | None, Any], None]
"""Told once for each event that was sent: an error, or None and its Position."""


class Transport(Protocol):
    """A queue of bounded size, delivered in order. ``on_delivery`` is only called from within poll() and close()."""

    @property
    def topic(self) -> str:
        """Name of the events topic."""

    def send(self, key: bytes, value: bytes, headers: Headers | None, on_delivery: OnDelivery) -> bool:
        """Queue one event. False: the queue is full.

        Raises InvalidState for an event that is larger than the topic allows.
        """

    def poll(self, timeout_s: float) -> int:
        """Tell what was delivered or has failed, waiting so long for the first; how many that were."""

    def pending(self) -> int:
        """How many events are neither delivered nor failed, or have not been told."""

    def close(self) -> None:
        """Give up what is pending, and tell so."""


class KafkaTransport:
    """An idempotent producer to one topic, partitioned by murmur2.

    Raises Configuration for properties that librdkafka does not accept. Making it connects to nothing.
    """

    def __init__(self, bootstrap_servers: str, properties: Mapping[str, str] | None, topic: str) -> None:
        self.topic = topic
        conf = with_pass_through(EVENT_PRODUCER, bootstrap_servers, dict(properties or {}))
        try:
            self._producer = Producer({**conf, "error_cb": log_error}, logger=logger)
        except KafkaException as failure:
            raise as_state_error(failure, "Kafka client properties") from None

    @classmethod
    def connect(cls, bootstrap_servers: str, properties: Mapping[str, str] | None, topic: str) -> Self:
        """One whose brokers have answered, and have the topic.

        A producer alone would wait for a minute, and on some clusters make the topic anew with settings of no use.

        Raises Connection within 10 s; TopicMismatch; Configuration.
        """
        partitions_of(Admin(bootstrap_servers, properties), topic)
        return cls(bootstrap_servers, properties, topic)

    def send(self, key: bytes, value: bytes, headers: Headers | None, on_delivery: OnDelivery) -> bool:
        try:
            if headers is None:
                self._producer.produce(self.topic, value, key, -1, on_delivery)
            else:
                self._producer.produce(self.topic, value, key, on_delivery=on_delivery, headers=[*headers])
        except BufferError:
            return False
        except KafkaException as failure:
            if failure.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise InvalidState(
                    f"the event is {len(value)} bytes; expected at most {MAX_EVENT_BYTES - 1024}: keep large values "
                    "elsewhere and publish where they are"
                ) from None
            raise as_state_error(failure, f"publishing to {self.topic}") from None
        return True

    def poll(self, timeout_s: float) -> int:
        return self._producer.poll(timeout_s)

    def pending(self) -> int:
        return len(self._producer)

    def close(self) -> None:
        self._producer.purge()
        while self._producer.poll(0):
            pass
        self._producer.close()

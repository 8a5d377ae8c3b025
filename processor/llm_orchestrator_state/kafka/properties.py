"""librdkafka properties of each kind of client, and why they are not the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..errors import Configuration
from ..model.limits import MAX_STATE_BYTES

Properties = dict[str, str | int | bool]

MAX_EVENT_BYTES = MAX_STATE_BYTES + 64 * 1024
"""Largest record of the events topic (M): WorkflowSaved and WorkflowRestored carry a whole state."""

MAX_OUTPUT_BYTES = MAX_EVENT_BYTES + 64 * 1024
"""Largest record that the processor writes: a rejection is an event's bytes, and headers."""

COMMON: Properties = {
    "client.id": "llm-orchestrator-state",
    # longer than a broker's restart is not useful: the bootstrap list and the other brokers are tried in turn
    "reconnect.backoff.max.ms": 2_000,
}

ADMIN: Properties = {
    # its failures are raised; librdkafka's line about each attempt to connect would only repeat them
    "log_level": 2,
}

CONSUMER: Properties = {
    # a broker that hangs is given up after this, not after a minute; of a producer the transaction time-out decides
    "socket.timeout.ms": 10_000,
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    # an offset that the log no longer has must stop the partition, not skip or repeat events
    "auto.offset.reset": "error",
    "message.max.bytes": MAX_OUTPUT_BYTES,
    # a full queue is looked at again after this time; the default of a second starves a fast consumer
    "fetch.queue.backoff.ms": 5,
    "fetch.min.bytes": 1,
}

GROUP_CONSUMER: Properties = CONSUMER | {
    "group.protocol": "classic",
    "partition.assignment.strategy": "cooperative-sticky",
    # librdkafka has one fetch in flight per broker, and a partition that was just resumed or sought is in the next:
    # this is the longest such a partition waits on an idle topic, and ten empty fetches a second cost 0.3 % of a core
    "fetch.wait.max.ms": 100,
}

READER: Properties = CONSUMER | {
    # librdkafka demands a group; nothing is ever committed to it
    "group.id": "llm-orchestrator-state.reader",
    "queued.min.messages": 200_000,
    # an empty fetch is what moves the position past trailing transaction markers: it must not be waited for
    "fetch.wait.max.ms": 10,
}

PRODUCER: Properties = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    "partitioner": "murmur2_random",
    "message.max.bytes": MAX_OUTPUT_BYTES,
    # batches fill under load; flush() before the commit overrides it, so a lone event does not wait
    "linger.ms": 20,
    "queue.buffering.max.messages": 500_000,
}

TRANSACTIONAL_PRODUCER: Properties = PRODUCER | {
    # offsets are refused while the last transaction's markers are being written, which takes milliseconds
    "retry.backoff.ms": 5,
}


class Queues(NamedTuple):
    """Bytes of records that the clients of one process hold: what the group's consumer has fetched, what a reader of one
    partition has, what the producer has not sent.

    librdkafka counts a consumer's queue over all its partitions, keys and values only, and looks at it before each
    request: what one request brings comes on top, and so it is bounded too.
    """

    fetched: int = 64 * 1024 * 1024
    reading: int = 64 * 1024 * 1024
    produced: int = 128 * 1024 * 1024

    def group_consumer(self) -> Properties:
        # a record takes some 400 bytes besides its own
        return _queue(self.fetched) | {"queued.min.messages": min(100_000, self.fetched // 512)}

    def reader(self) -> Properties:
        return _queue(self.reading) | {"fetch.message.max.bytes": min(16 * 1024 * 1024, self.reading)}

    def producer(self) -> Properties:
        return {"queue.buffering.max.kbytes": self.produced // 1024}


def _queue(size: int) -> Properties:
    # no smaller than a record may be
    return {"queued.max.messages.kbytes": size // 1024, "fetch.max.bytes": max(MAX_OUTPUT_BYTES, size // 2)}


RESERVED = {
    "auto.offset.reset": "an offset that is gone must stop the partition",
    "client.id": "it tells the other workers who is alive",
    "enable.auto.commit": "offsets are committed in the transaction",
    "enable.auto.offset.store": "offsets are committed in the transaction",
    "enable.idempotence": "transactions need it",
    "acks": "transactions need all",
    "group.id": "it is made of the topic prefix",
    "group.instance.id": "it is the worker's identity",
    "group.protocol": "static members of the consumer protocol are taken over after 45 s",
    "isolation.level": "uncommitted records must not be read",
    "partition.assignment.strategy": "the rebalance callbacks are written for cooperative-sticky",
    "partitioner": "all publishers must agree",
    "transactional.id": "it is the worker's identity",
}
"""Properties that cannot be passed through, and why."""


def with_pass_through(own: Properties, bootstrap_servers: str, passed: Mapping[str, str]) -> Properties:
    """One client's properties: those passed through win over ours, the reserved ones are refused.

    Raises Configuration.
    """
    if not isinstance(bootstrap_servers, str):
        raise Configuration(
            f"bootstrap_servers is a {type(bootstrap_servers).__name__}; expected one text: host:port, several separated by "
            "commas"
        )
    if not bootstrap_servers.strip():
        raise Configuration("bootstrap_servers is empty; needed: host:port of at least one Kafka broker")
    for name in RESERVED.keys() & passed.keys():
        raise Configuration(f"Kafka property {name!r} cannot be set: {RESERVED[name]}; remove it")
    return {**COMMON, **own, **passed, "bootstrap.servers": bootstrap_servers}


def is_plaintext(passed: Mapping[str, str]) -> bool:
    """Whether the brokers are spoken to without TLS and without a login."""
    return passed.get("security.protocol", "plaintext").lower() == "plaintext"

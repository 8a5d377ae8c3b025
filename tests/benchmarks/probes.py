"""Events that are timed: from produce() until a reader of the state topic sees a state that includes them."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from llm_orchestrator_state.kafka.interface import Message
from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.model.records import EventRecord
from tests.benchmarks.system import Topics

MAX_BATCH = 1_000


class Probes:
    """The only publisher of its runs, from their creation on, and a read_committed reader of their states.

    A state's version tells how many of its run's events it includes: every contender writes it. Both are plain
    confluent-kafka clients; the publisher does not linger.
    """

    def __init__(self, made: Topics) -> None:
        names = made.cluster.topics
        self._topic = names.events
        self._partitions = made.partitions
        self._encode = made.codec.encode_event
        self._decode = made.codec.decode_state
        self._versions: dict[bytes, int] = {}
        self._sent: dict[bytes, deque[tuple[int, float]]] = {}
        self.waiting = 0
        self.latencies_s: list[float] = []
        bootstrap = {"bootstrap.servers": made.system.bootstrap}
        self._producer = Producer(bootstrap | {"enable.idempotence": True, "linger.ms": 0})
        self._consumer = Consumer(
            bootstrap
            | {
                "group.id": f"benchmark-{uuid.uuid4().hex}",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
            }
        )
        ends = made.cluster.log_ranges(names.state, range(made.partitions))
        self._consumer.assign([TopicPartition(names.state, p, log.end) for p, log in ends.items()])

    def send(self, event: EventRecord) -> None:
        key = event["run_id"].encode()
        value = self._encode(event)
        version = self._versions[key] = self._versions.get(key, 0) + 1
        self._sent.setdefault(key, deque()).append((version, time.perf_counter()))
        self.waiting += 1
        self._producer.produce(self._topic, value, key, partition_of(key, self._partitions))

    def receive(self, wait_s: float) -> None:
        """Wait for states; those that have arrived are counted."""
        first = self._consumer.poll(wait_s)
        if first is None:
            return
        now = time.perf_counter()
        for message in (first, *self._consumer.consume(MAX_BATCH, 0)):
            self._count(cast(Message, message), now)

    def _count(self, message: Message, now: float) -> None:
        if error := message.error():
            raise KafkaException(error)
        sent = self._sent.get(message.key() or b"")
        if not sent:
            return
        version = self._decode(message.value())["version"]
        while sent and sent[0][0] <= version:
            self.latencies_s.append(now - sent.popleft()[1])
            self.waiting -= 1

    def receive_all(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while self.waiting:
            self.receive(0.1)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.waiting} events were published and no state includes them")

    def pause_until(self, moment: float) -> None:
        """Publish nothing until this moment of perf_counter()."""
        while (left := moment - time.perf_counter()) > 0:
            self.receive(left)

    def close(self) -> None:
        self._producer.flush()
        self._consumer.close()


@contextmanager
def probes(made: Topics) -> Iterator[Probes]:
    probing = Probes(made)
    try:
        yield probing
    finally:
        probing.close()


def percentiles_ms(latencies_s: list[float]) -> dict[str, float]:
    ordered = sorted(latencies_s)
    return {f"p{q}_ms": ordered[min(len(ordered) - 1, len(ordered) * q // 100)] * 1000 for q in (50, 99)}

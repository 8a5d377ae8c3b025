"""A small cluster without faults, for the substrate's own tests."""

from __future__ import annotations

from random import Random

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.simulation.clock import HostClock, SimClock
from tests.simulation.cluster import SimCluster
from tests.simulation.consumer import SimConsumer
from tests.simulation.process import SimProcess
from tests.simulation.producer import SimProducer
from tests.simulation.store import Disk


class World:
    def __init__(self, partitions: int = 2) -> None:
        self.rng = Random(1)
        self.clock = SimClock()
        self.cluster = SimCluster(self.rng, self.clock, partitions)
        self.disk = Disk(HostClock(self.clock))

    def process(self, instance_id: str) -> SimProcess:
        return SimProcess(self.cluster, instance_id, self.disk)

    def member(self, instance_id: str) -> Member:
        return Member(self.process(instance_id))

    def append(self, partition: int, *values: bytes) -> None:
        for value in values:
            self.cluster.log(self.cluster.events, partition).append((b"key", value, None), -1, self.clock.now)

    def poll_all(self, *members: Member, rounds: int = 12) -> None:
        """Time enough for heartbeats and the rounds of a rebalance."""
        for _ in range(rounds):
            for member in members:
                member.read += [m.value() for m in member.consumer.consume(100, 1.0) if m.error() is None]

    def producer(self, process: SimProcess, transactional_id: str | None = None) -> SimProducer:
        producer = process.kafka.producer(transactional_id or process.transactional_id)
        producer.init_transactions(10.0)
        return producer


class Member:
    """A consumer that assigns from the log's start what it is given, and notes what it is told."""

    def __init__(self, process: SimProcess) -> None:
        self.process = process
        self.told: list[tuple[str, list[int]]] = []
        self.read: list[bytes | None] = []
        self.consumer: SimConsumer = process.kafka.group_consumer()
        self.consumer.subscribe(
            ["sim.events"],
            on_assign=self._assign,
            on_revoke=lambda consumer, given: self._drop("revoke", consumer, given),
            on_lost=lambda consumer, given: self._drop("lost", consumer, given),
        )

    def _assign(self, consumer: SimConsumer, given: list[TopicPartition]) -> None:
        self.told.append(("assign", [tp.partition for tp in given]))
        consumer.incremental_assign([TopicPartition(tp.topic, tp.partition, 0) for tp in given])

    def _drop(self, kind: str, consumer: SimConsumer, given: list[TopicPartition]) -> None:
        self.told.append((kind, [tp.partition for tp in given]))
        consumer.incremental_unassign(given)

    @property
    def owned(self) -> list[int]:
        return sorted(self.consumer.fetches)


def position(partition: int, offset: int, metadata: str = "") -> TopicPartition:
    return TopicPartition("sim.events", partition, offset, metadata)


def error_of(raised: KafkaException) -> KafkaError:
    error = raised.args[0]
    assert isinstance(error, KafkaError)
    return error

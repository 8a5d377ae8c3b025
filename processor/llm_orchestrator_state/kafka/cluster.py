"""The real Kafka behind interface.py: confluent-kafka clients, set up for exactly-once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from ..errors import TopicMismatch
from .admin import REQUEST_TIMEOUT_S, Admin
from .interface import GroupConsumer, GroupOffset, LogRange, LogReader, TransactionalProducer
from .logs import log_error, logger
from .member import Member
from .properties import GROUP_CONSUMER, PRODUCER, READER, Properties, with_pass_through
from .topics import TopicSet
from .transactional import FencibleProducer

HEARTBEAT_S = 1.0
"""Members learn of a rebalance with their next heartbeat: librdkafka's default of 3 s is that much of a takeover."""


class Identity(NamedTuple):
    """What a local store belongs to. A topic that is deleted and made again has another id."""

    cluster_id: str
    topic_id: str


class Cluster:
    """Makes one worker's clients, and asks the brokers what only the admin API tells.

    group: the consumer group on the events topic.
    instance_id: ``group.instance.id`` of the worker, stable across restarts.
    session_timeout_s: silence after which the group gives a worker's partitions to others.
    transaction_timeout_s: age at which the brokers abort an open transaction.
    properties: of librdkafka, passed through to every client.

    Making it reaches the cluster, or raises errors.Connection or errors.Configuration. Methods raise KafkaException.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topics: TopicSet,
        group: str,
        instance_id: str,
        *,
        session_timeout_s: float = 10,
        transaction_timeout_s: float = 10,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.topics = topics
        self.group = group
        self.instance_id = instance_id
        self.admin = Admin(bootstrap_servers, properties)
        self._session_timeout_s = session_timeout_s
        self._transaction_timeout_s = transaction_timeout_s

    @property
    def transactional_id(self) -> str:
        return self._transactional_id_of(self.instance_id)

    def _transactional_id_of(self, instance_id: str) -> str:
        return f"{self.topics.prefix}.{instance_id}"

    def identity(self) -> Identity:
        """Raises TopicMismatch when there is no events topic."""
        events = self.admin.topics([self.topics.events])[self.topics.events]
        if events is None:
            raise TopicMismatch(f"topic {self.topics.events} is missing; llm-orchestrator-state topics create makes it")
        return Identity(self.admin.cluster_id, events.topic_id)

    def group_consumer(self) -> GroupConsumer:
        own: Properties = {
            "group.id": self.group,
            "group.instance.id": self.instance_id,
            "session.timeout.ms": int(self._session_timeout_s * 1000),
            "heartbeat.interval.ms": int(min(HEARTBEAT_S, self._session_timeout_s / 3) * 1000),
        }
        return cast(GroupConsumer, Member(self._properties(GROUP_CONSUMER | own), logger=logger))

    def producer(self, transactional_id: str) -> TransactionalProducer:
        own: Properties = {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(self._transaction_timeout_s * 1000),
        }
        return cast(TransactionalProducer, FencibleProducer(self._properties(PRODUCER | own), logger=logger))

    def reader(self) -> LogReader:
        return cast(LogReader, Consumer(self._properties(READER), logger=logger))

    def _properties(self, own: Properties) -> dict[str, Any]:
        return {**with_pass_through(own, self.admin.bootstrap_servers, self.admin.properties), "error_cb": log_error}

    def group_offsets(self, partitions: Sequence[int]) -> dict[int, GroupOffset]:
        if not partitions:
            return {}
        stable = self._committed(partitions, require_stable=True)
        pending = [number for number, found in stable.items() if found.error]
        # asked again without waiting for stability, the broker tells the last offset that is
        last = self._committed(pending, require_stable=False) if pending else {}
        return {
            number: GroupOffset(
                offset=found.offset if found.offset >= 0 else None, owner=found.metadata or "", pending=number in last
            )
            for number, found in (stable | last).items()
        }

    def _committed(self, partitions: Sequence[int], *, require_stable: bool) -> dict[int, TopicPartition]:
        asked = ConsumerGroupTopicPartitions(self.group, [TopicPartition(self.topics.events, n) for n in partitions])
        futures = self.admin.client.list_consumer_group_offsets(
            [asked], require_stable=require_stable, request_timeout=REQUEST_TIMEOUT_S
        )
        found: list[TopicPartition] = futures[self.group].result().topic_partitions
        for partition in found:
            if partition.error and not (require_stable and _unstable(partition.error)):
                raise KafkaException(partition.error)
        return {partition.partition: partition for partition in found}

    def log_ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, LogRange]:
        start = self.admin.offsets(topic, partitions, "earliest")
        # the end before the stable offset: then a stable offset behind the end is a transaction that was open at
        # the end's moment, never one that began and ended between the two questions
        end = self.admin.offsets(topic, partitions, "latest", isolation_level=IsolationLevel.READ_UNCOMMITTED)
        stable = self.admin.offsets(topic, partitions, "latest", isolation_level=IsolationLevel.READ_COMMITTED)
        return {n: LogRange(start=start[n], stable=min(stable[n], end[n]), end=end[n]) for n in partitions}

    def live_transactional_ids(self) -> set[str]:
        futures = self.admin.client.describe_consumer_groups([self.group], request_timeout=REQUEST_TIMEOUT_S)
        members = futures[self.group].result().members
        return {self._transactional_id_of(member.group_instance_id) for member in members if member.group_instance_id}


def _unstable(error: KafkaError) -> bool:
    return bool(error.code() == KafkaError.UNSTABLE_OFFSET_COMMIT)

"""The real Kafka behind interface.py: confluent-kafka clients, set up for exactly-once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from confluent_kafka import Consumer

from ..errors import TopicMismatch
from .admin import Admin
from .interface import GroupConsumer, GroupOffset, LogRange, LogReader, TransactionalProducer
from .logs import log_error, logger
from .member import Member
from .offsets import Offsets
from .problems import create_command
from .properties import GROUP_CONSUMER, READER, TRANSACTIONAL_PRODUCER, Properties, Queues, with_pass_through
from .reader import Reader
from .topic_ids import TopicIds
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
        self._offsets = Offsets(self._properties, group)
        self._topic_ids = TopicIds(self.admin, topics.processed())
        self.queues = Queues()
        """Of the clients that are made from now on."""
        self._session_timeout_s = session_timeout_s
        self._transaction_timeout_s = transaction_timeout_s

    @property
    def transactional_id(self) -> str:
        return self._transactional_id_of(self.instance_id)

    def _transactional_id_of(self, instance_id: str) -> str:
        return f"{self.topics.transactional_ids}{instance_id}"

    def identity(self) -> Identity:
        """Raises TopicMismatch when there is no events topic."""
        events = self.admin.topics([self.topics.events])[self.topics.events]
        if events is None:
            raise TopicMismatch(
                f"topic {self.topics.events} is missing; `{create_command(self.topics.prefix)}` makes it"
            )
        return Identity(self.admin.cluster_id, events.topic_id)

    def group_consumer(self) -> GroupConsumer:
        own: Properties = {
            "group.id": self.group,
            "group.instance.id": self.instance_id,
            # by which live_transactional_ids() knows it again
            "client.id": self.instance_id,
            "session.timeout.ms": int(self._session_timeout_s * 1000),
            "heartbeat.interval.ms": int(min(HEARTBEAT_S, self._session_timeout_s / 3) * 1000),
        }
        return cast(
            GroupConsumer, Member(self._properties(GROUP_CONSUMER | self.queues.group_consumer() | own), logger=logger)
        )

    def producer(self, transactional_id: str) -> TransactionalProducer:
        own: Properties = {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(self._transaction_timeout_s * 1000),
        }
        return cast(
            TransactionalProducer,
            FencibleProducer(self._properties(TRANSACTIONAL_PRODUCER | self.queues.producer() | own), logger=logger),
        )

    def reader(self) -> LogReader:
        return cast(LogReader, self.inspector())

    def inspector(self, isolation: Literal["read_committed", "read_uncommitted"] = "read_committed") -> Consumer:
        """A reader with all that the binding's consumer has."""
        own = READER | self.queues.reader() | {"isolation.level": isolation}
        return Reader(self._properties(own), logger=logger)

    def _properties(self, own: Properties) -> dict[str, Any]:
        return {**with_pass_through(own, self.admin.bootstrap_servers, self.admin.properties), "error_cb": log_error}

    def group_offsets(self, partitions: Sequence[int]) -> dict[int, GroupOffset]:
        return self._offsets.committed(self.topics.events, partitions)

    def log_ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, LogRange]:
        return self._offsets.ranges(topic, partitions)

    def topic_ids(self) -> dict[str, str | None] | None:
        return self._topic_ids.answer()

    def live_transactional_ids(self) -> set[str]:
        return {self._transactional_id_of(client_id) for client_id in self.admin.members(self.group)}

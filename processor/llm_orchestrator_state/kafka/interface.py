"""What the engine needs of Kafka.

It is the part of confluent-kafka's own interface that the engine uses, with its exceptions (``KafkaException``
around a ``KafkaError``), so the real clients are passed in as they are. The simulation in tests/simulation
provides the same from memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from confluent_kafka import TopicPartition

Headers = Sequence[tuple[str, bytes]]


class Message(Protocol):
    def __len__(self) -> int:
        """Bytes of the value."""

    def error(self) -> Any: ...
    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> Any:
        """int; None in the delivery report of a record whose offset is not known."""

    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Headers | None: ...


Rebalance = Callable[[Any, list[TopicPartition]], None]
"""Called with the consumer and the partitions, from within poll() and consume()."""


class GroupConsumer(Protocol):
    """A member of the processor's consumer group."""

    def subscribe(
        self, topics: list[str], *, on_assign: Rebalance, on_revoke: Rebalance, on_lost: Rebalance
    ) -> None: ...
    def poll(self, timeout: float) -> Message | None: ...
    def consume(self, num_messages: int, timeout: float) -> list[Message]: ...
    def incremental_assign(self, partitions: list[TopicPartition]) -> None: ...
    def incremental_unassign(self, partitions: list[TopicPartition]) -> None: ...
    def pause(self, partitions: list[TopicPartition]) -> None: ...
    def resume(self, partitions: list[TopicPartition]) -> None: ...
    def seek(self, partition: TopicPartition) -> None: ...
    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]: ...
    def memberid(self) -> str | None: ...
    def consumer_group_metadata(self) -> object: ...
    def unsubscribe(self) -> None: ...
    def close(self) -> None: ...


class TransactionalProducer(Protocol):
    def init_transactions(self, timeout: float) -> None: ...
    def begin_transaction(self) -> None: ...
    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        *,
        headers: Headers,
        on_delivery: Callable[[Any, Message], None] | None = None,
    ) -> None: ...
    def poll(self, timeout: float) -> int: ...
    def flush(self, timeout: float) -> int: ...
    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: object, timeout: float
    ) -> None: ...
    def commit_transaction(self, timeout: float) -> None: ...
    def abort_transaction(self, timeout: float) -> None: ...


class LogReader(Protocol):
    """A read_committed consumer without a group, for reading one partition at a time by position."""

    def assign(self, partitions: list[TopicPartition]) -> None: ...
    def consume(self, num_messages: int, timeout: float) -> list[Message]: ...
    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]: ...
    def close(self) -> None: ...


class LogRange(NamedTuple):
    """Offsets of one partition: the first, the last stable (what read_committed can see), and the end."""

    start: int
    stable: int
    end: int


class GroupOffset(NamedTuple):
    """What the group has committed for one input partition.

    offset: the last stable committed offset, None where there is none.
    owner: the transactional id that committed it ("" where unknown).
    pending: an open transaction is about to change it (UNSTABLE_OFFSET_COMMIT, KIP-447).
    """

    offset: int | None
    owner: str
    pending: bool


class Kafka(Protocol):
    """Makes clients, and answers what only the admin API tells. Every call may raise KafkaException."""

    def group_consumer(self) -> GroupConsumer: ...
    def producer(self, transactional_id: str) -> TransactionalProducer: ...
    def reader(self) -> LogReader: ...
    def group_offsets(self, partitions: Sequence[int]) -> dict[int, GroupOffset]:
        """The group's committed offsets on the events topic."""

    def log_ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, LogRange]: ...
    def topic_ids(self) -> dict[str, str | None] | None:
        """Of the topics that a worker reads or writes, None for one that is missing; a topic that is made anew has another.

        Does not wait: None altogether where the brokers have not answered yet. Raises nothing of theirs.
        """

    def live_transactional_ids(self) -> set[str]:
        """Of the group's current members, from their group.instance.id."""

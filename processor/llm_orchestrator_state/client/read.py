"""Reading the compacted topics as tables: the last value of each key, up to the end as it is when the reading begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from confluent_kafka import KafkaException

from ..errors import TopicMismatch
from ..kafka.admin import Admin
from ..kafka.failures import as_state_error
from ..kafka.interface import LogRange, LogReader, Message
from ..kafka.problems import create_command, no_topic_set
from ..kafka.scan import STALLED_S, scan
from ..kafka.settled import settled_ranges


class Log(Protocol):
    """The part of Kafka that a reader needs."""

    def reader(self) -> LogReader: ...
    def log_ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, LogRange]: ...


def partitions_of(admin: Admin, topic: str) -> list[int]:
    """Raises TopicMismatch when there is no such topic, and Connection."""
    found = admin.topics([topic])[topic]
    if found is None:
        prefix = topic.rpartition(".")[0]
        if admin.topics([f"{prefix}.meta"])[f"{prefix}.meta"]:
            raise TopicMismatch(f"topic {topic} is missing; `{create_command(prefix)}` makes it")
        raise TopicMismatch(no_topic_set(admin, prefix))
    return list(range(found.partitions))


def messages(kafka: Log, topic: str, partitions: Sequence[int]) -> Iterator[Message]:
    """Committed records of the partitions, one partition after the other: all whose commit was answered before the call.

    Raises Connection, also when nothing has come for 30 s.
    """
    try:
        ranges = settled_ranges(kafka, topic, partitions)
        reader = kafka.reader()
        try:
            for partition in partitions:
                known = ranges[partition]
                for batch, _ in scan(reader, topic, partition, known.start, known.stable, stalled_s=STALLED_S):
                    yield from batch
        finally:
            reader.close()
    except KafkaException as failure:
        raise as_state_error(failure, f"reading topic {topic}") from None


def latest_by_key(kafka: Log, topic: str, partition: int) -> dict[bytes, Message]:
    """What compaction would leave of a partition: the last record of each key, without those that are tombstones."""
    latest: dict[bytes, Message] = {}
    for message in messages(kafka, topic, [partition]):
        key = message.key()
        if key is None:
            continue
        if message.value() is None:
            latest.pop(key, None)
        else:
            latest[key] = message
    return latest


def latest_of(kafka: Log, topic: str, partition: int, key: bytes) -> Message | None:
    """The last record of one key; None where there is none or it is a tombstone."""
    last: Message | None = None
    for message in messages(kafka, topic, [partition]):
        if message.key() == key:
            last = message
    return None if last is None or last.value() is None else last

"""Reading one partition from an offset to another."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import KafkaException, TopicPartition

from .interface import LogReader, Message

BATCH = 10_000


def scan(
    reader: LogReader, topic: str, partition: int, start: int, end: int, wait_s: float = 0.1
) -> Iterator[tuple[list[Message], int]]:
    """The committed records from start up to end, in batches, each with the offset behind it.

    It ends by position, not by a record's offset: what the log ends with may be control records or aborted ones,
    which are never delivered, but the position passes them. A batch may be empty: nothing came within wait_s seconds,
    and the caller decides how long to go on. Raises KafkaException.
    """
    if start >= end:
        return
    where = TopicPartition(topic, partition, start)
    reader.assign([where])
    position = start
    while position < end:
        messages = reader.consume(BATCH, wait_s if position == start else 0.02)
        for message in messages:
            if error := message.error():
                raise KafkaException(error)
        position = max(position, reader.position([where])[0].offset)
        if messages:
            position = max(position, messages[-1].offset() + 1)
            while messages and messages[-1].offset() >= end:
                messages.pop()
        yield messages, min(position, end)

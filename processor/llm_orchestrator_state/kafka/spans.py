"""Reading short stretches of many partitions at once, within a bounded time: how an operator looks into the topics."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

WAIT_S = 0.05

TAIL = 64
"""Offsets before the end among which the newest record is looked for: each commit leaves a marker behind its records."""

Place = tuple[str, int]
"""Topic and partition."""


class Span(NamedTuple):
    """Offsets from start up to, and without, end."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return max(0, self.end - self.start)

    def tail(self) -> Span:
        return Span(max(self.start, self.end - TAIL), self.end)


def timestamp_s(message: Any) -> float:
    """Unix time: the producer's clock, or the broker's where the topic says LogAppendTime."""
    _, milliseconds = message.timestamp()
    return float(milliseconds) / 1000


def records(consumer: Consumer, spans: Mapping[Place, Span], deadline: float) -> Iterator[Any]:
    """The records of all spans that the consumer's isolation level shows, each partition's in order.

    deadline: on the monotonic clock, after which no more come. Raises KafkaException.
    """
    spans = {place: span for place, span in spans.items() if span.length}
    if not spans:
        return
    consumer.assign([TopicPartition(topic, number, span.start) for (topic, number), span in spans.items()])
    open_places = set(spans)
    while open_places and time.monotonic() < deadline:
        batch: list[Any] = consumer.consume(10_000, WAIT_S)
        for message in batch:
            if error := message.error():
                raise KafkaException(error)
            if message.offset() < spans[_place(message)].end:
                yield message
        for found in consumer.position([TopicPartition(*place) for place in open_places]):
            # by position: what a span ends with may be control records, which never arrive
            if found.offset >= spans[found.topic, found.partition].end:
                open_places.discard((found.topic, found.partition))
                consumer.pause([TopicPartition(found.topic, found.partition)])


def _place(message: Any) -> Place:
    return message.topic(), message.partition()


def newest(consumer: Consumer, spans: Mapping[Place, Span], deadline: float) -> dict[Place, Any]:
    """The last record of each span, where there is one in its tail. Raises KafkaException."""
    tails = {place: span.tail() for place, span in spans.items()}
    return {_place(message): message for message in records(consumer, tails, deadline)}


def oldest(consumer: Consumer, spans: Mapping[Place, Span], deadline: float) -> dict[Place, Any]:
    """The first record of each span. Raises KafkaException."""
    found: dict[Place, Any] = {}
    wanted = sum(1 for span in spans.values() if span.length)
    for message in records(consumer, spans, deadline):
        found.setdefault(_place(message), message)
        if len(found) == wanted:
            break
    return found


def offsets_since(
    consumer: Consumer, topic: str, ends: Mapping[int, int], unix_s: float, timeout_s: float
) -> dict[int, int]:
    """The first offset of each partition with a record of that time or later, the partition's end where there is none.

    Raises KafkaException.
    """
    asked = [TopicPartition(topic, number, int(unix_s * 1000)) for number in ends]
    found: Sequence[TopicPartition] = consumer.offsets_for_times(asked, timeout=timeout_s)
    for each in found:
        if each.error:
            raise KafkaException(each.error)
    return {each.partition: each.offset if each.offset >= 0 else ends[each.partition] for each in found}

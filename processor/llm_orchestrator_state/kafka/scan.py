"""Reading one partition from an offset to another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from confluent_kafka import KafkaException, TopicPartition

from ..errors import Connection
from .interface import LogReader, Message

BATCH = 10_000

STALLED_S = 30.0
"""A log that gives nothing for so long is given up: longer than a broker's restart or an election takes."""


def scan(
    reader: LogReader,
    topic: str,
    partition: int,
    start: int,
    end: int,
    wait_s: float = 0.1,
    *,
    stalled_s: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[list[Message], int]]:
    """The committed records from start up to end, in batches, each with the offset behind it.

    It ends by position, not by a record's offset: what the log ends with may be control records or aborted ones,
    which are never delivered, but the position passes them. A batch may be empty: nothing came within wait_s seconds.

    stalled_s: how long, in seconds of waiting here, the position may stay where it is; None: the caller decides.
    Raises KafkaException, and errors.Connection for a log that has stalled.
    """
    if start >= end:
        return
    where = TopicPartition(topic, partition, start)
    reader.assign([where])
    position, waited = start, 0.0
    while position < end:
        began, reached = monotonic(), position
        messages = reader.consume(BATCH, wait_s if position == start else 0.02)
        for message in messages:
            if error := message.error():
                raise KafkaException(error)
        position = max(position, reader.position([where])[0].offset)
        if messages:
            position = max(position, messages[-1].offset() + 1)
            while messages and messages[-1].offset() >= end:
                messages.pop()
        # what the caller does with a batch takes its own time, and is no sign of a stall
        waited = 0.0 if position > reached else waited + monotonic() - began
        if stalled_s is not None and waited > stalled_s:
            raise Connection(f"{topic}[{partition}] could not be read beyond {position} of {end}; check the brokers")
        yield messages, min(position, end)

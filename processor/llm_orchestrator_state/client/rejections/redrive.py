"""Publishing rejected events again, and waiting for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException

from ...errors import Connection
from ...kafka.failures import one_line
from ...kafka.interface import GroupOffset
from ...kafka.scan import STALLED_S, scan
from ...wire.codec import Codec
from ..read import Log
from ..transport import Transport
from .outlook import again
from .record import Address, Rejection, rejection_of

HEADER = "redriven-from"
"""Of an event that is published again: the event id that was rejected."""

ASK_S = 0.1
"""Between two looks at how far the group is: brokers do not tell when it commits."""


class Judged(NamedTuple):
    """What became of an event. code: "" where it was applied, or was a duplicate."""

    code: str
    detail: str


class Processor(Log, Protocol):
    """The part of Kafka that tells how far the workers are."""

    def group_offsets(self, partitions: Sequence[int]) -> dict[int, GroupOffset]: ...


def publish_again(chosen: Iterable[Rejection], codec: Codec, transport: Transport) -> dict[Address, Address]:
    """Each with its body, in this order, under its new id and with the same key.

    Returns where each now is, by the rejection's own place. Raises Connection when one was not delivered, InvalidState.
    """
    where: dict[Address, Address] = {}
    failures: list[KafkaError] = []

    def note(record: Address, error: KafkaError | None, position: Any) -> None:
        if error is None:
            where[record] = Address(position.partition(), position.offset())
        else:
            failures.append(error)

    for rejection in chosen:
        event, _ = again(rejection, codec)
        if event is None:
            continue  # it was refused by the same rule
        origin = rejection.redriven_from.event_id if rejection.redriven_from else rejection.event_id
        headers = [(HEADER, (origin or "").encode())]
        key, value = event["run_id"].lower().encode(), codec.encode_event(event)
        while not failures and not transport.send(key, value, headers, partial(note, rejection.record)):
            transport.poll(ASK_S)
        transport.poll(0)
        if failures:
            break
    while not failures and transport.pending():
        transport.poll(ASK_S)
    if failures:
        raise Connection(
            f"not everything could be published to {transport.topic} ({one_line(failures[0])}); redrive the same again: "
            "what arrived is recognised"
        )
    return where


def ends_of(kafka: Log, topic: str, partitions: Sequence[int]) -> dict[int, int]:
    """Where the rejections topic ends now: what is published after this is rejected behind it."""
    return {number: known.end for number, known in kafka.log_ranges(topic, partitions).items()}


def wait_for_verdicts(
    kafka: Processor,
    topic: str,
    where: Iterable[Address],
    since: Mapping[int, int],
    wait_s: float,
    told: Callable[[int], None] = lambda _: None,
) -> dict[Address, Judged]:
    """Of the events at these places, those that are judged within so many seconds.

    topic: of rejections; since: its ends_of() before the events were published. The group's committed offset has passed
    an event that is judged, and then the rejections are read to their end: partitions do not become visible at once.
    Raises Connection, KafkaException.
    """
    waiting = set(where)
    judged: dict[Address, Judged] = {}
    deadline = time.monotonic() + wait_s
    while waiting:
        passed = _passed(kafka, waiting)
        for number in {each.partition for each in passed}:
            rejected = _rejected_since(kafka, topic, number, since[number])
            judged |= {each: rejected.get(each, Judged("", "")) for each in passed if each.partition == number}
        waiting -= passed
        told(len(judged))
        if not waiting or time.monotonic() > deadline:
            break
        time.sleep(ASK_S)  # brokers do not tell when a group commits; they must be asked
    return judged


def _passed(kafka: Processor, waiting: set[Address]) -> set[Address]:
    try:
        offsets = kafka.group_offsets(sorted({each.partition for each in waiting}))
    except KafkaException as failure:
        if not failure.args[0].retriable():  # a coordinator may be loading, or moving
            raise
        return set()
    return {each for each in waiting if (offsets[each.partition].offset or 0) > each.offset}


def _rejected_since(kafka: Log, topic: str, partition: int, start: int) -> dict[Address, Judged]:
    end = kafka.log_ranges(topic, [partition])[partition].end
    found: dict[Address, Judged] = {}
    reader = kafka.reader()
    try:
        for batch, _ in scan(reader, topic, partition, start, end, stalled_s=STALLED_S):
            for rejection in map(rejection_of, batch):
                if rejection.address:
                    found[rejection.address] = Judged(rejection.code, rejection.detail)
    finally:
        reader.close()
    return found

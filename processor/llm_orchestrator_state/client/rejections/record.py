"""One record of the rejections topic."""

from __future__ import annotations

import uuid
from typing import NamedTuple, Protocol, cast

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE

from ...kafka.headers import headers_of, number
from ...kafka.interface import Message
from ...model.ids import is_uuid


class Address(NamedTuple):
    """Where the rejected event is in the events topic: written ``3:1042``."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class Origin(NamedTuple):
    """The rejection of which another one was the next try."""

    address: Address
    event_id: str


class Rejection(NamedTuple):
    """An event that was not applied.

    code: one of model.verdicts.Code, or one that is newer than this program. address: None where the record does not
    name it. record: where the rejection itself is in its topic. run_id: the record's key as text, which is what the
    publisher sent, not checked. rejected_at: microseconds since 1970 UTC; None where the brokers do not tell. body: the
    event's bytes; None where they were not asked for, or left out. sha256: of a body that was too large to carry, in
    hexadecimal. redriven_from: what this was another try of.
    """

    code: str
    detail: str
    address: Address | None
    record: Address
    source_topic: str | None
    event_id: str | None
    run_id: str | None
    key: bytes | None
    rejected_at: int | None
    body: bytes | None
    sha256: str | None
    redriven_from: Origin | None = None


class _Timed(Protocol):
    def timestamp(self) -> tuple[int, int]:
        """Its type, and milliseconds since 1970 UTC."""


def rejection_of(message: Message) -> Rejection:
    headers = {name: value.decode(errors="replace") for name, value in headers_of(message.headers()).items()}
    key = message.key()
    kind, milliseconds = cast(_Timed, message).timestamp()
    partition, offset = number(headers.get("source-partition")), number(headers.get("source-offset"))
    return Rejection(
        code=headers.get("code", ""),
        detail=headers.get("detail", ""),
        address=None if partition is None or offset is None else Address(partition, offset),
        record=Address(message.partition(), message.offset()),
        source_topic=headers.get("source-topic"),
        event_id=headers.get("event-id"),
        run_id=None if key is None else key.decode(errors="replace"),
        key=key,
        rejected_at=None if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds * 1000,
        body=message.value(),
        sha256=headers.get("sha256"),
    )


def redriven_id(rejection: Rejection) -> str | None:
    """The event id under which it is published again: always the same, so that doing it twice is a duplicate.

    None for one whose own id or address is not known.
    """
    if rejection.redriven_from is not None:
        return rejection.event_id  # it is another try already
    if rejection.address is None or rejection.event_id is None or not is_uuid(rejection.event_id):
        return None
    return str(uuid.uuid5(uuid.UUID(rejection.event_id), f"{rejection.source_topic}[{rejection.address}]"))

"""What was rejected lately, so that a published event's fate can be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from ...client.read import Log
from ...kafka.headers import headers_of, source_offset
from ...kafka.interface import LogRange, Message
from ...kafka.scan import STALLED_S, scan
from ...model.verdicts import Code
from .feeds import Place
from .life import Life

REMEMBERED = 10_000
"""Rejections of a partition kept; older ones are read again when they are asked for."""

FIRST_LOOK, LONGEST_LOOK = 100, 10_000
"""Offsets read at a time when looking back."""


class Rejected(NamedTuple):
    """code: a Code, or one that is newer than this program."""

    code: Code
    detail: str


Found = dict[int, Rejected]
"""By input offset."""


class RejectionFeed:
    """A partition of the rejections topic, from somewhere on.

    known_from: every rejection of an event from this input offset on is in the table, as far as the topic was read.
    on_rejected: called with input offsets that were rejected, under the reader's lock.
    """

    def __init__(self, place: Place, position: int, life: Life, on_rejected: Callable[[int, Found], None]) -> None:
        self.place = place
        self.start = self.position = position
        self.known_from: int | None = None
        self._life = life
        self._on_rejected = on_rejected
        self._table: Found = {}

    def get(self, offset: int) -> Rejected | None:
        return self._table.get(offset)

    def knows(self, offset: int) -> bool:
        """Whether an event of this input offset that is not in the table was not rejected."""
        return self.known_from is not None and offset >= self.known_from

    def take(self, messages: Sequence[Message], position: int) -> None:
        found = rejected_in(messages)
        with self._life.lock:
            self.position = position
            self._add(found)

    def add_older(self, found: Found, offset: int) -> None:
        """All rejections of events from this offset on that are in the topic before the feed's start; under the lock."""
        if len(found) + len(self._table) <= REMEMBERED:
            self.known_from = offset if self.known_from is None else min(self.known_from, offset)
            self._table = found | self._table
        self._on_rejected(self.place.partition, found)

    def _add(self, found: Found) -> None:
        self._table |= found
        while len(self._table) > REMEMBERED:
            # in the order of the events, but for some that were judged twice
            oldest = next(iter(self._table))
            del self._table[oldest]
            self.known_from = max(self.known_from or 0, oldest + 1)
        self._on_rejected(self.place.partition, found)


def rejected_in(messages: Sequence[Message]) -> Found:
    found: Found = {}
    for message in messages:
        headers = headers_of(message.headers())
        detail = headers.get("detail", b"").decode(errors="replace")
        found[source_offset(message.headers())] = Rejected(_code(headers.get("code", b"")), detail)
    return found


def _code(header: bytes) -> Code:
    text = header.decode(errors="replace")
    try:
        return Code(text)
    except ValueError:
        return cast(Code, text)


def look_back(kafka: Log, place: Place, known: LogRange, end: int, offset: int) -> Found:
    """Rejections of events from this input offset on, among the records before ``end``.

    They are in the order of the events, so it ends at the first of an older event. Raises KafkaException, and Connection.
    """
    found: Found = {}
    size = FIRST_LOOK
    reader = kafka.reader()
    try:
        while end > known.start:
            begin = max(known.start, end - size)
            earlier: Found = {}
            for messages, _ in scan(reader, *place, begin, end, stalled_s=STALLED_S):
                earlier |= rejected_in(messages)
            found = {at: why for at, why in earlier.items() if at >= offset} | found
            if min(earlier, default=offset) < offset:
                break
            end, size = begin, min(4 * size, LONGEST_LOOK)
    finally:
        reader.close()
    return found

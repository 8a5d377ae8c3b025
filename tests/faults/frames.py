"""Kafka's wire format as far as a network fault needs it: which request a frame is, or answers.

A frame is its length (4 bytes) and that many bytes; a request begins with its api key, version and correlation id, a
response with the correlation id of its request (Kafka protocol guide).
"""

from __future__ import annotations

import asyncio
import struct
from enum import Enum
from typing import NamedTuple

PRODUCE, FETCH, API_VERSIONS, INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = (
    0,
    1,
    18,
    22,
    24,
    25,
    26,
    28,
)

TRANSACTION = frozenset({INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN})
"""What is asked of the transaction coordinator."""


class Way(Enum):
    REQUEST = "request"
    RESPONSE = "response"


class Frame(NamedTuple):
    """api: of a response, that of its request; None where that is not known."""

    way: Way
    api: int | None
    data: bytes


class Frames:
    """The frames of one connection."""

    def __init__(self) -> None:
        self._asked: dict[int, int] = {}

    async def request(self, reader: asyncio.StreamReader) -> Frame:
        """Raises IncompleteReadError at the end, OSError."""
        data = await _read(reader)
        api, _, correlation = struct.unpack_from(">hhi", data, 4)
        self._asked[correlation] = api
        return Frame(Way.REQUEST, api, data)

    async def response(self, reader: asyncio.StreamReader) -> Frame:
        """As request()."""
        data = await _read(reader)
        (correlation,) = struct.unpack_from(">i", data, 4)
        return Frame(Way.RESPONSE, self._asked.pop(correlation, None), data)


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head, "big"))

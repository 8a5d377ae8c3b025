"""Questions that librdkafka does not ask of a broker, over a connection of their own.

Only where the listener is PLAINTEXT: signing in again by hand is no thing to do beside librdkafka.
Layouts: Kafka's message definitions (clients/src/main/resources/common/message), flexible versions (KIP-482).
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import KafkaError

from ..errors import Connection

CLIENT_ID = b"llm-orchestrator-state"

METADATA, API_VERSIONS, DESCRIBE_LOG_DIRS, DESCRIBE_QUORUM = 3, 18, 35, 55

DEFAULT_PORT = 9092

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes. A broker with 10,000 partitions tells their sizes in 1 MB."""

METADATA_TOPIC = b"__cluster_metadata"
"""The controllers' own log, of one partition (KIP-500)."""


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """One of the bootstrap addresses, as librdkafka reads them: a scheme is ignored, the port may be left out."""
        host, _, port = text.strip().rpartition("://")[2].rpartition(":")
        if not port.isdigit() or (":" in host and not host.endswith("]")):  # no port, but perhaps an IPv6 address
            host, port = text.strip().rpartition("://")[2], str(DEFAULT_PORT)
        return cls(host.strip("[]"), int(port))


class ClockReading(NamedTuple):
    """Unix times in seconds. told: by the active controller, between our sending and our hearing of it."""

    sent: float
    told: float
    heard: float

    @property
    def ahead_s(self) -> float:
        """How far the cluster's clock is ahead of ours, at least: 0 while it lies between sending and hearing.

        Negative: behind. The controller tells whole milliseconds.
        """
        if self.told > self.heard:
            return self.told - self.heard
        return min(0.0, self.told + 0.001 - self.sent)


def features(broker: Address, timeout_s: float) -> dict[str, int]:
    """Finalized features of the cluster and their levels, such as metadata.version (KIP-584); asked without any right.

    Raises Connection. Empty for a broker that is older than they are.
    """
    name = _compact(b"0")
    answer = _ask(broker, API_VERSIONS, 3, _compact(CLIENT_ID) + name + b"\0", timeout_s, flexible_header=False)
    _raise(broker, answer.int16())
    for _ in range(answer.length()):
        answer.skip(6)
        answer.tags()
    answer.skip(4)  # throttled for so many milliseconds
    found = dict(answer.tags())
    levels = _Answer(found.get(2, b"\1"))  # tag 2 is FinalizedFeatures
    return dict(_feature_levels(levels))


def _feature_levels(levels: _Answer) -> Iterator[tuple[str, int]]:
    for _ in range(levels.length()):
        name, level = levels.text(), levels.int16()
        levels.skip(2)  # the lowest level
        levels.tags()
        yield name, level


def advertised(broker: Address, timeout_s: float) -> dict[int, Address]:
    """The addresses that this broker tells clients to use, by broker id. Raises Connection."""
    asked = b"\1" + b"\0" + b"\0" + b"\0"  # of no topic; none is to be made, no rights are to be told
    answer = _ask(broker, METADATA, 12, asked, timeout_s)
    answer.skip(4)
    found: dict[int, Address] = {}
    for _ in range(answer.length()):
        number, host, port = answer.int32(), answer.text(), answer.int32()
        answer.text()  # the rack
        answer.tags()
        found[number] = Address(host, port)
    return found


def clock(broker: Address, timeout_s: float) -> ClockReading:
    """The active controller's wall clock: it says of itself when it last fetched, which is now (KIP-836).

    Needs DESCRIBE on the cluster. Raises Connection, also where there is no such quorum to ask.
    """
    sent = time.time()
    asked = _array(_compact(METADATA_TOPIC) + _array(struct.pack(">i", 0) + b"\0") + b"\0") + b"\0"
    answer = _ask(broker, DESCRIBE_QUORUM, 1, asked, timeout_s)
    heard = time.time()
    _raise(broker, answer.int16())
    answer.length()  # one topic
    answer.text()
    answer.length()  # of one partition
    answer.skip(4)
    _raise(broker, answer.int16())
    leader = answer.int32()
    answer.skip(4 + 8)  # the epoch and the high watermark
    for _ in range(answer.length()):
        replica = answer.int32()
        answer.skip(8)
        fetched_ms = answer.int64()
        answer.skip(8)
        answer.tags()
        if replica == leader:
            return ClockReading(sent, fetched_ms / 1000, heard)
    raise Connection(f"the broker at {broker} does not tell the time of its controller")


def topic_bytes(broker: Address, timeout_s: float) -> dict[str, int]:
    """Bytes of each topic's partitions in this broker's log directories. Needs DESCRIBE on the cluster.

    Raises Connection.
    """
    answer = _ask(broker, DESCRIBE_LOG_DIRS, 2, b"\0\0", timeout_s)  # a null list of topics: all of them
    answer.skip(4)
    sizes: dict[str, int] = {}
    directories = answer.length()
    if directories == 0:  # how version 2 says that it is not allowed
        raise Connection(f"the broker at {broker} does not tell its log directories; DESCRIBE on the cluster is needed")
    for _ in range(directories):
        _raise(broker, answer.int16())
        answer.text()
        for _ in range(answer.length()):
            topic = answer.text()
            for _ in range(answer.length()):
                answer.skip(4)
                size = answer.int64()
                answer.skip(8)  # how far it is behind
                is_future = answer.flag()
                answer.tags()
                # a replica that is being moved to another directory of the broker is there twice for a while
                sizes[topic] = sizes.get(topic, 0) + (0 if is_future else size)
            answer.tags()
        answer.tags()
    return sizes


class _Answer:
    """Kafka's primitive types, read one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def skip(self, count: int) -> None:
        self._at += count

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise Connection("a broker's answer is cut short; check that the address is a Kafka broker's")
        self._at += count
        return taken

    def _number(self, form: str) -> int:
        return int(struct.unpack(form, self._take(struct.calcsize(form)))[0])

    def flag(self) -> bool:
        return self._take(1) != b"\0"

    def int16(self) -> int:
        return self._number(">h")

    def int32(self) -> int:
        return self._number(">i")

    def int64(self) -> int:
        return self._number(">q")

    def varint(self) -> int:
        value = shift = 0
        while (byte := self._take(1)[0]) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def length(self) -> int:
        """Of a compact array; a null one has none."""
        return max(0, self.varint() - 1)

    def text(self) -> str:
        return self._take(self.length()).decode(errors="replace")

    def tags(self) -> list[tuple[int, bytes]]:
        return [(self.varint(), self._take(self.varint())) for _ in range(self.varint())]


def _compact(data: bytes) -> bytes:
    """A compact string; none of ours is as long as 127 bytes."""
    return bytes([len(data) + 1]) + data


def _array(only: bytes) -> bytes:
    return b"\2" + only


def _ask(
    broker: Address, api: int, version: int, body: bytes, timeout_s: float, *, flexible_header: bool = True
) -> _Answer:
    """The answer behind its header. Raises Connection when it has not come within timeout_s seconds."""
    header = struct.pack(">hhih", api, version, 1, len(CLIENT_ID)) + CLIENT_ID + b"\0"
    deadline = time.monotonic() + timeout_s
    try:
        with socket.create_connection(broker, timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
            (size,) = struct.unpack(">i", _received(connection, 4, deadline))
            if not 0 <= size <= LARGEST_ANSWER:
                raise Connection(f"what answers at {broker} is no Kafka broker without TLS; check security.protocol")
            answer = _Answer(_received(connection, size, deadline))
    except OSError as error:
        raise Connection(f"the broker at {broker} does not answer ({error.strerror or error})") from None
    answer.skip(4)  # the correlation id: there is one question on a connection
    if flexible_header:
        answer.tags()
    return answer


def _received(connection: socket.socket, count: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < count:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(count - len(data))
        if not part:
            raise ConnectionResetError(0, "it has closed the connection")
        data += part
    return bytes(data)


def _raise(broker: Address, code: int) -> None:
    if code:
        raise Connection(f"the broker at {broker} refuses to tell: {KafkaError(code).str()} ({code})")

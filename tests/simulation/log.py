"""Partition logs: records, open transactions and the last stable offset."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError

Headers = list[tuple[str, bytes]]
Data = tuple[bytes | None, bytes | None, Headers | None]
"""Key, value and headers."""

COMMITTED = 0
OPEN = 1
ABORTED = 2
CONTROL = 3

DELETE_RETENTION_S = 24 * 3600.0
"""delete.retention.ms: how long compaction keeps a tombstone."""

NO_OFFSET = -1001
"""RD_KAFKA_OFFSET_INVALID."""


class Record:
    """A record as it lies in the log, and the message a reader gets."""

    __slots__ = ("_headers", "_key", "_offset", "_partition", "_topic", "_value", "at", "producer", "state")

    def __init__(
        self,
        at: tuple[str, int, int],
        key: bytes | None = None,
        value: bytes | None = None,
        headers: Headers | None = None,
    ) -> None:
        """`at` is the topic, partition and offset."""
        self._topic, self._partition, self._offset = at
        self._key = key
        self._value = value
        self._headers = headers
        self.producer = -1
        self.state = COMMITTED
        self.at = 0.0

    def __len__(self) -> int:
        """Of the value, as in confluent-kafka: a tombstone is false."""
        return len(self._value or b"")

    def error(self) -> Any:
        return None

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers | None:
        return self._headers


class ErrorMessage(Record):
    """What poll() and consume() return, and delivery reports carry, when something is wrong."""

    __slots__ = ("_error",)

    def __init__(self, error: KafkaError | None, topic: str, partition: int, offset: int = NO_OFFSET) -> None:
        super().__init__((topic, partition, offset))
        self._error = error

    def error(self) -> Any:
        return self._error

    def offset(self) -> Any:
        """None where it is not known, as in confluent-kafka's messages."""
        return None if self._offset == NO_OFFSET else self._offset


class PartitionLog:
    """Offsets are indices; what compaction removed is None."""

    __slots__ = ("entries", "open", "partition", "start", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.start = 0
        self.entries: list[Record | None] = []
        self.open: dict[int, int] = {}
        """Producer id -> first offset of its open transaction here."""

    @property
    def end(self) -> int:
        """High watermark."""
        return len(self.entries)

    @property
    def stable(self) -> int:
        """Last stable offset: what read_committed can see ends here."""
        return min(self.open.values()) if self.open else len(self.entries)

    def append(self, data: Data, producer: int, at: float) -> Record:
        """`producer` is the id of a transactional producer, or -1."""
        key, value, headers = data
        offset = len(self.entries)
        record = Record((self.topic, self.partition, offset), key, value, headers)
        record.at = at
        if producer >= 0:
            record.producer = producer
            record.state = OPEN
            self.open.setdefault(producer, offset)
        self.entries.append(record)
        return record

    def end_transaction(self, producer: int, commit: bool, at: float) -> None:
        """Write the control record."""
        first = self.open.pop(producer, None)
        if first is not None:
            state = COMMITTED if commit else ABORTED
            for record in self.entries[first:]:
                if record is not None and record.producer == producer and record.state == OPEN:
                    record.state = state
        marker = Record((self.topic, self.partition, len(self.entries)))
        marker.state = CONTROL
        marker.at = at
        self.entries.append(marker)

    def fetch(self, position: int, limit: int, end: int) -> tuple[list[Record], int, int]:
        """Committed records from `position` to `end`: (records, where to fetch on, position that the reader reports).

        As in librdkafka a delivered message or a passed control record moves the reported position, an aborted
        record alone does not; it is -1 where nothing moved it.
        """
        found: list[Record] = []
        reported = -1
        entries = self.entries
        while position < end and len(found) < limit:
            record = entries[position]
            position += 1
            if record is None:
                continue
            if record.state == COMMITTED:
                found.append(record)
                reported = position
            elif record.state == CONTROL:
                reported = position
        return found, position, reported

    def committed(self) -> list[Record]:
        """Everything that read_committed sees."""
        return [r for r in self.entries[: self.stable] if r is not None and r.state == COMMITTED]

    def last_values(self) -> dict[bytes, bytes]:
        """What a compacted topic comes to: the last value of each key, tombstones taken out."""
        values = {r._key: r._value for r in self.committed()}
        return {key: value for key, value in values.items() if key is not None and value is not None}

    def compact(self, now: float) -> None:
        """Remove superseded and aborted records and old tombstones below the last stable offset, never the last."""
        stable = self.stable
        last = {r._key: r._offset for r in self.entries[:stable] if r is not None and r.state == COMMITTED}
        for offset, record in enumerate(self.entries[: min(stable, self.end - 1)]):
            if record is None or record.state == CONTROL:
                continue
            superseded = record.state == ABORTED or last[record._key] != offset
            if superseded or (record._value is None and record.at + DELETE_RETENTION_S < now):
                self.entries[offset] = None

    def trim(self, start: int) -> None:
        """Retention, or DeleteRecords: for readers the log now begins at `start`. The entries stay for the invariants."""
        self.start = max(self.start, start)

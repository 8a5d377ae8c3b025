"""A deployment at one moment: who works, how far behind it is, what it has rejected.

Read from the topics and the group alone, so it says the same while workers run and when none does.
"""

from __future__ import annotations

import msgspec


class Count(msgspec.Struct, frozen=True):
    """exact: else there are at most so many; they were too many to be counted in a few seconds."""

    number: int
    exact: bool

    def text(self) -> str:
        return f"{self.number:,}" if self.exact else f"at most {self.number:,}"


class WorkerStatus(msgspec.Struct, frozen=True):
    """A member of the group, and the partitions of the events topic that it has."""

    instance_id: str
    host: str
    partitions: list[int]


class OpenTransaction(msgspec.Struct, frozen=True):
    """Readers of committed records see nothing from this offset on.

    since: Unix time of its first record, by its writer's clock; None where it could not be read.
    """

    topic: str
    partition: int
    offset: int
    since: float | None


class PartitionStatus(msgspec.Struct, frozen=True):
    """start, end: of the events topic's partition; end is what committed readers see.

    committed: next event to judge, as the group has it; None where nothing was ever committed.
    changing: an open transaction is about to move it.
    lag: offsets between committed and end (publishers' transactions leave some without an event).
    waiting_since: Unix time of the oldest event that is not judged. owner: instance id of its worker.
    state_start, state_end: offsets of the state topic's partition; the difference is no more than the records there.
    last_output: Unix time, by the worker's clock, of the newest record in the state or rejections topic.
    store_bytes: of the local store, None where this host has none.
    """

    partition: int
    start: int
    end: int
    committed: int | None
    changing: bool
    lag: int
    waiting_since: float | None
    owner: str | None
    state_start: int
    state_end: int
    last_output: float | None
    store_bytes: int | None


class RejectionsStatus(msgspec.Struct, frozen=True):
    """kept: those that the topic still has. recent: of the last hour, by the worker's clock; codes: of the recent ones."""

    kept: Count
    recent: Count
    codes: dict[str, int]


class Status(msgspec.Struct, frozen=True):
    """at: Unix time. group_state: as the broker calls it; "" where there never was a member."""

    prefix: str
    group: str
    group_state: str
    at: float
    workers: list[WorkerStatus]
    partitions: list[PartitionStatus]
    rejections: RejectionsStatus
    open_transactions: list[OpenTransaction]

    @property
    def lag(self) -> int:
        return sum(each.lag for each in self.partitions)

    @property
    def waiting_since(self) -> float | None:
        known = [each.waiting_since for each in self.partitions if each.waiting_since is not None]
        return min(known, default=None)

    @property
    def last_output(self) -> float | None:
        known = [each.last_output for each in self.partitions if each.last_output is not None]
        return max(known, default=None)

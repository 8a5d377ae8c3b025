"""A worker's memory, and what each part of it may take: the one place in which they are derived from the setting."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Configuration
from ..kafka.properties import MAX_OUTPUT_BYTES, Queues
from ..units import size_text

MIB = 1024 * 1024

DEFAULT = 1024 * MIB
LEAST_PER_PROCESS = 256 * MIB

FIXED = 128 * MIB
"""Interpreter, libraries and threads of one process: an idle one has 95 MiB, and what they take while at work."""


class Share(NamedTuple):
    """A part's bytes are 1/divisor of what is left beside FIXED; it takes up to so many times as much memory."""

    divisor: int
    times: float
    reason: str


SHARES = {
    "uncommitted": Share(6, 2.0, "runs, records and checkpoints of a transaction; while one ends the next is judged"),
    "kept": Share(7, 1.0, "active runs, decoded, between transactions"),
    "block_cache": Share(8, 1.0, "RocksDB's blocks, indexes and filters: a lookup of an old run reads from them"),
    "fetched": Share(16, 2.5, "events in the consumer's queue; as many taken out of it, and half as many on their way"),
    "write_buffer": Share(14, 1.5, "RocksDB's writes that are in no file yet; no stall, so half as much again"),
}
"""Together 0.9 of what is left; the rest is the allocators'."""


class Plan(NamedTuple):
    """Bytes of each part, of one process."""

    uncommitted: int
    kept: int
    block_cache: int
    fetched: int
    write_buffer: int
    restoring: int

    def queues(self, partitions: int) -> Queues:
        """Of the Kafka clients. While partitions are restored, each by a reader of its own, little else is under way."""
        fetched = max(self.fetched, MAX_OUTPUT_BYTES)
        reading = max(MAX_OUTPUT_BYTES, self.restoring // partitions)
        return Queues(fetched=fetched, reading=min(64 * MIB, reading), produced=max(self.uncommitted, MAX_OUTPUT_BYTES))


def memory_of_each(memory: int | None, processes: int) -> int:
    """Bytes of one of so many processes. memory: the setting, of all together.

    Raises Configuration where it is too little for so many.
    """
    least = processes * LEAST_PER_PROCESS
    total = max(DEFAULT, least) if memory is None else memory
    if total < least:
        raise Configuration(
            f"memory is {size_text(total)}; expected at least {size_text(least)} for {processes} processes: give more, or "
            "fewer processes"
        )
    return total // processes


def plan(memory: int | None) -> Plan:
    """What the parts of one process may take. memory: its bytes in all; None: the default of a process by itself."""
    left = (memory or DEFAULT) - FIXED
    return Plan(**{name: left // share.divisor for name, share in SHARES.items()}, restoring=left // 8)

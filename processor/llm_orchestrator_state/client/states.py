"""Runs as the state topic has them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from ..kafka.partitioner import partition_of
from ..model.records import StateRecord
from ..model.status import WorkflowStatus
from .read import Log, latest_by_key, latest_of


class Decoder(Protocol):
    def decode_state(self, message: bytes | None) -> StateRecord: ...


class Filter(NamedTuple):
    """Which runs to list. What is None or False does not restrict.

    unchanged_since: Unix time (s); only runs that are not over and whose last event is not younger, unless a status
    is asked for too.
    """

    status: WorkflowStatus | None = None
    active: bool = False
    workflow_id: str | None = None
    unchanged_since: float | None = None

    def allows(self, state: StateRecord) -> bool:
        if self.status is not None and state["status"] != self.status:
            return False
        if self._only_active and not WorkflowStatus(state["status"]).is_active:
            return False
        if self.workflow_id is not None and state["workflow_id"] != self.workflow_id:
            return False
        return self.unchanged_since is None or state["updated_at"] <= self.unchanged_since * 1e6

    @property
    def _only_active(self) -> bool:
        return self.active or (self.unchanged_since is not None and self.status is None)


def run_state(kafka: Log, topic: str, partitions: int, codec: Decoder, run_id: str) -> StateRecord | None:
    """The state of one run, from its own partition; None where there is none.

    run_id: canonical. Raises Connection, and Serialization when the state was written by a newer version.
    """
    key = run_id.encode()
    found = latest_of(kafka, topic, partition_of(key, partitions), key)
    return None if found is None else codec.decode_state(found.value())


def list_states(
    kafka: Log,
    topic: str,
    partitions: Sequence[int],
    codec: Decoder,
    *,
    wanted: Filter,
    limit: int | None = None,
    on_partition: Callable[[int], None] = lambda _: None,
) -> Iterator[StateRecord]:
    """The runs that the filter allows, the most recently updated first.

    on_partition: called with the number of partitions that have been read. Raises as run_state().
    """
    # Values stay encoded until they are given out: decoded, a million runs would take ten times the memory.
    entries: list[tuple[int, str, bytes]] = []
    for done, partition in enumerate(partitions, 1):
        entries += _entries(kafka, topic, partition, codec, wanted)
        if limit is not None:
            entries = heapq.nlargest(limit, entries)
        on_partition(done)
    entries.sort(reverse=True)
    for _, _, value in entries:
        yield codec.decode_state(value)


def _entries(
    kafka: Log, topic: str, partition: int, codec: Decoder, wanted: Filter
) -> Iterable[tuple[int, str, bytes]]:
    for message in latest_by_key(kafka, topic, partition).values():
        value = message.value()
        assert value is not None  # a tombstone removes its key
        state = codec.decode_state(value)
        if wanted.allows(state):
            yield state["updated_at"], state["id"], value

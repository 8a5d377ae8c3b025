"""States of some runs, as the state topic has them now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from ...kafka.headers import source_offset
from ...kafka.interface import Headers
from ...kafka.partitioner import partition_of
from ...model.records import StateRecord
from ..read import Log, messages


class Decoder(Protocol):
    def decode_state(self, message: bytes | None) -> StateRecord: ...


class Present(NamedTuple):
    """state: None where the run does not exist. judged: the last offset of the events topic that was judged when the
    run last changed; -1 where the topic does not tell.
    """

    state: StateRecord | None
    judged: int


def present_states(
    kafka: Log, topic: str, partitions: int, codec: Decoder, keys: Iterable[bytes]
) -> dict[bytes, Present]:
    """By key, of those that the topic has a state or a tombstone of. Raises Connection, Serialization."""
    wanted: dict[int, set[bytes]] = {}
    for key in keys:
        wanted.setdefault(partition_of(key, partitions), set()).add(key)
    latest: dict[bytes, tuple[bytes | None, Headers | None]] = {}
    for partition, some in wanted.items():
        for message in messages(kafka, topic, [partition]):
            if (changed := message.key()) is not None and changed in some:
                latest[changed] = message.value(), message.headers()
    return {
        key: Present(None if value is None else codec.decode_state(value), source_offset(headers))
        for key, (value, headers) in latest.items()
    }

"""The checkpoints of one run, read by their keys: a reader that follows the topic would have to keep all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..errors import Connection
from ..kafka.partitioner import partition_of
from ..kafka.topics import TopicSet
from ..model.limits import KEPT_CHECKPOINTS
from ..model.records import CheckpointRecord
from .read import Log, messages
from .reading.references import Value, fill, references

TRIES = 3
"""An output goes ten checkpoints after the last one that has it, or with its run: between two reads, hardly ever."""


class Decoder(Protocol):
    def decode_checkpoint(self, message: bytes | None) -> CheckpointRecord: ...


class Kept(NamedTuple):
    """bytes: of the checkpoint on the topic, encoded."""

    checkpoint: CheckpointRecord
    bytes: int


def kept_checkpoints(kafka: Log, topics: TopicSet, partitions: int, codec: Decoder, run_id: str) -> list[Kept]:
    """Of a canonical run id, newest last, which is by version; with references in place of large values.

    Raises Connection, and Serialization for a newer schema.
    """
    slots = [f"{run_id}/{slot}".encode() for slot in range(KEPT_CHECKPOINTS)]
    latest = _latest(kafka, topics.checkpoints, partition_of(run_id.encode(), partitions), slots)
    found = [Kept(codec.decode_checkpoint(value), len(value)) for value in latest if value is not None]
    return sorted(found, key=lambda each: each.checkpoint["version"])


def complete_checkpoints(kafka: Log, topics: TopicSet, partitions: int, codec: Decoder, run_id: str) -> list[Kept]:
    """kept_checkpoints(), with their large values."""
    for _ in range(TRIES):
        kept = kept_checkpoints(kafka, topics, partitions, codec, run_id)
        wanted = references([each.checkpoint["snapshot"] for each in kept])
        if not wanted:
            return kept
        keys = list(dict.fromkeys(reference.key for reference in wanted))
        texts = _latest(kafka, topics.outputs, partition_of(run_id.encode(), partitions), keys)
        values = {key: Value.of(text) for key, text in zip(keys, texts, strict=True) if text is not None}
        if len(values) == len(keys):
            fill(wanted, [values[reference.key] for reference in wanted])
            return kept
    raise Connection(
        f"checkpoints of run {run_id} refer to large values that were gone each time they were read; the run changes too fast, "
        "or `verify` finds what is wrong"
    )


def _latest(kafka: Log, topic: str, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
    """The last values of keys, in their order."""
    latest: dict[bytes, bytes | None] = dict.fromkeys(keys)
    for message in messages(kafka, topic, [partition]):
        if (key := message.key()) is not None and key in latest:
            latest[key] = message.value()
    return list(latest.values())

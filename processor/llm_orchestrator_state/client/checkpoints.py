"""The checkpoints of one run, read by their keys: a reader that follows the topic would have to keep all of them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..kafka.partitioner import partition_of
from ..model.limits import KEPT_CHECKPOINTS
from ..model.records import CheckpointRecord
from .read import Log, messages


class Decoder(Protocol):
    def decode_checkpoint(self, message: bytes | None) -> CheckpointRecord: ...


class Kept(NamedTuple):
    """bytes: of the checkpoint on the topic, encoded."""

    checkpoint: CheckpointRecord
    bytes: int


def kept_checkpoints(kafka: Log, topic: str, partitions: int, codec: Decoder, run_id: str) -> list[Kept]:
    """Of a canonical run id, newest last, which is by version. Raises Connection, and Serialization for a newer schema."""
    slots = {f"{run_id}/{slot}".encode(): None for slot in range(KEPT_CHECKPOINTS)}
    latest: dict[bytes, bytes | None] = dict(slots)
    for message in messages(kafka, topic, [partition_of(run_id.encode(), partitions)]):
        if (key := message.key()) is not None and key in slots:
            latest[key] = message.value()
    found = [Kept(codec.decode_checkpoint(value), len(value)) for value in latest.values() if value is not None]
    return sorted(found, key=lambda each: each.checkpoint["version"])

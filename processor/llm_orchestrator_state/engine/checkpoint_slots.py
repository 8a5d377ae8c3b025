"""What a partition's task has for the checkpoint topic between two commits."""

from __future__ import annotations

from ..model.limits import KEPT_CHECKPOINTS
from ..model.records import EventRecord, StateRecord
from ..wire.codec import Codec, KeptState
from .outputs import Record, checkpoint_head


class CheckpointSlots:
    """A run's checkpoints take turns in its slots, which are the checkpoint topic's keys."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._written: dict[bytes, bytes | None] = {}

    def take(self, key: bytes, run: KeptState, event: EventRecord) -> int:
        """A checkpoint of the run, or of what the event gives in its place; returns by how many bytes there is more."""
        given = event["transition"][1].get("snapshot")
        body = KeptState(given, 0).encode() if given else run.encode()
        checkpoint = self._codec.encode_checkpoint(checkpoint_head(run.record, event), body)
        name = _slot(key, run.record["checkpoint_count"])
        more = len(checkpoint) - len(self._written.get(name) or b"")
        self._written[name] = checkpoint
        return more

    def trim(self, key: bytes, state: StateRecord, keep: int) -> None:
        """To the last so many."""
        count = state["checkpoint_count"]
        for n in range(max(1, count - KEPT_CHECKPOINTS + 1), count - keep + 1):
            self._written[_slot(key, n)] = None

    def delete(self, key: bytes) -> None:
        for n in range(KEPT_CHECKPOINTS):
            self._written[_slot(key, n)] = None

    def records(self) -> list[Record]:
        return [Record(key, value, []) for key, value in self._written.items()]

    def clear(self) -> None:
        self._written.clear()


def _slot(key: bytes, n: int) -> bytes:
    return b"%s/%d" % (key, n % KEPT_CHECKPOINTS)

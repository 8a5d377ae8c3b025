"""Whether a run is still small enough after an event: decided before the event counts."""

from __future__ import annotations

import copy

from ..model.fold import APPLIED, fold
from ..model.limits import MAX_STATE_BYTES
from ..model.records import EventRecord
from ..model.verdicts import Code, Rejection
from ..wire.codec import Codec, KeptState
from .output_log import OutputLog
from .outputs import checkpoint_head


def growth(size: int) -> int:
    """By no more bytes than this does an event of so many make its run's state, and a checkpoint of it, larger.

    Four times: a new step's id is its key in the map, a field of it and a field of the checkpoint; and a small step that
    was written with a schema of fewer fields gets the other fields' defaults.
    """
    return 4 * size + 1024


class SizeLimit:
    """outputs: where values go that are not inline; None where all are. policy: of the checkpoints."""

    def __init__(self, codec: Codec, policy: str, outputs: OutputLog | None) -> None:
        self._codec = codec
        self._policy = policy
        self._outputs = outputs

    def refusal(self, key: bytes, run: KeptState | None, event: EventRecord, size: int) -> Rejection | None:
        """key: the run's. size: of the event in bytes.

        The run's bound depends on where commits fall, and the verdict must not.
        """
        largest = (run.bound if run else 0) + growth(size)
        if run and largest > MAX_STATE_BYTES:
            largest = len(run.encode()) + growth(size)
        if largest > MAX_STATE_BYTES or _may_outgrow_a_record(run, event["transition"][0], size):
            return self._tried(key, run, event)
        return None

    def _tried(self, key: bytes, run: KeptState | None, event: EventRecord) -> Rejection | None:
        """On a copy, because only near the limit is it worth to know the size before the event counts."""
        trial = self._codec.keep_state(self._codec.frame_state(run.encode())) if run else None
        placement, written = self._outputs.trial(key) if self._outputs else (None, [])
        event = copy.deepcopy(event)  # what goes out is taken out of the states that it carries
        verdict, state = fold(trial.record if trial else None, event, self._policy, placement)
        if verdict is not APPLIED or state is None:
            return None
        kind, fields = event["transition"]
        largest = max([len(each.value or b"") for each in written], default=0)
        if largest > MAX_STATE_BYTES:
            return Rejection(
                Code.STATE_TOO_LARGE, f"a value of {largest} bytes by itself, and {MAX_STATE_BYTES} are allowed"
            )
        snapshots = [state]
        if kind == "CheckpointRequested" and fields["snapshot"] is not None:
            snapshots.append(fields["snapshot"])
        head = checkpoint_head(state, event)
        size = max(self._codec.checkpoint_size(head, KeptState(each, 0).encode()) for each in snapshots)
        if size <= MAX_STATE_BYTES:
            return None
        return Rejection(Code.STATE_TOO_LARGE, f"{size} bytes as a checkpoint, and {MAX_STATE_BYTES} are allowed")


def _may_outgrow_a_record(run: KeptState | None, kind: str, size: int) -> bool:
    """Of a context that is out, and grows by an event of this size: each part of it fitted, but not the whole."""
    if kind != "ContextUpdated" or run is None:
        return False
    ref = run.record["context_ref"]
    return ref is not None and ref["bytes"] + 4 * size > MAX_STATE_BYTES

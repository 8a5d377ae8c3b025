"""From bytes of the topics to what users see. The only place where a reader makes public objects."""

from __future__ import annotations

from ...model.checkpoint import Checkpoint
from ...model.records import StateRecord
from ...model.state import WorkflowState
from ...wire.codec import Codec
from ...wire.framing import Registry


class Decoding:
    """Raises Serialization for what a newer version has written, and Connection while a registry does not answer."""

    def __init__(self, registry: Registry | None) -> None:
        self._codec = Codec(registry)

    def record(self, value: bytes) -> StateRecord:
        """For who writes it out again: JSON values stay text, so that numbers keep their digits."""
        return self._codec.decode_state(value)

    def state(self, value: bytes) -> WorkflowState:
        return WorkflowState.from_record(self.record(value))

    def checkpoint(self, value: bytes) -> Checkpoint:
        return Checkpoint.from_record(self._codec.decode_checkpoint(value))

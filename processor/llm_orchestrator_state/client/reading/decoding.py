"""From bytes of the topics to records. What is large is a reference there."""

from __future__ import annotations

from ...model.records import CheckpointRecord, StateRecord
from ...wire.codec import Codec
from ...wire.framing import Registry
from .output_count import OutputCounts


class Decoding:
    """Raises Serialization for what a newer version has written, and Connection while a registry does not answer."""

    def __init__(self, registry: Registry | None) -> None:
        self._codec = Codec(registry)
        self._outputs = OutputCounts(registry)

    def record(self, value: bytes) -> StateRecord:
        """JSON values stay text, so that numbers keep their digits."""
        return self._codec.decode_state(value)

    def checkpoint(self, value: bytes) -> CheckpointRecord:
        return self._codec.decode_checkpoint(value)

    def may_refer(self, value: bytes) -> bool:
        """Whether the state may have references. Quick: a twentieth of the time that the record takes."""
        return self._outputs.read(value) > 0

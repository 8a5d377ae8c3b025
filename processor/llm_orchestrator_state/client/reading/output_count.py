"""How many values of a run were ever too large for its state."""

from __future__ import annotations

from typing import Any

from ...wire import schemas
from ...wire.avro import reader
from ...wire.framing import Framing, Registry
from .run import read_head


class OutputCounts:
    """Reads of an encoded state only its output_count. Raises as Decoding does."""

    def __init__(self, registry: Registry | None) -> None:
        self._decode = Framing("WorkflowState", registry, _read).decode

    def read(self, value: bytes) -> int:
        return int(self._decode(value)["output_count"])


_read_counts = reader(schemas.fields(schemas.current("WorkflowState"), "completed_at", "output_count"))


def _read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    _, at = read_head(data, at)
    found, _ = _read_counts(data, at)
    return found, len(data)

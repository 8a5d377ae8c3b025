"""What a state knows of the events that were applied to its run: a proof that one was, without asking anybody."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...errors import Serialization
from ...model.ids import remembers, short_id
from ...model.limits import WINDOW
from ...wire import schemas
from ...wire.avro import reader
from ...wire.framing import Framing, Registry
from .run import read_head

ID_BYTES = 8


class Window(NamedTuple):
    """Short ids: see model.ids.

    version: of the run. last: short id of the event that made it. recent: the deduplication window, newest last.
    """

    version: int
    last: bytes
    recent: bytes

    def has(self, short: bytes) -> bool:
        """Whether that event was applied. False also where that is not known: it had an attempt, or is long ago."""
        return remembers(self.recent, short)

    def version_after(self, short: bytes) -> int:
        """The version that the event made; where others came after it, one that the run has left behind."""
        if self.last == short:
            return self.version
        ids = [self.recent[at : at + ID_BYTES] for at in range(0, len(self.recent), ID_BYTES)]
        later = len(ids) - 1 - ids.index(short) if short in ids else WINDOW
        return max(1, self.version - max(1, later))


class WindowReader:
    """Reads of an encoded state only what a Window has."""

    def __init__(self, registry: Registry | None) -> None:
        self._decode = Framing("WorkflowState", registry, _read).decode

    def read(self, value: bytes) -> Window | None:
        """None of a state that this program cannot read."""
        try:
            found = self._decode(value)
        except Serialization:
            return None
        last = found["last_event_id"]
        return Window(found["version"], b"" if last is None else short_id(last), found["recent_event_ids"])


_read_counts = reader(schemas.fields(schemas.current("WorkflowState"), "completed_at", "recent_event_ids"))


def _read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    _, at = read_head(data, at)
    found, _ = _read_counts(data, at)
    return found, len(data)

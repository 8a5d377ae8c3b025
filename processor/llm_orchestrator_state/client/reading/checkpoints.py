"""A partition of the checkpoint topic, whose checkpoints can be asked for by their ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import Serialization
from ...store.interface import Positions, Store
from ...wire.avro import read_string
from ...wire.framing import Framing, Registry
from .feeds import Place, TableFeed
from .life import Life

CheckpointId = Callable[[bytes], str | None]
"""Of an encoded checkpoint; None where this program cannot read it."""


def id_reader(registry: Registry | None) -> CheckpointId:
    decode = Framing("Checkpoint", registry, _read_id).decode

    def checkpoint_id(value: bytes) -> str | None:
        try:
            return str(decode(value)["id"])
        except Serialization:
            return None

    return checkpoint_id


def _read_id(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    """Of the fields only the first."""
    found, _ = read_string(data, at)
    return {"id": found}, len(data)


class CheckpointFeed(TableFeed):
    """Its ids are looked up when they are first asked for: few programs do, and it takes a second per million."""

    def __init__(
        self, place: Place, store: Store, positions: Positions, life: Life, checkpoint_id: CheckpointId
    ) -> None:
        super().__init__(place, store, positions, life)
        self._checkpoint_id = checkpoint_id
        self._key_of: dict[str, bytes] | None = None
        self.unreadable: set[bytes] = set()
        """Keys of checkpoints whose ids are not known; as of the last key_of()."""

    def key_of(self, checkpoint_id: str) -> bytes | None:
        """Under the reader's lock."""
        if self._key_of is None:
            self._key_of = {}
            for key, value in self._store.items():
                self._note_id(self._key_of, key, value)
        return self._key_of.get(checkpoint_id)

    def _write(self, changes: list[tuple[bytes, bytes | None]], position: int | None = None) -> None:
        if self._key_of is not None:
            for (key, value), before in zip(changes, self.values([key for key, _ in changes]), strict=True):
                self._forget_id(self._key_of, key, before)
                if value is not None:
                    self._note_id(self._key_of, key, value)
        super()._write(changes, position)

    def _note_id(self, key_of: dict[str, bytes], key: bytes, value: bytes) -> None:
        checkpoint_id = self._checkpoint_id(value)
        if checkpoint_id is None:
            self.unreadable.add(key)
        else:
            key_of[checkpoint_id] = key

    def _forget_id(self, key_of: dict[str, bytes], key: bytes, before: bytes | None) -> None:
        self.unreadable.discard(key)
        checkpoint_id = None if before is None else self._checkpoint_id(before)
        if checkpoint_id is not None and key_of.get(checkpoint_id) == key:
            del key_of[checkpoint_id]

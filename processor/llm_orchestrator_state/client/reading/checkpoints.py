"""A partition of the checkpoint topic, whose checkpoints can be asked for by their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    """The ids are looked up for the first time when they are first needed: few programs ask, and it takes a second per
    million. What changes later is noted.
    """

    def __init__(
        self, place: Place, store: Store, positions: Positions, life: Life, checkpoint_id: CheckpointId
    ) -> None:
        super().__init__(place, store, positions, life)
        self._checkpoint_id = checkpoint_id
        self._key_of: dict[str | None, bytes] | None = None

    def key_of(self, checkpoint_id: str) -> bytes | None:
        """Under the reader's lock."""
        if self._key_of is None:
            self._key_of = {self._checkpoint_id(value): key for key, value in self._store.items()}
        return self._key_of.get(checkpoint_id)

    def _write(self, changes: Iterable[tuple[bytes, bytes | None]], position: int | None = None) -> None:
        changes = list(changes)
        if self._key_of is not None:
            self._note_ids(self._key_of, changes)
        super()._write(changes, position)

    def _note_ids(self, key_of: dict[str | None, bytes], changes: list[tuple[bytes, bytes | None]]) -> None:
        for (key, value), before in zip(changes, self.values([key for key, _ in changes]), strict=True):
            if before is not None and key_of.get(old := self._checkpoint_id(before)) == key:
                del key_of[old]
            if value is not None:
                key_of[self._checkpoint_id(value)] = key

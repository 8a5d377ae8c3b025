"""Contexts that are out of their states, brought back into a partition's store from the outputs topic.

Later contexts are made of them, by merging. A store that is level with the state topic has the contexts that its states
need, because a commit writes both in one batch; what was restored from the state topic has none.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from ..errors import OffsetMismatch
from ..kafka.interface import Kafka, Message
from ..kafka.scan import STALLED_S, scan
from ..store.interface import Positions, Store
from .clock import Clock
from .config import WorkerConfig
from .outputs import output_key, sha256_of

Needed = dict[bytes, bytes | None]
"""By the outputs topic's key: the SHA-256 of what must be there, where it is known."""


class Contexts:
    """Of one partition, while its store is brought level.

    positions: the store's before that. To be made when no transaction of an earlier owner is open any more.
    """

    def __init__(
        self, kafka: Kafka, clock: Clock, config: WorkerConfig, partition: int, store: Store, positions: Positions
    ) -> None:
        self._kafka, self._clock, self._codec = kafka, clock, config.codec
        self._topic, self._partition, self._store = config.topics.outputs, partition, store
        self._log = kafka.log_ranges(self._topic, [partition])[partition]
        # an end counts aborted and compacted records too: at 0, nothing ever went out
        self._in_use = config.format.inline_limit is not None and self._log.end > 0
        self._from = positions.outputs
        # it has no context to drop, and is not to be read before it is full
        self._was_empty = store.positions() is None
        self._by_run: dict[bytes, Needed] = {}

    @property
    def known_to(self) -> int | None:
        """For the store's positions until level() is through: an interrupted restore looks at every state again."""
        return None if self._in_use else self._log.end

    def restored(self, messages: Sequence[Message]) -> dict[bytes, None]:
        """Told of state records before they are written; which contexts of the store are not needed any more."""
        if not self._in_use:
            return {}
        latest = {message.key() or b"": message.value() for message in messages}
        dropped: dict[bytes, None] = {}
        stored = [None] * len(latest) if self._was_empty else self._store.get_many(list(latest))
        for (key, value), before in zip(latest.items(), stored, strict=True):
            needed = self._needed_by(key, value)
            dropped.update(dict.fromkeys(name for name in self._needed_by(key, before) if name not in needed))
            if needed:
                self._by_run[key] = needed
            else:
                self._by_run.pop(key, None)
        return dropped

    def level(self, positions: Positions) -> Generator[float, None, Positions]:
        """Reads what is missing; the positions of a store that has all. positions: the state topic's end is reached.

        Raises OffsetMismatch where the outputs topic does not have it, KafkaException, errors.Connection.
        """
        if self._in_use:
            if self._from is None:
                self._by_run = {key: self._needed_by(key, value) for key, value in self._store.items()}
            missing = {
                name: sha256
                for needed in self._by_run.values()
                for name, sha256 in needed.items()
                # a number is used again when a run was deleted and begun anew: where nothing tells, what is here may be old
                if sha256 is None or not _is(self._store.context(name), sha256)
            }
            if missing:
                yield from self._read(missing, positions)
        return positions._replace(outputs=self._log.end)

    def _read(self, missing: Needed, positions: Positions) -> Generator[float, None, None]:
        start = self._log.start
        if self._from is not None and self._from <= self._log.end:
            start = max(start, self._from)
        reader = self._kafka.reader()
        try:
            for messages, _ in scan(
                reader, self._topic, self._partition, start, self._log.end,
                stalled_s=STALLED_S, monotonic=self._clock.monotonic,
            ):  # fmt: skip
                found = {message.key() or b"": message.value() for message in messages if message.key() in missing}
                if found:
                    self._store.write((), positions._replace(outputs=None), found.items())
                yield 0.0
        finally:
            reader.close()
        lost = [name.decode() for name, sha256 in missing.items() if not _is(self._store.context(name), sha256)]
        if lost:
            raise OffsetMismatch(
                f"{self._topic}[{self._partition}] does not have {', '.join(lost[:3])}, to which {len(lost)} states refer for "
                "their context: the topic has lost records, or was made anew; rebuild the states from the event log into a "
                "new topic set (rebuild --into)"
            )

    def _needed_by(self, key: bytes, value: bytes | None) -> Needed:
        if value is None:
            return {}
        outline: Mapping[str, Any] = self._codec.outline(value)
        needed: Needed = {output_key(key, -entry["n"]): None for entry in outline["released_outputs"] if entry["n"] < 0}
        if (ref := outline["context_ref"]) is not None:
            needed[output_key(key, ref["n"])] = ref["sha256"]
        return needed


def _is(value: bytes | None, sha256: bytes | None) -> bool:
    return value is not None and sha256 in {None, sha256_of(value)}

"""What is asked of a reader's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from ...errors import Configuration, CorruptStore, InvalidState, Serialization
from ...kafka.partitioner import partition_of
from ...model.checkpoint import Checkpoint
from ...model.limits import KEPT_CHECKPOINTS
from ...model.records import StateRecord
from ...model.state import WorkflowState
from ...model.status import WorkflowStatus
from .change import Change
from .decoding import Decoding
from .filter import RunFilter, now_us, run_key
from .followed import Followed
from .life import Life
from .page import Page, in_order, read_cursor
from .run import UNREADABLE, Run
from .watching import Watch


class Queries:
    """Raises what has ended the reader; InvalidState for ids and cursors that are none."""

    def __init__(self, life: Life, followed: Followed, decoding: Decoding) -> None:
        self._life = life
        self._followed = followed
        self._index = followed.index
        self._decoding = decoding

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Holds the lock. Damage found by one call ends the reader: it would be missing in others, silently."""
        self._life.check()
        try:
            with self._life.lock:
                yield
        except CorruptStore as error:
            self._life.end(error)
            raise

    def get(self, run_id: UUID | str) -> WorkflowState | None:
        value = self._value(run_key(run_id))
        return None if value is None else self._decoding.state(value)

    def record(self, run_id: UUID | str) -> StateRecord | None:
        value = self._value(run_key(run_id))
        return None if value is None else self._decoding.record(value)

    def _value(self, key: bytes) -> bytes | None:
        partition = self._home(key)
        with self._reading():
            (value,) = self._followed.states[partition].values([key])
        return value

    def runs(self, wanted: RunFilter, limit: int | None, cursor: str | None) -> Page:
        if limit is not None and limit < 0:
            raise InvalidState(f"limit is {limit}; expected a number from 0 on, or None for all runs")
        behind, now = read_cursor(cursor), now_us()
        with self._reading():
            self._raise_if_unreadable()
            allowed = (run for run in self._index.candidates(wanted) if wanted.allows(run, now))
            runs, following = in_order(allowed, limit, behind)
            values = self._values(runs)
        return Page([run.id for run in runs], values, self._decoding, following)

    def counts(self) -> dict[WorkflowStatus, int]:
        with self._reading():
            self._raise_if_unreadable()
            return self._index.counts()

    def checkpoints(self, run_id: UUID | str) -> list[Checkpoint]:
        """Oldest first."""
        key = run_key(run_id)
        partition = self._home(key)
        if not self._followed.checkpoints:
            raise Configuration("this reader does not follow checkpoints; make it with checkpoints=True")
        with self._reading():
            slots = [b"%b/%d" % (key, slot) for slot in range(KEPT_CHECKPOINTS)]
            values = self._followed.checkpoints[partition].values(slots)
        found = [self._decoding.checkpoint(value) for value in values if value is not None]
        return sorted(found, key=lambda checkpoint: checkpoint.version)

    def next_change(self, watch: Watch) -> Change | None:
        with self._reading():
            key = watch.take(self._index.get)
            if key is None:
                return None
            run = self._index.get(key)
            (value,) = self._values([run]) if run else [None]
        if run is None or value is None:
            return Change(key.decode(), None, matches=False)
        if run.status == UNREADABLE:
            raise _unreadable(run)
        return Change(run.id, self._decoding.state(value), matches=watch.wanted.allows(run, now_us()))

    def _home(self, key: bytes) -> int:
        partition = partition_of(key, self._followed.partition_count)
        self._followed.check_followed(partition)
        return partition

    def _values(self, runs: Sequence[Run]) -> list[bytes]:
        """In the order of the runs."""
        keys: dict[int, list[bytes]] = {}
        for run in runs:
            keys.setdefault(run.partition, []).append(run.key)
        found: dict[bytes, bytes | None] = {}
        for partition, wanted in keys.items():
            found.update(zip(wanted, self._followed.states[partition].values(wanted), strict=True))
        # table and index change together: what the index has, the table has
        return [cast(bytes, found[run.key]) for run in runs]

    def _raise_if_unreadable(self) -> None:
        run = self._index.unreadable()
        if run is not None:
            raise _unreadable(run)


def _unreadable(run: Run) -> Serialization:
    return Serialization(
        f"the state of run {run.id} cannot be read, and a list without it would be wrong: it was written with a schema that "
        "is not known here; update this program, or give it the schema registry"
    )

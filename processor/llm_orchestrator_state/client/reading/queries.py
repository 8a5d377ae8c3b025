"""What a reader's tables have, without waiting: states with references where their values are too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from ...errors import Configuration, CorruptStore, InvalidState, Serialization
from ...kafka.partitioner import partition_of
from ...model.limits import KEPT_CHECKPOINTS
from ...model.records import CheckpointRecord, StateRecord
from ...model.status import WorkflowStatus
from .change import RunChange
from .decoding import Decoding
from .filter import RunFilter, now_us
from .followed import Followed
from .life import Life
from .page import Complete, Page, in_order, read_cursor
from .resolving import Sight
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

    def record(self, key: bytes) -> Sight[StateRecord | None]:
        partition = self.home(key)
        with self._reading():
            (value,) = self._followed.states[partition].values([key])
        if value is None:
            return Sight(partition, None, ())
        record = self._decoding.record(value)
        return Sight(partition, record, (record,))

    def newest(self, wanted: RunFilter) -> Sight[StateRecord | None]:
        """The run that was updated last of those that the filter allows."""
        with self._reading():
            self._raise_if_unreadable()
            now = now_us()
            runs, _ = in_order((run for run in self._index.candidates(wanted) if wanted.allows(run, now)), 1, None)
            values = self._values(runs)
        if not runs:
            return Sight(0, None, ())
        record = self._decoding.record(values[0])
        return Sight(runs[0].partition, record, (record,))

    def runs(self, wanted: RunFilter, limit: int | None, cursor: str | None, complete: Complete) -> Page:
        if limit is not None and limit < 0:
            raise InvalidState(f"limit is {limit}; expected a number from 0 on, or None for all runs")
        behind, now = read_cursor(cursor), now_us()
        with self._reading():
            self._raise_if_unreadable()
            allowed = (run for run in self._index.candidates(wanted) if wanted.allows(run, now))
            runs, following = in_order(allowed, limit, behind)
            values = self._values(runs)
        return Page([run.id for run in runs], values, self._decoding, following, complete)

    def counts(self) -> dict[WorkflowStatus, int]:
        with self._reading():
            self._raise_if_unreadable()
            return self._index.counts()

    def checkpoints(self, key: bytes) -> Sight[list[CheckpointRecord]]:
        """Oldest first."""
        partition = self.home(key)
        if not self._followed.checkpoints:
            raise Configuration("this reader does not follow checkpoints; make it with checkpoints=True")
        with self._reading():
            slots = [b"%b/%d" % (key, slot) for slot in range(KEPT_CHECKPOINTS)]
            values = self._followed.checkpoints[partition].values(slots)
        found = [self._decoding.checkpoint(value) for value in values if value is not None]
        found.sort(key=lambda checkpoint: checkpoint["version"])
        return Sight(partition, found, [checkpoint["snapshot"] for checkpoint in found])

    def checkpoint(self, checkpoint_id: str) -> Sight[CheckpointRecord | None]:
        """By its canonical id."""
        with self._reading():
            partition, value = self._checkpoint_value(checkpoint_id)
        if value is None:
            return Sight(partition, None, ())
        found = self._decoding.checkpoint(value)
        return Sight(partition, found, (found["snapshot"],))

    def _checkpoint_value(self, wanted: str) -> tuple[int, bytes | None]:
        feeds = self._followed.checkpoints
        for partition, feed in feeds.items():
            if (key := feed.key_of(wanted)) is not None:
                return partition, feed.values([key])[0]
        if any(feed.unreadable for feed in feeds.values()):
            raise Serialization(
                f"checkpoint {wanted} is not among those that can be read, and some cannot: they were written with a schema "
                "that is not known here; update this program, or give it the schema registry"
            )
        return 0, None

    # --- changes ------------------------------------------------------------------------------------------------------

    def next_changed(self, watch: Watch) -> bytes | None:
        """Key of a run that the watcher has to be told of now; None where there is none."""
        with self._reading():
            return watch.take(self._index.get)

    def untold(self, watch: Watch, key: bytes) -> None:
        """Who took it could not tell it."""
        with self._life.lock:
            watch.put_back(key)

    def change(self, key: bytes, watch: Watch) -> Sight[RunChange]:
        """The run as it is now."""
        with self._reading():
            run = self._index.get(key)
            (value,) = self._values([run]) if run else [None]
        if run is None or value is None:
            return Sight(0, RunChange(key.decode(), None, matches=False), ())
        if run.status == UNREADABLE:
            raise _unreadable(run)
        record = self._decoding.record(value)
        return Sight(run.partition, RunChange(run.id, record, matches=watch.wanted.allows(run, now_us())), (record,))

    # --- the tables ---------------------------------------------------------------------------------------------------

    def home(self, key: bytes) -> int:
        """The run's partition. Raises Configuration where it is not followed."""
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

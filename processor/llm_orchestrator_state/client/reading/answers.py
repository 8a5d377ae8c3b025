"""What is asked of a reader: its tables, with the values that are too large for them."""

from __future__ import annotations

from uuid import UUID

from ...errors import Connection, NotFound
from ...model.checkpoint import Checkpoint
from ...model.records import CheckpointRecord, StateRecord
from ...model.state import WorkflowState
from .change import RunChange
from .filter import RunFilter, run_key
from .page import Page
from .queries import Queries
from .resolving import Resolver, Sight
from .waiting import Question, answer
from .watching import Watch


class Answers:
    """Questions wait only where a state refers to large values; where none does, they are answered at once.

    Raises what Queries and Resolver do.
    """

    def __init__(self, queries: Queries, resolver: Resolver) -> None:
        self._queries = queries
        self._resolve = resolver.resolve

    def record(self, run_id: UUID | str, *, values: bool = True) -> Question[StateRecord | None]:
        """values: whether large ones are asked for."""
        key = run_key(run_id)
        if not values:
            return self._queries.record(key).value
        return (yield from self._resolve(lambda: self._queries.record(key)))

    def state(self, run_id: UUID | str) -> Question[WorkflowState | None]:
        record = yield from self.record(run_id)
        return None if record is None else WorkflowState.from_record(record)

    def newest(self, wanted: RunFilter) -> Question[WorkflowState | None]:
        """The run that was updated last of those that the filter allows."""
        record = yield from self._resolve(lambda: self._queries.newest(wanted))
        return None if record is None else WorkflowState.from_record(record)

    def checkpoints(self, run_id: UUID | str) -> Question[list[Checkpoint]]:
        """Oldest first."""
        key = run_key(run_id)
        found = yield from self._resolve(lambda: self._queries.checkpoints(key))
        return list(map(Checkpoint.from_record, found))

    def latest_checkpoint(self, run_id: UUID | str) -> Question[Checkpoint | None]:
        """The one with the greatest version."""
        key = run_key(run_id)
        found = yield from self._resolve(lambda: _newest(self._queries.checkpoints(key)))
        return Checkpoint.from_record(found[0]) if found else None

    def checkpoint(self, checkpoint_id: UUID) -> Question[Checkpoint | None]:
        found = yield from self._resolve(lambda: self._queries.checkpoint(str(checkpoint_id)))
        return None if found is None else Checkpoint.from_record(found)

    def runs(self, wanted: RunFilter, limit: int | None, cursor: str | None) -> Page:
        """Its values are fetched when its states are looked at, which blocks then."""
        return self._queries.runs(wanted, limit, cursor, self._completed)

    def next_change(self, watch: Watch, *, values: bool = True) -> Question[RunChange | None]:
        """None where there is nothing to tell yet. A change whose values could not be fetched is told the next time.

        values: whether large ones are asked for.
        """
        key = self._queries.next_changed(watch)
        if key is None:
            return None
        if not values:
            return self._queries.change(key, watch).value
        try:
            return (yield from self._resolve(lambda: self._queries.change(key, watch)))
        except (GeneratorExit, Connection):
            self._queries.untold(watch, key)
            raise

    def _completed(self, run_id: str, record: StateRecord) -> StateRecord:
        """Of a state that was read a while ago. Blocks."""
        key = run_id.encode()
        partition = self._queries.home(key)
        read: list[Sight[StateRecord | None]] = [Sight(partition, record, (record,))]
        found = answer(self._resolve(lambda: read.pop() if read else self._queries.record(key)))
        if found is None:
            raise NotFound(f"run {run_id} was deleted after it was listed, and its large values with it")
        return found


def _newest(sight: Sight[list[CheckpointRecord]]) -> Sight[list[CheckpointRecord]]:
    """Only that one's values are of use."""
    return Sight(sight.partition, sight.value[-1:], sight.states[-1:])

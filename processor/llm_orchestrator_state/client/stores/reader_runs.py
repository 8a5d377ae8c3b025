"""Runs as a reader has them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ...errors import Serialization
from ...model.checkpoint import Checkpoint
from ...model.instants import to_micros
from ...model.state import WorkflowState
from ...model.transitions import TERMINAL
from ..reading.core import Core
from ..reading.filter import ACTIVE, RunFilter
from ..reading.queries import Queries


class ReaderRuns(Queries):
    """See runs.Runs."""

    def __init__(self, core: Core) -> None:
        super().__init__(core.life, core.followed, core.decoding)

    def latest_of(self, workflow_id: str) -> WorkflowState | None:
        return next(iter(self.runs(RunFilter(workflow_id=workflow_id), 1, None)), None)

    def active(self) -> Sequence[WorkflowState]:
        return self.runs(RunFilter(statuses=ACTIVE), None, None)

    def ended_before(self, instant: datetime) -> Sequence[WorkflowState]:
        ended = self.runs(RunFilter(statuses=TERMINAL), None, None)
        # the most recent is first; only those at which it looks are decoded
        return ended[bisect_right(ended, -to_micros(instant), key=lambda state: -to_micros(state.updated_at)) :]

    def checkpoint(self, checkpoint_id: UUID) -> Checkpoint | None:
        wanted = str(checkpoint_id)
        with self._reading():
            value = self._checkpoint_value(wanted)
        return None if value is None else self._decoding.checkpoint(value)

    def _checkpoint_value(self, wanted: str) -> bytes | None:
        feeds = self._followed.checkpoints.values()
        for feed in feeds:
            if (key := feed.key_of(wanted)) is not None:
                return feed.values([key])[0]
        if any(feed.unreadable for feed in feeds):
            raise Serialization(
                f"checkpoint {wanted} is not among those that can be read, and some cannot: they were written with a schema "
                "that is not known here; update this program, or give it the schema registry"
            )
        return None

"""Runs as a reader has them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ...model.checkpoint import Checkpoint
from ...model.instants import to_micros
from ...model.records import StateRecord
from ...model.state import WorkflowState
from ...model.transitions import TERMINAL
from ..reading.core import Core
from ..reading.filter import ACTIVE, RunFilter, run_key
from ..reading.page import Page
from ..reading.waiting import Question


class ReaderRuns:
    """See runs.Runs."""

    def __init__(self, core: Core) -> None:
        self._queries = core.queries
        self._answers = core.answers

    def record(self, run_id: UUID) -> StateRecord | None:
        return self._queries.record(run_key(run_id)).value

    def get(self, run_id: UUID) -> Question[WorkflowState | None]:
        return self._answers.state(run_id)

    def latest_of(self, workflow_id: str) -> Question[WorkflowState | None]:
        return self._answers.newest(RunFilter(workflow_id=workflow_id))

    def active(self) -> Page:
        return self._answers.runs(RunFilter(statuses=ACTIVE), None, None)

    def ended_before(self, instant: datetime) -> Sequence[StateRecord]:
        ended = self._answers.runs(RunFilter(statuses=TERMINAL), None, None).bare()
        # the most recent is first; only those at which it looks are decoded
        return ended[bisect_right(ended, -to_micros(instant), key=lambda state: -state["updated_at"]) :]

    def checkpoint_count(self, run_id: UUID) -> int:
        return len(self._queries.checkpoints(run_key(run_id)).value)

    def latest_checkpoint(self, run_id: UUID) -> Question[Checkpoint | None]:
        return self._answers.latest_checkpoint(run_id)

    def checkpoint(self, checkpoint_id: UUID) -> Question[Checkpoint | None]:
        return self._answers.checkpoint(checkpoint_id)

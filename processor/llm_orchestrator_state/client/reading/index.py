"""The runs that a reader knows, by what they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from ...model.status import WorkflowStatus
from .filter import ACTIVE, RunFilter
from .run import UNREADABLE, Run

Runs = dict[bytes, Run]


class RunIndex:
    """Not thread-safe: whoever uses it holds the reader's lock."""

    def __init__(self) -> None:
        self._all: Runs = {}
        self._active: Runs = {}
        self._of_workflow: dict[str, Runs] = {}
        self._of_parent: dict[str, Runs] = {}
        self._statuses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def get(self, key: bytes) -> Run | None:
        return self._all.get(key)

    def put(self, run: Run) -> Run | None:
        """Returns what was there before."""
        before = self.remove(run.key)
        self._all[run.key] = run
        self._statuses[run.status] += 1
        if run.status in ACTIVE:
            self._active[run.key] = run
        self._of_workflow.setdefault(run.workflow_id, {})[run.key] = run
        if run.parent is not None:
            self._of_parent.setdefault(run.parent, {})[run.key] = run
        return before

    def remove(self, key: bytes) -> Run | None:
        run = self._all.pop(key, None)
        if run is None:
            return None
        self._statuses[run.status] -= 1
        self._active.pop(key, None)
        _forget(self._of_workflow, run.workflow_id, key)
        if run.parent is not None:
            _forget(self._of_parent, run.parent, key)
        return run

    def unreadable(self) -> Run | None:
        """One whose state cannot be read, where there are any."""
        if not self._statuses[UNREADABLE]:
            return None
        return next(run for run in self._all.values() if run.status == UNREADABLE)

    def counts(self) -> dict[WorkflowStatus, int]:
        return {status: self._statuses[status.value] for status in WorkflowStatus}

    def candidates(self, wanted: RunFilter) -> Collection[Run]:
        """No fewer than the filter allows: the smallest of the tables in which they all are."""
        tables: list[Mapping[bytes, Run]] = [self._all]
        if wanted.statuses is not None and wanted.statuses <= ACTIVE:
            tables.append(self._active)
        if wanted.workflow_id is not None:
            tables.append(self._of_workflow.get(wanted.workflow_id, {}))
        if wanted.parent is not None:
            tables.append(self._of_parent.get(wanted.parent, {}))
        return min(tables, key=len).values()


def _forget(table: dict[str, Runs], name: str, key: bytes) -> None:
    runs = table[name]
    del runs[key]
    if not runs:
        del table[name]

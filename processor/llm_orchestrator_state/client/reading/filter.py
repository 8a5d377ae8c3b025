"""Which runs are asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self, TypedDict
from uuid import UUID

from ...errors import InvalidState
from ...model.instants import to_micros
from ...model.status import WorkflowStatus
from .run import Run

ACTIVE = frozenset(status.value for status in WorkflowStatus if status.is_active)


class Filters(TypedDict, total=False):
    """Which runs a list or a watch has: those that fit all that is given. None does not restrict."""

    status: WorkflowStatus | str | None
    active: bool
    """Only pending, running and paused ones."""
    labels: Mapping[str, str] | None
    """Only runs that have all of these, whatever else they have."""
    parent: UUID | str | None
    """Only sub-workflows of this run."""
    updated_since: datetime | None
    """Only runs with an event at that instant or later. With a time zone."""
    stale_for: timedelta | float | None
    """Only runs without an event for so long (a number is seconds); active ones, unless a status is given."""
    workflow_id: str | None


class RunFilter(NamedTuple):
    """Filters, checked. What is None or empty does not restrict.

    parent: id of the parent run. updated_since: microseconds since 1970 UTC, inclusive. stale_us: how long nothing has
    happened, in microseconds.
    """

    statuses: frozenset[str] | None = None
    labels: Mapping[str, str] = {}
    parent: str | None = None
    updated_since: int | None = None
    stale_us: int | None = None
    workflow_id: str | None = None

    @classmethod
    def of(cls, filters: Filters) -> Self:
        """Raises InvalidState for what cannot be asked."""
        if unknown := filters.keys() - Filters.__annotations__.keys():
            raise TypeError(
                f"there is no filter {', '.join(sorted(unknown))}; there are: {', '.join(Filters.__annotations__)}"
            )
        parent, since, stale = filters.get("parent"), filters.get("updated_since"), filters.get("stale_for")
        return cls(
            statuses=_statuses(filters.get("status"), active=filters.get("active", False), stale=stale is not None),
            labels=_labels(filters.get("labels") or {}),
            parent=None if parent is None else run_key(parent).decode(),
            updated_since=None if since is None else to_micros(since),
            stale_us=None if stale is None else _micros(stale),
            workflow_id=filters.get("workflow_id"),
        )

    def allows(self, run: Run, now_us: int) -> bool:
        return self.allows_but_for_age(run) and (self.stale_us is None or run.updated_at <= now_us - self.stale_us)

    def allows_but_for_age(self, run: Run) -> bool:
        """All but ``stale_us``: of what changes only with the run, and not with time."""
        if self.statuses is not None and run.status not in self.statuses:
            return False
        if self.workflow_id is not None and run.workflow_id != self.workflow_id:
            return False
        if self.parent is not None and run.parent != self.parent:
            return False
        if self.updated_since is not None and run.updated_at < self.updated_since:
            return False
        return not self.labels or self.labels.items() <= run.labels.items()


def _statuses(status: WorkflowStatus | str | None, *, active: bool, stale: bool) -> frozenset[str] | None:
    if status is None:
        # a run that is over has nothing to wait for, unless it is asked for by its status
        return ACTIVE if active or stale else None
    found = WorkflowStatus.parse(status)
    if active and found.value not in ACTIVE:
        raise InvalidState(f"a run that is {found} is not active; ask for the status or for active ones, not for both")
    return frozenset({found.value})


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(labels, Mapping):
        raise InvalidState(f"labels is {labels!r}; expected names and values, such as {{'team': 'support'}}")
    return dict(labels)


def _micros(duration: timedelta | float) -> int:
    seconds: Any = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if not isinstance(seconds, (int, float)) or not 0 <= seconds < float("inf"):
        raise InvalidState(f"stale_for is {duration!r}; expected a duration: a timedelta, or seconds, from 0 on")
    return int(seconds * 1e6)


def run_key(run_id: UUID | str) -> bytes:
    """The key on the topics. Raises InvalidState for what is no UUID."""
    try:
        return str(UUID(str(run_id))).encode()
    except ValueError:
        raise InvalidState(
            f"run id {run_id!r} is not a UUID; expected one such as 6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
        ) from None


def now_us() -> int:
    return time.time_ns() // 1000

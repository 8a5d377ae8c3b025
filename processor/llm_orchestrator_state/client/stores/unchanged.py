"""Versions of runs between which nothing changed that a save would replace.

Every event raises the version, and so does a checkpoint that is made or removed. Who saves a state, keeps a checkpoint of
it, and goes on, holds the version from before the checkpoint, and must not be told that somebody else has changed the run.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple
from uuid import UUID

from ...model.events import TransitionEvent
from ...model.ids import short_id
from ..reading.window import Window
from .runs import Runs

REMEMBERED = 10_000
"""Runs. What is forgotten is a conflict, after which the state is loaded again."""


class _Span(NamedTuple):
    """From one version to the one that this store's event made."""

    first: int
    last: int
    event_id: UUID


class Unchanged:
    """Of one store's own checkpoint events. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._spans: OrderedDict[UUID, _Span] = OrderedDict()

    def note(self, event: TransitionEvent, window: Window) -> None:
        """The event was applied, and its run's content is as before it. window: of the run as it was then."""
        # where others came after it this is not its version; but never one that the run still has, so it vouches for nothing
        version = window.version_after(short_id(str(event.event_id)))
        with self._lock:
            before = self._spans.pop(event.run_id, None)
            if before is not None and before.event_id == event.event_id:
                self._spans[event.run_id] = before
                return
            first = before.first if before is not None and before.last == version - 1 else version - 1
            self._spans[event.run_id] = _Span(first, version, event.event_id)
            if len(self._spans) > REMEMBERED:
                self._spans.popitem(last=False)

    def current(self, runs: Runs, run_id: UUID, version: int) -> int:
        """The version to expect in place of that one."""
        with self._lock:
            span = self._spans.get(run_id)
        if span is None or not span.first <= version < span.last:
            return version
        run = runs.record(run_id)  # a run that was deleted and made anew has the same versions
        return span.last if run is not None and run["last_event_id"] == str(span.event_id) else version

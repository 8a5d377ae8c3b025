"""Changes of runs, for one who may be slow."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from .filter import RunFilter, now_us
from .run import UNREADABLE, Run


class Watch:
    """The changes of one watcher, none left out; one that is behind is told of each run only how it is now.

    So no more is kept than one entry a run. Everything but the constructor is done under the reader's lock.

    key: only of this run. wake: called when there is something to take where there was nothing.
    """

    def __init__(self, wanted: RunFilter, key: bytes | None, wake: Callable[[], None]) -> None:
        self.wanted = wanted
        self._key = key
        self.wake = wake
        self._pending: dict[bytes, None] = {}
        """Keys of runs that the watcher has to be told of, the one that has waited longest first."""
        self._due: list[tuple[int, bytes]] = []
        """When a run that may become stale is looked at; one that has changed since is then looked at again later."""
        self._awaited: dict[bytes, int] = {}
        """By run the entry that counts."""
        self._stale: set[bytes] = set()
        """Runs that were told to be stale."""

    def begin(self, runs: Iterable[Run], *, tell: bool) -> None:
        """With the runs there are. tell: whether those that the filter allows are told at once."""
        if not tell and self.wanted.stale_us is None:
            return
        now = now_us()
        for run in runs:
            if self._concerns(run) and self.wanted.allows_but_for_age(run):
                if self.wanted.stale_us is not None:
                    self._wait_for(run)
                    if not tell and self.wanted.allows(run, now):
                        self._stale.add(run.key)
                elif tell:
                    self._pending[run.key] = None

    def changed(self, before: Run | None, now: Run | None) -> None:
        """See feeds.Listener."""
        either = now or before
        if either is None or not self._concerns(either):
            return
        if self.wanted.stale_us is not None:
            # a run that has just changed is not stale: it is told if it was, and may become so
            if now is not None and self.wanted.allows_but_for_age(now):
                self._wait_for(now)
            if either.key not in self._stale:
                return
            self._stale.discard(either.key)
        elif not any(run is not None and self._may_match(run) for run in (before, now)):
            return
        self._tell(either.key)

    def judged(self, key: bytes, offset: int) -> None:
        """See feeds.Listener."""

    def take(self, current: Callable[[bytes], Run | None]) -> bytes | None:
        """Key of the run that has waited longest; None where there is nothing to tell."""
        self._grow_stale(current)
        if not self._pending:
            return None
        key = next(iter(self._pending))
        del self._pending[key]
        return key

    def put_back(self, key: bytes) -> None:
        """What was taken and could not be told; it is told once, also where the run has changed meanwhile."""
        self._tell(key)

    def next_due_s(self) -> float | None:
        """Seconds until a run may become stale; None where none can."""
        return max(0.0, (self._due[0][0] - now_us()) / 1e6) if self._due else None

    def _concerns(self, run: Run) -> bool:
        return self._key is None or run.key == self._key

    def _may_match(self, run: Run) -> bool:
        return run.status == UNREADABLE or self.wanted.allows_but_for_age(run)

    def _tell(self, key: bytes) -> None:
        first = not self._pending
        self._pending[key] = None
        if first:
            self.wake()

    def _wait_for(self, run: Run) -> None:
        assert self.wanted.stale_us is not None
        due = run.updated_at + self.wanted.stale_us
        if self._awaited.get(run.key, due + 1) <= due:
            return
        if not self._due:
            self.wake()
        self._awaited[run.key] = due
        heapq.heappush(self._due, (due, run.key))

    def _grow_stale(self, current: Callable[[bytes], Run | None]) -> None:
        now = now_us()
        while self._due and self._due[0][0] <= now:
            due, key = heapq.heappop(self._due)
            if self._awaited.get(key) != due:
                continue
            del self._awaited[key]
            run = current(key)
            if run is None or key in self._stale or not self.wanted.allows_but_for_age(run):
                continue
            if self.wanted.allows(run, now):
                self._stale.add(key)
                self._pending[key] = None
            else:
                self._wait_for(run)

"""Read your own write: events that were published, until it is known what has become of them.

An event is judged when its run's source-offset has reached its own, when a rejection names it, or when the group's
committed offset has passed it (a duplicate emits nothing). Markers become visible per partition, not all at once: before
an event is called applied, the other topics are read up to the end that they had after it was seen to be judged. One
that its run's deduplication window has was applied, whatever the rejections will say of copies of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Literal

from ...errors import EventRejected, StateError
from ...model.ids import short_id
from ..producer import Delivered
from .feeds import Feed
from .index import RunIndex
from .life import Life, fulfil, refuse
from .rejections import Found, Rejected, RejectionFeed
from .run import Run
from .window import Window

Judged = Literal["by state", "by group", "by window"]


class Wait:
    """One event.

    judged: how that is known; None while it is not. needs: positions that must be reached before it is applied; None as
    long as they have not been asked for. checkpoints: whether those that it made or removed are waited for.
    """

    __slots__ = ("checkpoints", "event_id", "future", "judged", "key", "needs", "offset", "partition", "short", "since")

    def __init__(self, delivered: Delivered, future: Future[Window | None], *, checkpoints: bool) -> None:
        self.event_id = delivered.event_id
        self.short = short_id(delivered.event_id)
        self.checkpoints = checkpoints
        self.key = delivered.run_id.encode()
        self.partition, self.offset = delivered.partition, delivered.offset
        self.future = future
        self.since = time.monotonic()
        self.judged: Judged | None = None
        self.needs: list[tuple[Feed, int]] | None = None


class Settling:
    """The waits. All but wait_for_work() is done under the reader's lock.

    rejections: of a partition, where they are followed. window: of a run, by its partition and key; None of no run.
    """

    def __init__(
        self,
        life: Life,
        index: RunIndex,
        rejections: Callable[[int], RejectionFeed | None],
        window: Callable[[int, bytes], Window | None],
    ) -> None:
        self._life = life
        self._index = index
        self._rejections = rejections
        self._window = window
        self._waits: dict[bytes, list[Wait]] = {}
        self.unplaced: list[Wait] = []
        """Of partitions whose rejections are not known back to the event."""
        self.work = threading.Event()
        """Set when there is something to ask the brokers."""

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waits or self.unplaced)

    def add(self, delivered: Delivered, *, checkpoints: bool) -> Future[Window | None]:
        """Done when the event is settled: with the run's window, None where the run is gone, or with EventRejected.

        checkpoints: see Wait.
        """
        wait = Wait(delivered, self._life.future(), checkpoints=checkpoints)
        first = not self
        rejections = self._rejections(wait.partition)
        if rejections is None or not rejections.knows(wait.offset):
            self.unplaced.append(wait)
            self.work.set()
        else:
            self.place(wait, rejections)
        if first:
            self.work.set()  # who asks looks more often while somebody waits
        return wait.future

    def place(self, wait: Wait, rejections: RejectionFeed) -> None:
        if (why := rejections.get(wait.offset)) is not None:
            _reject(wait, why)
            return
        run = self._index.get(wait.key)
        if run is not None and run.judged >= wait.offset:
            self._seen(wait)
        if not wait.future.done():
            self._waits.setdefault(wait.key, []).append(wait)

    def place_all(self, waits: Iterable[Wait], rejections: RejectionFeed) -> None:
        """Of those that were unplaced, and are not settled meanwhile."""
        placed = set(waits)
        self.unplaced = [wait for wait in self.unplaced if wait not in placed]
        for wait in placed:
            if not wait.future.done():
                self.place(wait, rejections)

    def give_up(self, waits: Iterable[Wait], why: StateError) -> None:
        for wait in waits:
            refuse(wait.future, why)
        self._drop_done()

    def all(self) -> list[Wait]:
        return [*self.unplaced, *self._placed()]

    # --- what the topics tell -----------------------------------------------------------------------------------------

    def changed(self, before: Run | None, now: Run | None) -> None:
        """See feeds.Listener."""

    def judged(self, key: bytes, offset: int) -> None:
        """See feeds.Listener."""
        for wait in self._waits.get(key, ()):
            if wait.judged is None and wait.offset <= offset:
                self._seen(wait)

    def _seen(self, wait: Wait) -> None:
        """Its run's source-offset has reached it."""
        window = self._window(wait.partition, wait.key)
        wait.judged = "by window" if window is not None and window.has(wait.short) else "by state"
        if wait.judged == "by window" and not wait.checkpoints:
            fulfil(wait.future, window)
        else:
            self.work.set()

    def rejected(self, partition: int, found: Found) -> None:
        if not found:
            return
        for wait in self.all():
            if wait.partition == partition and (why := found.get(wait.offset)) is not None:
                _reject(wait, why)
        self._drop_done()

    def moved(self) -> None:
        """Positions have."""
        if not self._waits:
            return
        for wait in self._placed():
            if wait.needs is not None and all(feed.position >= end for feed, end in wait.needs):
                fulfil(wait.future, self._window(wait.partition, wait.key))
        self._drop_done()

    # --- what is to be asked ------------------------------------------------------------------------------------------

    def to_confirm(self) -> list[Wait]:
        """Those that are judged, and whose needs are not known."""
        self._drop_done()
        return [wait for wait in self._placed() if wait.judged and wait.needs is None]

    def silent(self, for_s: float) -> list[Wait]:
        """Those of which nothing has been heard for so long."""
        before = time.monotonic() - for_s
        return [wait for wait in self._placed() if wait.judged is None and wait.since <= before]

    def _placed(self) -> list[Wait]:
        return [wait for waits in self._waits.values() for wait in waits]

    def _drop_done(self) -> None:
        self.unplaced = [wait for wait in self.unplaced if not wait.future.done()]
        for key, waits in list(self._waits.items()):
            left = [wait for wait in waits if not wait.future.done()]
            if not left:
                del self._waits[key]
            elif len(left) < len(waits):
                self._waits[key] = left


def _reject(wait: Wait, why: Rejected) -> None:
    refuse(wait.future, EventRejected(why.code, why.detail, wait.event_id))

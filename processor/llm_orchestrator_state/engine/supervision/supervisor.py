"""A worker of several processes: started together, started again where one dies, ended together.

Each process is a static member of the group with a name of its own, so one that comes back within the session time-out
has its partitions again without a rebalance. The supervisor has no connection to Kafka, and no event passes through it.
"""

from __future__ import annotations

import logging
import selectors
import signal
from collections.abc import Sequence

from ...errors import INTERRUPTED, StateError
from ..clock import Clock
from ..progress import Progress
from .child import Child
from .policy import Next, failure, next_after
from .signals import Signals, caught_signals

log = logging.getLogger(__name__)

STOP_PATIENCE_S = 20.0
"""A process ends within 5 s of SIGTERM; one that waits for a broker that is away gives a transaction up after 12."""

IMPATIENT = 2
"""Who sends so many signals does not want to wait."""

SIGNALLED = 128
"""An exit code above it tells the signal that ended a program, as in a shell."""


class Supervisor:
    """until_end: the processes end by themselves when the log is judged up to its end; otherwise only a signal ends them."""

    def __init__(self, children: Sequence[Child], clock: Clock, *, until_end: bool = False) -> None:
        self.latest: dict[str, Progress] = {}
        """By name, of those that run; other threads may look at it."""
        self.restarts = {child.name: 0 for child in children}
        """By name; other threads may look at it."""
        self._children = children
        self._clock = clock
        self._until_end = until_end
        self._worked = False
        """Whether any process has had a partition at work."""
        self._ending = False
        self._kill_at: float | None = None
        """While it ends: when the processes that are left are killed."""
        self._signals: list[signal.Signals] = []
        """Those that asked to end, in their order."""
        self._failure: StateError | None = None

    def run(self) -> int:
        """Until all have ended; returns the exit code. Raises the error of the process that ended all: StateError."""
        with caught_signals() as signals, selectors.DefaultSelector() as selector:
            selector.register(signals, selectors.EVENT_READ)
            try:
                while self._running() or not self._ending:
                    self._start_due(selector)
                    selector.select(self._idle_s())
                    self._notice(signals)
                    self._listen(selector)
                    self._kill_when_due()
            finally:
                for child in self._running():
                    child.send(signal.SIGKILL)
                    child.wait()
        if self._failure:
            raise self._failure
        return self._exit_code()

    def _running(self) -> list[Child]:
        return [child for child in self._children if child.pid is not None]

    def _exit_code(self) -> int:
        if len(self._signals) > 1:
            return SIGNALLED + self._signals[-1]
        return INTERRUPTED if self._signals == [signal.SIGINT] else 0

    def _idle_s(self) -> float | None:
        """Until something is due; None: there is nothing to do before somebody else does something."""
        due = [child.start_at for child in self._children if child.start_at is not None and not self._ending]
        due += [self._kill_at] if self._kill_at is not None else []
        return max(0.0, min(due) - self._clock.monotonic()) if due else None

    # --- processes that come and go -----------------------------------------------------------------------------------

    def _start_due(self, selector: selectors.BaseSelector) -> None:
        now = self._clock.monotonic()
        for child in self._children:
            if self._ending or child.start_at is None or now < child.start_at:
                continue
            try:
                descriptor = child.start(now)
            except OSError as error:
                self._start_again(child, f"cannot be started ({error.strerror})")
            else:
                selector.register(descriptor, selectors.EVENT_READ, child)
                log.info("worker %s is process %d", child.name, child.pid)

    def _listen(self, selector: selectors.BaseSelector) -> None:
        for key in list(selector.get_map().values()):
            child = key.data
            if not isinstance(child, Child):
                continue
            if child.has_ended():
                selector.unregister(key.fd)
                self._gone(child, child.wait())
                continue
            child.listen()
            if child.progress:
                self.latest[child.name] = child.progress
                self._worked |= bool(child.progress.partitions)

    def _gone(self, child: Child, code: int) -> None:
        self.latest.pop(child.name, None)
        how = f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"
        reason = failure(code, child.error or f"worker {child.name} {how}; its log tells why")
        if self._ending:
            # one that was told to end before it could listen has nothing to finish
            if code not in {0, -signal.SIGTERM} and len(self._signals) < IMPATIENT:
                self._fail(reason)
            return
        match next_after(code, worked=self._worked, until_end=self._until_end):
            case Next.FINISH:
                self._end()
            case Next.FAIL:
                self._fail(reason)
                self._end()
            case Next.START_AGAIN:
                self._start_again(child, f"{how}: {child.error}" if child.error else how)

    def _start_again(self, child: Child, how: str) -> None:
        now = self._clock.monotonic()
        delay = child.backoff.delay_s(now - child.started_at)
        child.start_at = now + delay
        self.restarts[child.name] += 1
        log.warning("worker %s %s; it is started again in %g s", child.name, how, delay)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _fail(self, reason: StateError) -> None:
        """The first is told; the others mostly tell the same."""
        self._failure = self._failure or reason

    def _notice(self, signals: Signals) -> None:
        self._signals += signals.read()
        if self._signals and not self._ending:
            self._end()
        if self._ending and len(self._signals) >= IMPATIENT and self._kill_at is not None:
            self._kill_at = self._clock.monotonic()

    def _end(self) -> None:
        """Each finishes its transaction and leaves the group; those that wait to be started again are not."""
        self._ending = True
        self._kill_at = self._clock.monotonic() + STOP_PATIENCE_S
        for child in self._running():
            child.send(signal.SIGTERM)

    def _kill_when_due(self) -> None:
        if self._kill_at is None or self._clock.monotonic() < self._kill_at:
            return
        self._kill_at = None
        for child in self._running():
            log.warning("worker %s has not ended, and is killed: its transaction comes to nothing", child.name)
            child.send(signal.SIGKILL)

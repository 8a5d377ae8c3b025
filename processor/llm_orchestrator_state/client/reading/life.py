"""Whether a reader is alive, and what waits for it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException

from ...errors import Closed, StateError
from ...kafka.failures import as_state_error

log = logging.getLogger(__name__)


class Life:
    """Shared by all parts of one reader. What goes wrong in a thread of it is raised by every later call.

    lock: of tables that several readers share; one of its own, if not given.
    """

    def __init__(self, lock: threading.Lock | None = None) -> None:
        self.lock = lock or threading.Lock()
        """Held for whatever the threads share: tables, positions, watches and waits."""
        self.ended = threading.Event()
        self._pid = os.getpid()
        self._end: StateError | None = None
        self._pending: set[Future[Any]] = set()
        self._listeners: list[Callable[[], None]] = []

    def check(self) -> None:
        """Raises Closed, or what has ended the reader."""
        if self.is_foreign():
            raise Closed(
                f"this reader belongs to process {self._pid}, and a fork has no threads and no connection of its own; make "
                "one in each process, after the fork"
            )
        if self._end is not None:
            raise self._copy()

    def is_foreign(self) -> bool:
        """Whether this process was forked from the one that made the reader."""
        return self._pid != os.getpid()

    def ended_by(self, kind: type[StateError]) -> bool:
        return isinstance(self._end, kind)

    def future(self) -> Future[Any]:
        """One that fails when the reader ends."""
        made: Future[Any] = Future()
        self._pending.add(made)
        made.add_done_callback(self._pending.discard)
        if self._end is not None:
            refuse(made, self._copy())
        return made

    def listen(self, at_end: Callable[[], None]) -> None:
        self._listeners.append(at_end)

    def forget(self, at_end: Callable[[], None]) -> None:
        self._listeners.remove(at_end)

    def end(self, why: StateError) -> bool:
        """Whether it was alive."""
        with self.lock:
            if self._end is not None:
                return False
            self._end = why
            pending, listeners = list(self._pending), list(self._listeners)
        self.ended.set()
        for future in pending:
            refuse(future, self._copy())
        for listener in listeners:
            listener()
        return True

    def guarded(self, work: Callable[[], None]) -> Callable[[], None]:
        """For a thread: what it raises ends the reader."""

        def run() -> None:
            try:
                work()
            except StateError as error:
                self._failed(error)
            except KafkaException as failure:
                self._failed(as_state_error(failure, "following the topics"))
            except Exception as error:  # whatever it is, nobody may go on reading what is not followed any more
                log.exception("a reader's thread failed")
                self._failed(StateError(f"the reader has failed ({type(error).__name__}: {error}); make another"))

        return run

    def _failed(self, error: StateError) -> None:
        if self.end(error):
            log.error("the reader has ended: %s", error)

    def _copy(self) -> StateError:
        """Each raised once: a traceback grows with every raise."""
        assert self._end is not None
        made = type(self._end)(*self._end.args)
        made.__cause__ = self._end.__cause__
        return made


def fulfil(future: Future[Any], value: Any = None) -> None:
    """Harmless where the one who waited has gone."""
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_result(value)


def refuse(future: Future[Any], error: Exception) -> None:
    """As fulfil()."""
    if not future.done() and future.set_running_or_notify_cancel():
        future.set_exception(error)

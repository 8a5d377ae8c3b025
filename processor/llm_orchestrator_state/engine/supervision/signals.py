"""Signals as something that a loop can wait for, together with pipes."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ...handlers import handled

ENDING = (signal.SIGTERM, signal.SIGINT)

_WATCHED = (*ENDING, signal.SIGCHLD)


class Signals:
    """Readable where one has come; see selectors. SIGCHLD, a process's end, only wakes up."""

    def __init__(self, reader: socket.socket) -> None:
        self._reader = reader

    def fileno(self) -> int:
        return self._reader.fileno()

    def read(self) -> list[signal.Signals]:
        """Those of ENDING that have come since the last call, in their order; does not wait."""
        try:
            numbers = self._reader.recv(4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in numbers if number in ENDING]


@contextmanager
def caught_signals() -> Iterator[Signals]:
    """None of them interrupts what is done meanwhile. For the main thread only."""
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        # a handler of Python's own makes the interpreter write the number; what it does is nothing
        with handled(_WATCHED, lambda *_: None):
            descriptor = signal.set_wakeup_fd(writer.fileno())
            try:
                yield Signals(reader)
            finally:
                signal.set_wakeup_fd(descriptor)

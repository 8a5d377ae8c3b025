"""Signals that end a program in good order, and stretches of it that they must not tear."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..handlers import handled

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, kill, and the terminal's window closed."""


@contextmanager
def raised_as_keyboard_interrupt() -> Iterator[None]:
    """Whichever of them comes, what was begun is cleaned up on the way out."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with handled(ENDING, interrupt):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal that comes meanwhile counts when this ends: a process is not started without being noted down, and what
    cleans up is not stopped halfway. Short stretches only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python interrupts no other thread
        return
    came: list[int] = []
    try:
        with handled(ENDING, lambda signum, _: came.append(signum)):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])

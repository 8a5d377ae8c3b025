"""Signals that end a program in good order, and stretches of it that they must not tear."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, kill, and the terminal's window closed."""


@contextmanager
def raised_as_keyboard_interrupt() -> Iterator[None]:
    """Whichever of them comes, what was begun is cleaned up on the way out."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal that comes meanwhile counts when this ends: a process is not started without being noted down, and what
    cleans up is not stopped halfway. Short stretches only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python interrupts no other thread
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda signum, _: came.append(signum)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])

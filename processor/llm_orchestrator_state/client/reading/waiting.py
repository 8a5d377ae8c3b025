"""Questions that may have to wait, written once for readers that block and for those that are awaited.

Such a question is a generator. It yields what has to be waited for, is sent the answer, and returns what was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Future
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from ...errors import TimedOut

T = TypeVar("T")


class Waiting(NamedTuple):
    """at_most_s: in seconds; None: as long as it takes. otherwise: the error after it."""

    future: Future[Any]
    at_most_s: float | None
    otherwise: Callable[[], TimedOut]


Question = Generator[Waiting, Any, T]


class Deadline:
    """So many seconds from its making; None: never."""

    def __init__(self, timeout_s: float | None) -> None:
        self._at = None if timeout_s is None else monotonic() + timeout_s

    @property
    def seconds(self) -> float | None:
        return None if self._at is None else max(0.0, self._at - monotonic())

    @property
    def is_over(self) -> bool:
        return self.seconds == 0

    def at_most(self, seconds: float | None) -> float | None:
        return min((each for each in (seconds, self.seconds) if each is not None), default=None)


class LateError(Exception):
    """The caller's own time is over."""


def answer(question: Question[T], left: Deadline | None = None) -> T:
    """Blocks. Raises LateError when ``left`` is over before anything else; the question is closed then.

    What it waited for goes on: who asks again in small portions of time gets it in the end.
    """
    try:
        waiting = next(question)
        while True:
            waiting = question.send(wait(waiting, left))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return] # StopIteration does not tell its value's type
    finally:
        question.close()


def wait(waiting: Waiting, left: Deadline | None = None) -> Any:
    """The future's result. Raises LateError when ``left`` is over before anything else."""
    own = None if left is None else left.seconds
    at_most_s = waiting.at_most_s
    if not is_done(waiting.future, at_most_s if own is None else min(own, own if at_most_s is None else at_most_s)):
        if own is not None and (at_most_s is None or own <= at_most_s):
            raise LateError
        raise waiting.otherwise()
    return waiting.future.result()


async def awaited(question: Question[T]) -> T:
    """Without a task of its own: who is cancelled leaves none."""
    try:
        waiting = next(question)
        while True:
            waiting = question.send(await within(waiting))
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return] # as in answer()
    finally:
        question.close()


async def within(waiting: Waiting) -> Any:
    """The future's result."""
    try:
        async with asyncio.timeout(waiting.at_most_s) as limit:
            return await asyncio.wrap_future(waiting.future)
    except TimeoutError:
        if limit.expired():
            raise waiting.otherwise() from None
        raise  # the future's own


def is_done(future: Future[Any], seconds: float | None) -> bool:
    try:
        future.exception(seconds)
    except TimeoutError:
        return False
    return True

"""Handles of steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Protocol, Self

from ...errors import InvalidState
from ...model.events import TransitionEvent
from .delivery import Delivery
from .outcome import besides
from .retries import Tries
from .run_events import RunEvents
from .step_events import StepEvents


class Run(Protocol):
    """The run's handle, as its steps see it."""

    events: RunEvents

    def tell(self, event: TransitionEvent) -> Delivery: ...


class Step(StepEvents):
    """A step that is started when its ``with`` block is entered, and completed when it is left, or failed by what
    leaves it: ``error_type`` is ``cancelled``, ``timed_out`` or the exception's class.
    """

    __slots__ = ("_handle",)

    def __init__(self, run: Run, step_id: str, inputs: Any) -> None:
        super().__init__(run.events, step_id, inputs)
        self._handle = run

    def heartbeat(self) -> Delivery:
        """Say that it still runs: every few seconds, not for every token."""
        return self._handle.tell(self._beating())

    def try_again(self) -> None:
        self._handle.tell(self._retried())

    def __enter__(self) -> Self:
        event = self._started()
        try:
            self._handle.tell(event)
        except BaseException:
            self._closed()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if error is not None:
                self._fail(error)
                return
            try:
                self._handle.tell(self._completed())
            except InvalidState as refused:  # outputs that are no JSON, say: the step must not seem to run for ever
                self._fail(refused)
                raise
        finally:
            self._closed()

    def _fail(self, error: BaseException) -> None:
        with besides(error):
            if (event := self._failed(error)) is not None:
                self._handle.tell(event)


class Attempt:
    """One try at a step: ``with attempt as step``. An exception that is retried does not leave the block."""

    __slots__ = ("_step", "_tries", "number")

    def __init__(self, step: Step, tries: Tries, number: int) -> None:
        self.number = number
        """1 for the first in this loop."""
        self._step = step
        self._tries = tries

    def __enter__(self) -> Step:
        return self._step.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        again = self._tries.retries(error)
        self._step.__exit__(kind, error, trace)
        if not again:
            return False
        self._step.try_again()
        return True


class Attempts:
    """The tries at one step, one after the other until one succeeds."""

    __slots__ = ("_handle", "_inputs", "_step_id", "_tries")

    def __init__(self, run: Run, step_id: str, inputs: Any, tries: Tries) -> None:
        self._handle = run
        self._step_id = step_id
        self._inputs = inputs
        self._tries = tries

    def __iter__(self) -> Iterator[Attempt]:
        return self

    def __next__(self) -> Attempt:
        if (found := self._tries.next()) is None:
            raise StopIteration
        number, wait_s = found
        time.sleep(wait_s)  # what the caller asked for between two attempts
        return Attempt(Step(self._handle, self._step_id, self._inputs), self._tries, number)

"""Trying a step again, in tenacity's idiom."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import EventRejected, InvalidState

Retriable = type[Exception] | tuple[type[Exception], ...]
Wait = float | Callable[[int], float]
"""Seconds before the next try, or what gives them for the number of the try that failed."""


class Tries:
    """How often a step is tried in one loop, and whether it goes on."""

    def __init__(self, step_id: str, max_attempts: int, retry_on: Retriable, wait_s: Wait) -> None:
        if max_attempts < 1:
            raise InvalidState(f"max_attempts is {max_attempts}; give at least 1")
        self._step_id = step_id
        self._max = max_attempts
        self._retry_on = retry_on
        self._wait_s = wait_s
        self._number = 0
        self._again: bool | None = True  # None: this try has not ended

    def next(self) -> tuple[int, float] | None:
        """Number of the next try, and the seconds to wait before it; None: the loop is over.

        Raises InvalidState when the try before was not entered: the loop would go on without doing anything.
        """
        if self._number and self._again is None:
            raise InvalidState(
                f"try {self._number} of step {self._step_id!r} was not entered; write `with attempt as step:`"
            )
        if not self._again:
            return None
        wait_s = 0.0
        if self._number:
            wait_s = self._wait_s(self._number) if callable(self._wait_s) else self._wait_s
        self._number += 1
        self._again = None
        return self._number, wait_s

    def retries(self, error: BaseException | None) -> bool:
        """What has become of this try: whether there is another."""
        # a rejection tells of the run, not of the try: it is not as this program thinks, or another's
        retriable = isinstance(error, self._retry_on) and not isinstance(error, EventRejected)
        self._again = retriable and self._number < self._max
        return self._again

"""The engine's thread for transactions, without a thread: a call is made at once, or when its result is asked for."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from llm_orchestrator_state.engine.transaction import Ended


class SimPending:
    def __init__(self, call: Callable[[], Ended]) -> None:
        self._call = call
        self._ended: Ended | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._ended = self._call()
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and raised there
            self._error = error

    def result(self) -> Ended:
        if self._ended is None and self._error is None:
            self.run()
        if self._error is not None:
            raise self._error
        assert self._ended is not None
        return self._ended


class SimBackground:
    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def __call__(self, call: Callable[[], Ended]) -> SimPending:
        pending = SimPending(call)
        if self._rng.random() < 0.5:
            pending.run()
        return pending

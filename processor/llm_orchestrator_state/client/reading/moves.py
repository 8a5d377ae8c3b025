"""Waiting for anything new on the topics."""

from __future__ import annotations

from concurrent.futures import Future

from .life import Life, fulfil


class Moves:
    """Futures that are done when a table has changed after their making."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._waiting: list[Future[None]] = []

    def next(self) -> Future[None]:
        with self._life.lock:
            future = self._life.future()
            self._waiting.append(future)
        return future

    def moved(self) -> None:
        """Under the reader's lock."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                fulfil(future)

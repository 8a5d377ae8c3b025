"""Virtual time: it moves only when somebody waits or a call is made."""

from __future__ import annotations


class SimClock:
    """The engine's clock (engine/clock.py). Only the cluster moves it."""

    __slots__ = ("now", "unix_start")

    def __init__(self, unix_start: float = 1_700_000_000.0) -> None:
        self.now = 0.0
        self.unix_start = unix_start

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.unix_start + self.now

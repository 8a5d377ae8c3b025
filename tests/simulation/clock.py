"""Virtual time: it moves only when somebody waits or a call is made."""

from __future__ import annotations

UNIX_START = 1_700_000_000.0


class SimClock:
    """Only the cluster moves it."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0


class HostClock:
    """The engine's clock (engine/clock.py) on one host, whose idea of the date may be wrong and may jump."""

    __slots__ = ("_clock", "ahead_s")

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return self._clock.now

    def time(self) -> float:
        return UNIX_START + self._clock.now + self.ahead_s

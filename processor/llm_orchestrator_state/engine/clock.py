"""The engine's only source of time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds that never go back, for intervals."""

    def time(self) -> float:
        """Unix time in seconds."""


class SystemClock:
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)

"""What can go wrong at an external call, chosen by the schedule's seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from confluent_kafka import KafkaError, KafkaException

from tests.simulation.clock import SimClock

NONE = 0
FAIL = 1
"""The call does nothing and reports an error."""
UNKNOWN = 2
"""The call takes effect and reports a time-out."""
LAST = 3
"""The call takes effect and the process dies before it returns."""

CALL_S = 0.001
"""Virtual duration of every external call."""


class Crash(BaseException):
    """The process is dead: memory is lost, and every further call it makes raises this again."""


def failure(
    code: int, reason: str, *, fatal: bool = False, retriable: bool = False, txn_requires_abort: bool = False
) -> KafkaException:
    return KafkaException(
        KafkaError(code, reason, fatal=fatal, retriable=retriable, txn_requires_abort=txn_requires_abort)
    )


class Rates:
    """Probabilities per external call. `total` is their sum, so that a call without a fault costs one comparison."""

    __slots__ = ("crash", "fail", "last", "lazy", "stall", "total", "unknown")

    def __init__(self, *, fail: float, unknown: float, crash: float, stall: float, lazy: float) -> None:
        self.crash = crash / 2
        self.last = self.crash + crash / 2
        self.stall = self.last + stall
        self.fail = self.stall + fail
        self.unknown = self.fail + unknown
        self.total = self.unknown
        self.lazy = lazy
        """Probability that a commit's markers are written later, partition by partition."""


CALM = Rates(fail=0, unknown=0, crash=0, stall=0, lazy=0)


class Faults:
    """The fate of one process."""

    __slots__ = ("_clock", "_random", "dead", "name", "on_stall", "rates", "rng", "trace")

    def __init__(self, rng: Random, clock: SimClock, name: str) -> None:
        self.rng = rng
        self.rates = CALM
        self.name = name
        self.dead = False
        self.on_stall: Callable[[], None] | None = None
        self.trace: Callable[[str], None] | None = None
        self._clock = clock
        self._random = rng.random

    def draw(self, call: str) -> int:
        """Decide about this call: returns NONE, FAIL, UNKNOWN or LAST, raises Crash, or stalls the process first."""
        if self.dead:
            raise Crash(call)
        self._clock.now += CALL_S
        point = self._random()
        rates = self.rates
        outcome = NONE if point >= rates.total else self._choose(call, point, rates)
        if self.trace is not None:
            self.note(f"{call} {('', 'FAIL', 'UNKNOWN', 'LAST')[outcome]}")
        return outcome

    def note(self, message: str) -> None:
        """For the trace only; it draws nothing, so that a traced run is the same run."""
        if self.trace is not None:
            self.trace(f"{self._clock.now:9.3f} {self.name} {message}")

    def _choose(self, call: str, point: float, rates: Rates) -> int:
        if point < rates.crash:
            self.die(call)
        if point < rates.last:
            return LAST
        if point < rates.stall:
            if self.on_stall is not None:
                self.note(f"stalls before {call}")
                self.on_stall()
            return NONE
        return FAIL if point < rates.fail else UNKNOWN

    def settle(self, outcome: int, call: str) -> None:
        """After the effect of a call for which only a crash matters."""
        if outcome == LAST:
            self.die(call)

    def die(self, call: str) -> None:
        self.dead = True
        self.note(f"crashes in {call}")
        raise Crash(call)

"""States with their large values: a reference is never shown in place of what it stands for.

The topics of a transaction become visible one after the other. So a state may refer to an output that is not there yet,
or not any more, as the run has moved on: then the newer state is read. What is told is always one state, complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, NamedTuple, TypeVar, cast

from ...errors import TimedOut
from ...model.records import StateRecord
from .moves import Moves
from .references import Reference, Value, fill, references
from .values import Values
from .waiting import Deadline, Question, Waiting

T = TypeVar("T")

NEWER_S = 30.0
"""How long a newer state is waited for in place of one whose output is gone. It takes milliseconds; a broker's restart or
an election between the two takes seconds."""


class Sight(NamedTuple, Generic[T]):
    """What the tables have. value: what was asked for. states: the records in it that may have references."""

    partition: int
    value: T
    states: Sequence[StateRecord]


class Resolver:
    """values: fetches large ones."""

    def __init__(self, values: Values, moves: Moves, *, newer_s: float = NEWER_S) -> None:
        self._values = values
        self._moves = moves
        self._newer_s = newer_s

    def resolve(self, look: Callable[[], Sight[T]]) -> Question[T]:
        """look: reads the tables anew, without waiting; its records are filled.

        Raises Serialization for a value that is not what its reference says, TimedOut, and what fetching raises.
        """
        sight = look()
        left: Deadline | None = None
        upcoming = None
        while wanted := references(sight.states):
            values = yield Waiting(self._values.fetch(sight.partition, [each.key for each in wanted]), None, _never)
            if None not in values:
                fill(wanted, cast(list[Value], values))
                break
            missing = wanted[values.index(None)]
            left = left or Deadline(self._newer_s)
            if left.is_over:
                raise self._stale(missing)
            if upcoming is not None:
                yield Waiting(upcoming, left.seconds, partial(self._stale, missing))
            # made before looking again: what changes from now on ends the wait for it
            upcoming = self._moves.next()
            sight = look()
        if upcoming is not None:
            upcoming.cancel()
        return sight.value

    def _stale(self, missing: Reference) -> TimedOut:
        state = missing.state
        return TimedOut(
            f"run {state['id']}, version {state['version']}, refers to output {missing.key.decode()}, which the outputs topic "
            f"does not have, and no newer state of the run has come within {self._newer_s:g} s; check the brokers, and "
            "whether `verify` finds a difference"
        )


def _never() -> TimedOut:
    raise AssertionError("a wait without an end has no error after it")

"""A seat: one orchestrator, and those who take its place when it crashes or hangs.

Its events come in one order, whatever the timing, so each process of the seat can make them all and publish its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count, islice, repeat
from operator import itemgetter
from random import Random
from typing import NamedTuple

from ...model.records import EventRecord
from ...model.verdicts import Code
from .plan import Family, Plan, new_id
from .run import OPEN, Run
from .story import CHILD, ROOT, SECOND, STRANGER, Beat

APPLIED = "applied"
DUPLICATE = "duplicate"

CRASH = "crash"
HANG = "hang"

CHUNK = 64
"""Families that are put in order at once."""

NOTICED = 9 * SECOND
"""Until heartbeats are missed and another process begins to take over."""

CLAIM = 400
"""Microseconds for one event of a takeover."""

MOST_OF_A_ZOMBIE = 3
"""Events a run."""


class Event(NamedTuple):
    """verdict: what the processor will say of it: applied, duplicate or the code of a rejection."""

    record: EventRecord
    verdict: str


class Incident(NamedTuple):
    """The orchestrator is gone, or seems to be.

    zombie: what it still publishes when it comes to life again, after others have taken over.
    """

    kind: str
    zombie: Sequence[Event]


class Claimed(NamedTuple):
    """All runs of the predecessor have been taken over."""

    runs: int


class Ended(NamedTuple):
    """No more events of this run come. status: what it has then."""

    run_id: str
    status: str


Item = Event | Incident | Claimed | Ended
_Due = tuple[int, "_Live", Beat]


class _Live(NamedTuple):
    """A family that has begun."""

    family: Family
    runs: list[Run]


class Seat:
    """The events of one seat.

    start: the plan's, in microseconds since 1970.
    """

    def __init__(self, plan: Plan, number: int, start: int) -> None:
        self._plan = plan
        self._number = number
        self._late = 0
        self._live: dict[int, _Live] = {}
        self._begun = 0
        self._start = start
        self._ids = Random(f"{plan.seed}/seat/{number}")  # noqa: S311 - a simulation
        self._incidents = deque(_incidents(self._ids, number, plan))

    def items(self) -> Iterator[Item]:
        """In the order of their happening."""
        waiting: list[_Due] = []
        families = self._plan.families_of(self._number)
        chunk = list(islice(families, CHUNK))
        while chunk or waiting:
            following = list(islice(families, CHUNK))
            for family in chunk:
                waiting.extend(_beats_of(family))
            waiting.sort(key=itemgetter(0))
            cut = bisect_left(waiting, following[0].begins, key=itemgetter(0)) if following else len(waiting)
            ready, waiting = waiting[:cut], waiting[cut:]
            for position, due in enumerate(ready):
                yield from self._happens(due)
                if self._incidents and self._begun >= self._incidents[0][0]:
                    yield from self._incident(due[0], chain(ready[position + 1 :], waiting))
            chunk = following

    def _happens(self, due: _Due) -> Iterator[Item]:
        at, live, beat = due
        if beat is live.family.story.beats[0]:
            self._live[live.family.number] = live
            self._begun += 1
        run = live.runs[beat.run]
        record = run.event(new_id(live.family.rng), self._start + self._late + at, beat)
        if beat.verdict is None:
            run.apply(beat.kind, record["transition"][1])
            yield Event(record, APPLIED)
        else:
            yield Event(record, beat.verdict.value)
        if beat.twice:
            yield Event(record, DUPLICATE)
        if beat is live.family.story.beats[-1]:
            del self._live[live.family.number]
            for ended in live.runs[: live.family.story.runs]:
                yield Ended(ended.id, ended.status)

    def _incident(self, at: int, to_come: Iterable[_Due]) -> Iterator[Item]:
        """Not before a step is lost by it, and a zombie has something to say."""
        kind = self._incidents[0][1]
        open_runs = [run for live in self._live.values() for run in live.runs if run.status in OPEN]
        if not any(run.status == "running" and run.running for run in open_runs):
            return
        zombie = self._zombie(to_come) if kind == HANG else []
        if kind == HANG and not zombie:
            return
        self._incidents.popleft()
        yield Incident(kind, zombie)
        ids = (new_id(self._ids) for _ in repeat(None))
        instants = count(self._start + self._late + at + NOTICED, CLAIM)
        claimed = 0
        for run in open_runs:
            claimed += run.status == "running"
            for record in run.taken_over(ids, instants):
                yield Event(record, APPLIED)
        self._late = next(instants) - self._start - at
        yield Claimed(claimed)

    def _zombie(self, to_come: Iterable[_Due]) -> list[Event]:
        """What would have come next of the runs that will be claimed, with the token that is out of date by then.

        Only what is fenced whatever else is wrong with it.
        """
        said: Counter[str] = Counter()
        events = []
        for at, live, beat in to_come:
            run = live.runs[beat.run]
            plain = beat.verdict is None and beat.expects is None
            if run.status == "running" and plain and said[run.id] < MOST_OF_A_ZOMBIE:
                said[run.id] += 1
                record = run.event(new_id(self._ids), self._start + self._late + at, beat)
                events.append(Event(record, Code.FENCED.value))
        return events


def of_shift(items: Iterable[Item], shift: int) -> Iterator[tuple[int, Item]]:
    """What happens in one shift, its last incident included; each with the number of the seat's events until then."""
    events = incidents = 0
    for item in items:
        if isinstance(item, Event):
            events += 1
        if incidents == shift:
            yield events, item
        if isinstance(item, Incident):
            incidents += 1
            if incidents > shift:
                return


def _incidents(rng: Random, seat: int, plan: Plan) -> Iterator[tuple[int, str]]:
    """Each with the number of families that must have begun before. A lone orchestrator has both kinds."""
    families = plan.families_of_seat(seat)
    if seat % 3 == 0:
        yield int(families * rng.uniform(0.3, 0.45)), CRASH
    if seat % 3 == 1 or plan.orchestrators == 1:
        yield int(families * rng.uniform(0.5, 0.65)), HANG


def _beats_of(family: Family) -> Iterable[_Due]:
    told = family.story
    runs = [Run(family.ids[ROOT]), Run(family.ids[CHILD], parent=family.ids[ROOT]), Run(family.ids[STRANGER])]
    live = _Live(family, runs)
    return [(family.begins + beat.at, live, beat) for beat in told.beats]

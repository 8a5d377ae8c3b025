"""What is to become of a simulation, known without a broker and a worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .plan import Plan
from .seat import APPLIED, DUPLICATE, Claimed, Ended, Event, Incident, Seat


class Expected(NamedTuple):
    """statuses: by run id, at the end. rejections: from event id to code. duplicates: how many are published again."""

    statuses: dict[str, str]
    rejections: dict[str, str]
    duplicates: int


def expected(plan: Plan) -> Expected:
    """Takes some 10 µs an event."""
    statuses: dict[str, str] = {}
    rejections: dict[str, str] = {}
    duplicates = 0
    for seat in range(plan.orchestrators):
        for item in in_log(plan, seat):
            if isinstance(item, Ended):
                statuses[item.run_id] = item.status
            elif item.verdict == DUPLICATE:
                duplicates += 1
            elif item.verdict != APPLIED:
                rejections[item.record["event_id"]] = item.verdict
    return Expected(statuses, rejections, duplicates)


def in_log(plan: Plan, seat: int, start: int = 0) -> Iterator[Event | Ended]:
    """One seat's events in an order that the log may have: a zombie's are somewhere after the claims."""
    zombie: list[Event] = []
    for item in Seat(plan, seat, start).items():
        match item:
            case Incident():
                zombie = list(item.zombie)
            case Claimed():
                yield from zombie
            case _:
                yield item

"""Which fault comes when: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from tests.integration.harness import SESSION_S


class Kind(NamedTuple):
    """weight: how often, in proportion. shortest_s, longest_s: how long it lasts."""

    name: str
    weight: int
    shortest_s: float
    longest_s: float


KINDS = (
    Kind("worker killed", 4, 0, 3),
    Kind("worker frozen beyond its session", 2, SESSION_S + 2, SESSION_S + 8),
    Kind("worker left and another came", 2, 0, 3),
    Kind("worker killed and its state directory deleted", 2, 0, 3),
    Kind("broker killed", 2, 2, 12),
    Kind("broker frozen", 2, 2, 12),
    Kind("network cut", 2, 1, 15),
    Kind("network cut one way", 1, 1, 15),
    Kind("network slow", 1, 5, 15),
    Kind("connections torn", 2, 2, 6),
)


class Planned(NamedTuple):
    """at_s: since the beginning. target: for whom it is, as a number from which a worker or a broker is chosen."""

    at_s: float
    kind: str
    target: int
    lasts_s: float


def schedule(seed: int, seconds: float, faults_per_minute: float) -> Iterator[Planned]:
    """Each kind comes once, in an order of the seed's, before any comes again by its weight."""
    chance = random.Random(seed)
    first = chance.sample(KINDS, len(KINDS))
    at_s = 0.0
    while True:
        # never in step with commits, sessions, or each other
        at_s += chance.uniform(0.5, 1.5) * 60 / faults_per_minute
        kind = first.pop() if first else chance.choices(KINDS, [each.weight for each in KINDS])[0]
        planned = Planned(at_s, kind.name, chance.randrange(60), chance.uniform(kind.shortest_s, kind.longest_s))
        if at_s >= seconds:
            return
        yield planned

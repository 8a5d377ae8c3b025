"""What a schedule's parts share."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.simulation.clock import HostClock, SimClock
from tests.simulation.cluster import SimCluster
from tests.simulation.conditions import Conditions
from tests.simulation.engine import Engine
from tests.simulation.faults import CALM, Rates
from tests.simulation.store import Disk


class Scene:
    def __init__(self, rng: Random, conditions: Conditions, trace: Callable[[str], None] | None) -> None:
        self.rng = rng
        self.trace = trace
        self.clock = SimClock()
        self.cluster = SimCluster(rng, self.clock, conditions.partitions)
        self.engine = Engine(conditions)
        self.disks = [self.new_disk() for _ in range(rng.choice((1, 1, 2)))]
        level = conditions.faults
        self.rates = Rates(
            fail=level, unknown=level, crash=level / 4 * rng.random(), stall=conditions.stalls, lazy=level * 10
        )
        self.calm = False
        self.offsets_lost = False
        self.slept = False
        self.trimmed = False

    def new_disk(self) -> Disk:
        return Disk(HostClock(self.clock))

    def begin_calm(self) -> None:
        """From here on no call fails."""
        self.note("calm")
        self.calm = True
        self.rates = CALM
        self.cluster.transactions.rates = CALM
        self.cluster.registry_away_until = 0.0

    def note(self, message: str) -> None:
        if self.trace is not None:
            self.trace(f"{self.clock.now:9.3f} --- {message}")

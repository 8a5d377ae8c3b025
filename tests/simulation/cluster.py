"""The simulated broker and its background work."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.clock import SimClock
from tests.simulation.group import GroupCoordinator
from tests.simulation.log import PartitionLog
from tests.simulation.transactions import InvalidTxnState, ProducerFenced, TransactionCoordinator

if TYPE_CHECKING:
    from tests.simulation.consumer import SimConsumer
    from tests.simulation.process import SimProcess

KINDS = ("events", "state", "checkpoints", "outputs", "rejections")


class SimCluster:
    """Topics `<prefix>.events`, `.state`, `.checkpoints`, `.outputs` and `.rejections`, one group, one coordinator."""

    def __init__(self, rng: Random, clock: SimClock, partitions: int = 2, prefix: str = "sim") -> None:
        self.rng = rng
        self.clock = clock
        self.partitions = partitions
        self.prefix = prefix
        self.events = f"{prefix}.events"
        self.group = GroupCoordinator(rng, partitions)
        self.transactions = TransactionCoordinator(rng, clock, self.group)
        self.processes: list[SimProcess] = []
        self._logs = {
            (f"{prefix}.{kind}", partition): PartitionLog(f"{prefix}.{kind}", partition)
            for kind in KINDS
            for partition in range(partitions)
        }
        self.registry_away_until = 0.0
        self._requests: list[tuple[float, Callable[[], None]]] = []
        """Requests on their way to the broker, from connections that are gone."""

    def log(self, topic: str, partition: int) -> PartitionLog:
        return self._logs[topic, partition]

    def logs(self, kind: str) -> list[PartitionLog]:
        return [self._logs[f"{self.prefix}.{kind}", p] for p in range(self.partitions)]

    def later(self, delay_s: float, request: Callable[[], None]) -> None:
        self._requests.append((self.clock.now + delay_s, request))

    def wait(self, seconds: float) -> None:
        """Somebody waits: time passes, and everything in the background goes on."""
        self.clock.now += max(seconds, 0.0)
        self.run()

    def run(self) -> None:
        """Background work that is due: heartbeats and joins of the live processes first, then the coordinators."""
        now = self.clock.now
        for process in self.processes:
            if not process.paused:
                for consumer in process.consumers:
                    consumer.membership.run(now)
        self.group.expire(now)
        self.transactions.run(now)
        if self._requests:
            self._deliver(now)

    def _deliver(self, now: float) -> None:
        due = [request for at, request in self._requests if at <= now]
        self._requests = [(at, request) for at, request in self._requests if at > now]
        for request in due:
            try:
                request()
            except (ProducerFenced, InvalidTxnState):
                continue  # the answer goes to a connection that nobody listens on

    def forget(self, consumer: SimConsumer) -> None:
        """The consumer was closed."""
        for process in self.processes:
            if consumer in process.consumers:
                process.consumers.remove(consumer)

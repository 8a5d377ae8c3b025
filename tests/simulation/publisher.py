"""Those who publish events: an idempotent producer, and a transactional one that does not always commit."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.cluster import SimCluster
from tests.simulation.events import Appended
from tests.simulation.transactions import InvalidTxnState, ProducerFenced

TRANSACTIONAL_ID = "publisher"


class Publisher:
    def __init__(self, cluster: SimCluster, source: Callable[[], Appended]) -> None:
        self._cluster = cluster
        self._source = source
        self._epoch = cluster.transactions.init(TRANSACTIONAL_ID)
        self._open = False

    def publish(self, count: int) -> None:
        now = self._cluster.clock.now
        for _ in range(count):
            partition, key, value = self._source()
            self._cluster.log(self._cluster.events, partition).append((key, value, None), -1, now)

    def transact(self) -> None:
        """Begin a transaction, go on with it, or end it."""
        rng = self._cluster.rng
        if self._open and rng.random() < 0.6:
            self._finish(commit=rng.random() < 0.5)
            return
        try:
            for _ in range(rng.randrange(1, 5)):
                partition, key, value = self._source()
                log = self._cluster.log(self._cluster.events, partition)
                self._cluster.transactions.append(TRANSACTIONAL_ID, self._epoch, log, (key, value, None))
            self._open = True
        except ProducerFenced:  # its transaction has timed out
            self._renew()

    def _finish(self, *, commit: bool) -> None:
        self._open = False
        try:
            self._cluster.transactions.end(TRANSACTIONAL_ID, self._epoch, commit)
        except (ProducerFenced, InvalidTxnState):
            self._renew()

    def _renew(self) -> None:
        self._open = False
        self._epoch = self._cluster.transactions.init(TRANSACTIONAL_ID)

    def finish(self) -> None:
        """Leave nothing open."""
        if self._open:
            self._finish(commit=self._cluster.rng.random() < 0.5)
        self._renew()

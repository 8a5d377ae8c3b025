"""The transaction coordinator: producer epochs, fencing, time-outs, and markers that are not written all at once."""

from __future__ import annotations

from random import Random

from tests.simulation.clock import SimClock
from tests.simulation.faults import CALM, Rates
from tests.simulation.group import Committed, GroupCoordinator
from tests.simulation.log import Data, PartitionLog, Record

TRANSACTION_S = 10.0
"""transaction.timeout.ms"""
SCAN_S = 10.0
"""transaction.abort.timed.out.transaction.cleanup.interval.ms"""

EMPTY = 0
ONGOING = 1
PREPARED = 2
"""The outcome is decided, but some partitions have no marker yet."""


class ProducerFenced(Exception):
    """INVALID_PRODUCER_EPOCH or PRODUCER_FENCED."""


class InvalidTxnState(Exception):
    """INVALID_TXN_STATE: an outcome other than the one that was already decided."""


class Transaction:
    """A transactional id's producer and its current transaction."""

    __slots__ = ("commit", "epoch", "logs", "markers_at", "offsets", "producer", "started", "state")

    def __init__(self, producer: int) -> None:
        self.producer = producer
        self.epoch = -1
        self.state = EMPTY
        self.commit: bool | None = None
        self.started = 0.0
        self.markers_at = 0.0
        """When outstanding markers begin to be written: a broker that should may be away for seconds."""
        self.logs: list[PartitionLog | None] = []
        """Partitions that still need a marker; None stands for the group's offsets."""
        self.offsets: dict[int, Committed] = {}


class TransactionCoordinator:
    def __init__(self, rng: Random, clock: SimClock, group: GroupCoordinator) -> None:
        self.rates: Rates = CALM
        self._rng = rng
        self._clock = clock
        self._group = group
        self._transactions: dict[str, Transaction] = {}
        self._next_scan = SCAN_S

    def init(self, transactional_id: str) -> int:
        """InitProducerId: ends what the id has open, fences its older producers, returns the new epoch."""
        transaction = self._transactions.get(transactional_id)
        if transaction is None:
            transaction = self._transactions[transactional_id] = Transaction(len(self._transactions))
        self._settle(transaction)
        transaction.epoch += 1
        return transaction.epoch

    def _settle(self, transaction: Transaction) -> None:
        if transaction.state == ONGOING:
            self._prepare(transaction, commit=False)
        self._finish(transaction, len(transaction.logs))

    def _at(self, transactional_id: str, epoch: int) -> Transaction:
        transaction = self._transactions[transactional_id]
        if transaction.epoch != epoch:
            raise ProducerFenced(transactional_id)
        return transaction

    def _enter(self, transactional_id: str, epoch: int) -> Transaction:
        transaction = self._at(transactional_id, epoch)
        if transaction.state == PREPARED:
            # CONCURRENT_TRANSACTIONS, which the client retries until the markers are there.
            self._finish(transaction, len(transaction.logs))
        if transaction.state == EMPTY:
            transaction.state = ONGOING
            transaction.commit = None
            transaction.started = self._clock.now
        return transaction

    def append(self, transactional_id: str, epoch: int, log: PartitionLog, data: Data) -> Record:
        transaction = self._enter(transactional_id, epoch)
        if log not in transaction.logs:
            transaction.logs.append(log)
        return log.append(data, transaction.producer, self._clock.now)

    def add_offsets(self, transactional_id: str, epoch: int, offsets: dict[int, Committed]) -> None:
        transaction = self._enter(transactional_id, epoch)
        pending = self._group.pending
        for partition in offsets:
            if partition not in transaction.offsets:
                pending[partition] = pending.get(partition, 0) + 1
        transaction.offsets.update(offsets)
        if None not in transaction.logs:
            transaction.logs.append(None)

    def end(self, transactional_id: str, epoch: int, commit: bool) -> None:
        """EndTxn; repeating the outcome already decided is no error."""
        transaction = self._at(transactional_id, epoch)
        if transaction.state != ONGOING:
            if transaction.commit is not commit:
                raise InvalidTxnState(transactional_id)
            return
        self._prepare(transaction, commit)
        markers = len(transaction.logs)
        if self.rates.lazy and self._rng.random() < self.rates.lazy:
            markers = self._rng.randrange(markers)
            transaction.markers_at = self._clock.now + self._rng.choice((0.0, 0.0, 0.5, 5.0))
        self._finish(transaction, markers)

    def _prepare(self, transaction: Transaction, commit: bool) -> None:
        transaction.state = PREPARED
        transaction.commit = commit
        if len(transaction.logs) > 1:
            self._rng.shuffle(transaction.logs)

    def _finish(self, transaction: Transaction, markers: int) -> None:
        """Write that many markers."""
        if transaction.state != PREPARED:
            return
        commit = bool(transaction.commit)
        while markers and transaction.logs:
            markers -= 1
            log = transaction.logs.pop()
            if log is not None:
                log.end_transaction(transaction.producer, commit, self._clock.now)
                continue
            for partition, committed in transaction.offsets.items():
                self._group.pending[partition] -= 1
                if commit:
                    self._group.offsets[partition] = committed
            transaction.offsets = {}
        if not transaction.logs:
            transaction.state = EMPTY

    def run(self, now: float) -> None:
        """Background work: outstanding markers, and transactions whose time is over."""
        for transaction in self._transactions.values():
            if transaction.state == PREPARED and now >= transaction.markers_at:
                self._finish(transaction, 1 + self._rng.randrange(4))
        if now < self._next_scan:
            return
        self._next_scan = now + SCAN_S
        for transaction in self._transactions.values():
            if transaction.state == ONGOING and now - transaction.started >= TRANSACTION_S:
                self._settle(transaction)
                transaction.epoch += 1

    def open_transactions(self) -> list[str]:
        """Whose outcome is not decided. Of the others markers may be outstanding, which the brokers write by themselves."""
        return [name for name, t in self._transactions.items() if t.state == ONGOING]

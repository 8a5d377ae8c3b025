"""Ending what was judged: one transaction after the other, and what it leaves in the stores.

A transaction has its records when begin() returns; while it is delivered and committed, what has arrived meanwhile is
judged (a fifth more events/s at a commit interval of 100 ms). One at a time is under way.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException

from ..errors import Connection, CorruptStore, OffsetMismatch, StateError
from ..kafka.interface import Kafka
from ..store.interface import Positions
from .clock import Clock
from .config import WorkerConfig
from .outputs import Record
from .partitions import Partitions
from .progress import Stages
from .same_topics import SameTopics
from .task import PartitionTask
from .transaction import Batch, Outcome, Pending, Transactions

log = logging.getLogger(__name__)

ABORTED_PAUSE_S = 0.1
"""Before a lone event is tried again: most aborts are a rebalance that is not over."""

Changes = Iterable[tuple[bytes, bytes | None]]
"""Of a store."""


class _Work(NamedTuple):
    """What a partition has in a transaction. position: of the input. states and contexts: for the store."""

    task: PartitionTask
    position: int
    states: list[Record]
    contexts: dict[bytes, bytes | None]


class _UnderWay(NamedTuple):
    """A transaction that has all its records. began: when, of the clock's seconds."""

    pending: Pending
    work: dict[int, _Work]
    began: float


class Commits:
    """Of one worker's partitions."""

    def __init__(
        self, kafka: Kafka, clock: Clock, config: WorkerConfig, partitions: Partitions, transactions: Transactions,
        same_topics: SameTopics, stages: Stages,
    ) -> None:  # fmt: skip
        self._kafka = kafka
        self._clock = clock
        self._config = config
        self._partitions = partitions
        self._transactions = transactions
        self._same_topics = same_topics
        self._stages = stages
        self._under_way: _UnderWay | None = None
        self.number = 0
        """How many there were."""
        self.not_before = 0.0
        """A commit because nothing more has come waits until here, half as long as the last one took: its markers are not
        written yet, and the brokers would have the next one's records wait 20 ms for them."""

    @property
    def is_under_way(self) -> bool:
        return self._under_way is not None

    def begin(self) -> None:
        """Put what was judged into a transaction, when the last one is over."""
        self.settle()
        tasks = {p: task for p, task in self._partitions.tasks.items() if task.uncommitted}
        if not tasks:
            return
        began = self._clock.monotonic()
        work = {p: _Work(task, task.position, [], task.contexts()) for p, task in tasks.items()}
        offsets = {p: each.position for p, each in work.items()}
        topics = self._config.topics
        batches = [
            batch
            for p, task in tasks.items()
            for batch in (
                Batch(topics.outputs, p, task.outputs(), kept=True),
                Batch(topics.checkpoints, p, task.checkpoints()),
                Batch(topics.rejections, p, task.rejections()),
                Batch(topics.state, p, _noted(task.states(), work[p].states), kept=True),
            )
        ]
        try:
            pending = self._transactions.run(batches, offsets, topics.events, self._partitions.generation)
        except (Connection, KafkaException) as error:
            self._open_again(tasks, error)
            return
        self._stages.spent("transaction", began)
        if pending is None:
            self._go_back(tasks)
            return
        for task in tasks.values():
            task.seal()
        self._under_way = _UnderWay(pending, work, began)

    def settle(self) -> None:
        """Wait for the transaction that is under way, if one is: it is in the store, or forgotten and fetched again."""
        if self._under_way is None:
            return
        waited = self._clock.monotonic()
        pending, sent, began = self._under_way
        self._under_way = None
        # of a partition that was lost meanwhile, or is being opened again, others know how it ended
        tasks = {p: each.task for p, each in sent.items() if self._partitions.tasks.get(p) is each.task}
        try:
            outcome, delivered = pending.result()
            if outcome is Outcome.UNKNOWN:
                outcome = self._settled_outcome({p: sent[p].position for p in tasks})
        except (Connection, KafkaException) as error:
            self._open_again(tasks, error)
            return
        over = self._stages.spent("transaction", waited)
        if outcome is Outcome.ABORTED:
            self._go_back(tasks)
            return
        for p, task in tasks.items():
            _, position, states, contexts = sent[p]
            self._write(p, position, ((r.key or b"", r.value) for r in states), delivered, contexts.items())
            task.commit()
        self.number += 1
        now = self._stages.spent("store", over)
        self.not_before = now + (now - began) / 2

    def forget(self) -> None:
        """Wait for the one that is under way, if one is, however it ends: nobody here goes on."""
        if self._under_way is None:
            return
        pending, self._under_way = self._under_way.pending, None
        try:
            pending.result()
        except (StateError, KafkaException) as error:
            log.warning("commit: %s", error)

    def note_level(self) -> None:
        """The stores, that they are level with the state topic."""
        for p, task in list(self._partitions.tasks.items()):
            self._write(p, task.committed, (), {})

    def _open_again(self, tasks: Iterable[int], reason: Exception) -> None:
        """No producer can be had, or nobody tells how it ended: that is found out when they are opened."""
        log.warning("commit: %s; the partitions are opened again", reason)
        for p in tasks:
            self._partitions.reopen(p, after_s=ABORTED_PAUSE_S)

    def _settled_outcome(self, offsets: dict[int, int]) -> Outcome:
        """Of a transaction that is over, though how was not answered: the group's stable offsets tell.

        Raises errors.Connection where they are neither what was sent nor what was there before, and KafkaException.
        """
        tasks = self._partitions.tasks
        found = self._kafka.group_offsets(list(offsets))
        ours = self._config.transactional_id
        if all(found[p].offset == offset and found[p].owner == ours for p, offset in offsets.items()):
            return Outcome.COMMITTED
        if all(found[p].offset == tasks[p].committed for p in offsets):
            return Outcome.ABORTED
        raise Connection("the group's offsets tell neither a commit nor an abort")

    def _go_back(self, tasks: dict[int, PartitionTask]) -> None:
        """The consumer has moved on; without the seek the aborted records would be lost."""
        self._same_topics.look_soon()
        self.not_before = self._clock.monotonic() + ABORTED_PAUSE_S
        for p, task in tasks.items():
            self._partitions.fetch_from(p, task.rollback())

    def _write(
        self, partition: int, position: int, states: Changes, delivered: Mapping[tuple[str, int], int],
        contexts: Changes = (),
    ) -> None:  # fmt: skip
        """position: of the input; what lies before it is committed."""
        task, before = self._partitions.tasks[partition], self._partitions.positions[partition]
        topics = self._config.topics
        state_end = delivered.get((topics.state, partition))
        if state_end is not None and state_end <= before.state:
            self._refuse_other_log(partition, before.state, state_end)
        state = before.state if state_end is None else state_end
        outputs = delivered.get((topics.outputs, partition), before.outputs)
        positions = Positions(position, state, self._clock.time(), outputs)
        try:
            task.store.write(states, positions, contexts)
        except CorruptStore as error:
            self._partitions.restore(partition, error)
        else:
            self._partitions.positions[partition] = positions

    def _refuse_other_log(self, partition: int, known: int, end: int) -> None:
        """Before the store notes it, so that it is found out again at the next start."""
        raise OffsetMismatch(
            f"{self._config.topics.state}[{partition}] takes records at {end - 1}, and the store has read it up to {known}: "
            "the topic has lost records, or was made anew; rebuild the states from the event log into a new topic set "
            "(rebuild --into), or remove the store to go on with what the topic has"
        )


def _noted(records: Iterable[Record], into: list[Record]) -> Iterator[Record]:
    for record in records:
        into.append(record)
        yield record

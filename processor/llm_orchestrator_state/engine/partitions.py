"""The partitions that the group gives to a worker: on their way to a task, at work, and on their way out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from ..errors import Connection, CorruptStore, NotAllowed, StoreLocked
from ..kafka.failures import as_state_error, is_refusal
from ..kafka.interface import GroupConsumer, Kafka
from ..store.interface import Positions, Store, Stores
from .clock import Clock
from .config import WorkerConfig
from .counts import Counts
from .recovery import Recovered, Recovery, Wait
from .restoring import SoFar
from .task import PartitionTask
from .transaction import Outcome, Transactions

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""After a failed opening, or while a schema registry does not answer."""

LEAVE_S = 2.0
"""For the group to call back after unsubscribe(); it takes milliseconds."""


class _Opening:
    """A partition on its way to a task."""

    def __init__(self, steps: Wait, not_before: float = 0.0) -> None:
        self.steps = steps
        self.not_before = not_before
        self.recovered: Recovered | None = None


class Partitions:
    """Serves the group's rebalance callbacks (classic protocol, cooperative-sticky, static membership).

    Stores are opened and closed by advance(), which the loop calls, not from within the callbacks: these hold up the
    whole group.

    commit: ends what is uncommitted, whichever way; it is called before partitions are given back.
    """

    def __init__(
        self,
        kafka: Kafka,
        stores: Stores,
        clock: Clock,
        config: WorkerConfig,
        transactions: Transactions,
        commit: Callable[[], None],
    ) -> None:
        self.tasks: dict[int, PartitionTask] = {}
        self.positions: dict[int, Positions] = {}
        """Of the stores of the tasks."""
        self.generation: object = None
        """The group's metadata as of the last rebalance that this thread was told of. Read at the commit, it may be
        that of no generation, which is not fenced: two owners could both commit."""
        self._assigned_once = False
        self.restored = 0
        """State records read from the state topic."""
        self.counts_of_gone = Counts()
        self._topic = config.topics.events
        self._clock = clock
        self._config = config
        self._transactions = transactions
        self._commit = commit
        self._recovery = Recovery(kafka, stores, clock, config)
        self._openings: dict[int, _Opening] = {}
        self._waiting: dict[int, float] = {}
        self._fetched: set[int] = set()
        """Given to the consumer."""
        self._to_close: list[Store] = []
        self._kafka = kafka
        self._consumer = self._joining()

    def _joining(self) -> GroupConsumer:
        consumer = self._kafka.group_consumer()
        consumer.subscribe([self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
        return consumer

    @property
    def consumer(self) -> GroupConsumer:
        """The group's consumer: poll it, and the callbacks are called."""
        return self._consumer

    @property
    def settled(self) -> bool:
        """Whether the group has answered, and every partition that it gave is at work."""
        return self._assigned_once and not self._openings and not self._waiting

    @property
    def opening(self) -> tuple[int, ...]:
        return tuple(sorted(self._openings))

    @property
    def restoring(self) -> dict[int, SoFar]:
        return {partition: each.so_far for partition, each in self._recovery.restoring.items()}

    def task(self, partition: int) -> PartitionTask | None:
        """None for one whose records are not wanted now: they are fetched again, from where its task goes on."""
        return None if partition in self._waiting else self.tasks.get(partition)

    def _has_room(self) -> bool:
        uncommitted = [task.uncommitted_bytes for task in self.tasks.values() if task.uncommitted]
        return sum(uncommitted) < self._config.uncommitted_bytes

    def idle_s(self) -> float:
        """For how long there is nothing to do for advance()."""
        until = [opening.not_before for opening in self._openings.values()] + list(self._waiting.values())
        return max(0.0, min(until) - self._clock.monotonic()) if until else float("inf")

    def advance(self) -> None:
        """A little of what is due: closing, opening, going on. Raises what stops a worker: errors.StateError."""
        self._close_stores()
        now = self._clock.monotonic()
        for partition, until in list(self._waiting.items()):
            if now >= until:
                del self._waiting[partition]
                self.fetch_from(partition, self.tasks[partition].position)
        for partition, opening in list(self._openings.items()):
            if self._clock.monotonic() >= opening.not_before:
                self._advance(partition, opening)

    def fetch_from(self, partition: int, offset: int) -> None:
        """The consumer goes on there; where it cannot, the partition is opened anew."""
        where = TopicPartition(self._topic, partition, offset)
        try:
            if partition in self._fetched:
                self._consumer.seek(where)
            else:
                self._consumer.incremental_assign([where])
                self._fetched.add(partition)
            # also of one just assigned: a pause outlives a revocation
            self._consumer.resume([where])
        except KafkaException as error:
            log.warning("partition %d: no fetching from %d: %s", partition, offset, error)
            self.reopen(partition)

    def reopen(self, partition: int, *, damaged: bool = False, after_s: float = 0.0) -> None:
        """The start-up path again. What was fetched has no task and is dropped."""
        self._forget(partition)
        self._pause(partition)
        not_before = self._clock.monotonic() + after_s
        self._openings[partition] = _Opening(self._recovery.open(partition, damaged=damaged), not_before)

    def restore(self, partition: int, reason: CorruptStore) -> None:
        """Its store is damaged: it is moved aside, and the states are read from the state topic."""
        log.error("partition %d: %s; restoring it", partition, reason)
        self.reopen(partition, damaged=True)

    def wait(self, partition: int, reason: Connection) -> None:
        """Outside a transaction: the other partitions go on."""
        log.warning("partition %d waits: %s", partition, reason)
        self._pause(partition)
        self._waiting[partition] = self._clock.monotonic() + RETRY_S

    def rejoin(self) -> None:
        """With a new consumer: what is uncommitted is forgotten, and all is opened again."""
        self._forget_all()
        self._consumer.close()
        self._forget_all()  # also what closing was told to have been assigned: that membership is over
        self.generation = None
        self._fetched.clear()
        self._consumer = self._joining()

    def _pause(self, partition: int) -> None:
        """Where it cannot be paused, what it fetches is dropped until fetch_from()."""
        if partition not in self._fetched:
            return
        try:
            self._consumer.pause([TopicPartition(self._topic, partition)])
        except KafkaException as error:
            log.warning("partition %d: no pause: %s", partition, error)

    def leave(self, *, keep_membership: bool) -> None:
        """Give all partitions back so that the others have them at once, and close the stores.

        A static member's close() alone does not leave the group: the others would wait for the session time-out.
        """
        if not keep_membership:
            self._consumer.unsubscribe()
            deadline = self._clock.monotonic() + LEAVE_S
            while (self.tasks or self._openings) and self._clock.monotonic() < deadline:
                self._consumer.poll(0.05)
        self._forget_all()
        self._consumer.close()
        self._close_stores()

    def _close_stores(self) -> None:
        while self._to_close:
            self._to_close.pop().close()

    # --- the group's callbacks, called from within poll() and consume() ----------------------------------------------

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Called at the end of every rebalance, also with nothing (cooperative: what we had, we keep)."""
        self._read_generation(consumer)
        self._assigned_once = True
        # Fetched when the store says where to go on, not before: from "the end", an answer that comes after a seek wins
        # over it (on a busy machine one start in ten skipped events), and from an offset that the log does not have,
        # the fetcher may stop after the seek
        consumer.incremental_assign([])
        for p in partitions:
            self._openings[p.partition] = _Opening(self._recovery.open(p.partition))

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._commit()
        self._let_go(consumer, partitions)

    def _on_lost(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Somebody else has them already: what is uncommitted is forgotten."""
        self._let_go(consumer, partitions)

    def _read_generation(self, consumer: Any) -> None:
        metadata = consumer.consumer_group_metadata()
        # one that was thrown out since has no member id, and what it sends without a generation a group that is
        # empty by then does not refuse
        self.generation = metadata if consumer.memberid() else None

    def _let_go(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign([p for p in partitions if p.partition in self._fetched])
        self._fetched -= {p.partition for p in partitions}
        # the new generation has begun, and what we keep is committed under it; on_assign may be long in coming
        self._read_generation(consumer)
        for p in partitions:
            self._forget(p.partition)

    def _forget_all(self) -> None:
        for partition in [*self.tasks, *self._openings]:
            self._forget(partition)

    def _forget(self, partition: int) -> None:
        self._waiting.pop(partition, None)
        self.positions.pop(partition, None)
        if task := self.tasks.pop(partition, None):
            self.counts_of_gone.add(task.counts)
            self._to_close.append(task.store)
        if opening := self._openings.pop(partition, None):
            opening.steps.close()
            if opening.recovered:
                self._to_close.append(opening.recovered.store)

    # --- from an assigned partition to a task ------------------------------------------------------------------------

    def _advance(self, partition: int, opening: _Opening) -> None:
        try:
            if opening.recovered is None:
                # ours alone can have a transaction open that nobody else ends: we are a live member
                self._transactions.ready()
                opening.not_before = self._clock.monotonic() + next(opening.steps)
            else:
                self._begin(partition, opening.recovered)
        except StopIteration as done:
            opening.recovered = done.value
        except NotAllowed:
            raise
        except (Connection, KafkaException, StoreLocked) as error:
            if isinstance(error, KafkaException) and is_refusal(error.args[0]):
                raise as_state_error(error, f"opening partition {partition}") from error
            log.warning("partition %d: %s; trying again", partition, error)
            self.reopen(partition, after_s=RETRY_S)
        except CorruptStore as error:
            self.restore(partition, error)

    def _begin(self, partition: int, recovered: Recovered) -> None:
        self._commit()  # nothing else is under way while it is claimed
        position, config = recovered.position, self._config
        # the claim: the unchanged offset, committed once before the first record, so that its metadata names us
        claim = self._transactions.run((), {partition: position}, self._topic, self.generation)
        if claim is None or claim.result().outcome is not Outcome.COMMITTED:
            raise Connection("it could not be claimed yet")
        recovered.store.write((), recovered.positions)
        del self._openings[partition]
        self.tasks[partition] = PartitionTask(
            config.topics.events,
            partition,
            config.format.partitions,
            config.format.checkpoints,
            config.codec,
            recovered.store,
            position,
            config.cache_bytes // config.format.partitions,
            self._has_room,
            config.format.inline_limit,
        )
        self.positions[partition] = recovered.positions
        self.restored += recovered.restored
        log.info("partition %d: from offset %d, %d restored", partition, position, recovered.restored)
        self.fetch_from(partition, position)

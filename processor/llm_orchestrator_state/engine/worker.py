"""The processor: one loop over the partitions that the group gives to this worker.

poll -> judge (task) -> transaction -> store. step() is one turn of it; everything from outside comes as an argument.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ..errors import Configuration, Connection, Fenced, OffsetMismatch
from ..kafka.interface import Kafka, Message
from ..store.interface import Positions, Store, Stores
from .clock import Clock
from .config import WorkerConfig
from .recovery import Recovered, Recovery, Wait
from .task import PartitionTask
from .transaction import Batch, Outcome, Transactions

log = logging.getLogger(__name__)

MAX_BATCH = 2_000
"""Records judged between two looks at the clock: about 30 ms of work."""

MAX_UNCOMMITTED_BYTES = 64 * 1024 * 1024
"""Input judged in one transaction; a flood of large events is committed before the interval is over."""

RETRY_S = 1.0
"""After a failed opening, or while a schema registry does not answer."""

NOTE_LEVEL_S = 60.0
"""How often an idle store notes that it is level with the state topic."""


class Progress(NamedTuple):
    """A snapshot of what the worker has done and has in hand."""

    partitions: tuple[int, ...]
    opening: tuple[int, ...]
    applied: int
    duplicate: int
    rejected: dict[str, int]
    restored: int
    commits: int
    positions: dict[int, int]


class _Opening:
    """A partition on its way to a task."""

    def __init__(self, steps: Wait) -> None:
        self.steps = steps
        self.not_before = 0.0
        self.recovered: Recovered | None = None


class Worker:
    """One member of the processor's group. Not thread-safe: one thread calls step() until it is time to close()."""

    def __init__(self, kafka: Kafka, stores: Stores, clock: Clock, config: WorkerConfig) -> None:
        self._clock = clock
        self._config = config
        self._kafka = kafka
        self._recovery = Recovery(kafka, stores, clock, config)
        self._transactions = Transactions(kafka, config.transactional_id, clock)
        self._tasks: dict[int, PartitionTask] = {}
        self._state_positions: dict[int, Positions] = {}
        self._openings: dict[int, _Opening] = {}
        self._waiting: dict[int, float] = {}
        self._to_close: list[Store] = []
        # the group's metadata as of the last rebalance that this thread was told of. Read at the commit, it may be
        # that of no generation, which is not fenced: two owners could both commit
        self._generation: object = None
        self._assigned_once = False
        self._unit_began: float | None = None
        self._unit_bytes = 0
        self._last_commit_s = 0.0
        self._drained_commit_at = 0.0
        self._note_level_at = clock.monotonic() + NOTE_LEVEL_S
        self._restored = 0
        self._commits = 0
        self._gone = PartitionCounts()
        self._consumer = kafka.group_consumer()
        self._consumer.subscribe(
            [config.topics.events], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        gc.freeze()

    # --- the loop -----------------------------------------------------------------------------------------------------

    def step(self, max_wait_s: float) -> None:
        """One turn: open what is to be opened, judge what has arrived, commit when it is time.

        Waits at most max_wait_s seconds for something to arrive. Raises what stops a worker: errors.StateError.
        """
        self._close_stores()
        self._advance_openings()
        self._end_waiting()
        messages = self._fetch(max_wait_s)
        self._process(messages)
        self._commit_if_due(drained=not messages)
        self._note_level()

    def _fetch(self, max_wait_s: float) -> list[Message]:
        now = self._clock.monotonic()
        wait = max_wait_s
        if self._openings:
            wait = max(0.0, min(wait, min(o.not_before for o in self._openings.values()) - now))
        if self._unit_began is not None:
            wait = max(0.0, min(wait, min(self._drained_commit_at, self._unit_began + self._interval) - now))
        first = self._consumer.poll(wait) if wait > 0 else None
        if wait > 0 and first is None:
            return []
        messages = self._consumer.consume(MAX_BATCH, 0)
        return [first, *messages] if first is not None else messages

    @property
    def _interval(self) -> float:
        return self._config.commit_interval_s

    def _process(self, messages: list[Message]) -> None:
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            if error := message.error():
                self._consumer_error(error, message)
                continue
            partition = message.partition()
            batch = by_partition.get(partition)
            if batch is None:
                by_partition[partition] = [message]
            else:
                batch.append(message)
        for partition, batch in by_partition.items():
            task = self._tasks.get(partition)
            if task is None:
                continue  # fetched before the partition was given away
            if self._unit_began is None:
                self._unit_began = self._clock.monotonic()
                self._unit_bytes = 0
            self._unit_bytes += sum(len(message.value() or b"") for message in batch)
            try:
                task.process(batch)
            except Connection as error:
                self._wait(partition, error)

    # --- committing ---------------------------------------------------------------------------------------------------

    def _commit_if_due(self, *, drained: bool) -> None:
        if self._unit_began is None:
            return
        now = self._clock.monotonic()
        if (
            now - self._unit_began >= self._interval
            or (drained and now >= self._drained_commit_at)
            or self._unit_bytes >= MAX_UNCOMMITTED_BYTES
        ):
            self._commit()

    def _commit(self) -> None:
        """Commit what was judged, or forget it and go back to where the stores are."""
        if self._unit_began is None:
            return
        began = self._clock.monotonic()
        self._unit_began = None
        tasks = {p: task for p, task in self._tasks.items() if task.uncommitted}
        if not tasks:
            return
        changes = {p: task.changes() for p, task in tasks.items()}
        offsets = {p: task.position for p, task in tasks.items()}
        topics = self._config.topics
        batches = [
            batch
            for p, change in changes.items()
            for batch in (
                Batch(topics.checkpoints, p, change.checkpoints),
                Batch(topics.rejections, p, change.rejections),
                Batch(topics.state, p, change.states, kept=True),
            )
            if batch.records
        ]
        outcome, delivered = self._run(batches, offsets)
        if outcome is Outcome.UNKNOWN:
            outcome = self._settled_outcome(offsets)
        if outcome is Outcome.ABORTED:
            self._go_back(tasks)
            return
        for p, task in tasks.items():
            self._note(p, delivered.get(p), ((r.key or b"", r.value) for r in changes[p].states))
            task.commit()
        self._commits += 1
        now = self._clock.monotonic()
        self._last_commit_s = now - began
        self._drained_commit_at = now + self._last_commit_s

    def _run(self, batches: Iterable[Batch], offsets: dict[int, int]) -> tuple[Outcome, dict[int, int]]:
        if self._generation is None:
            return Outcome.ABORTED, {}
        return self._transactions.run(batches, offsets, self._config.topics.events, self._generation)

    def _note(self, partition: int, state: int | None, states: Iterable[tuple[bytes, bytes | None]]) -> None:
        positions = Positions(
            self._tasks[partition].position,
            self._state_positions[partition].state if state is None else state,
            self._clock.time(),
        )
        self._tasks[partition].store.write(states, positions)
        self._state_positions[partition] = positions

    def _settled_outcome(self, offsets: dict[int, int]) -> Outcome:
        """Of a transaction that is over, though how was not answered: by the group's stable offsets."""
        try:
            found = self._kafka.group_offsets(list(offsets))
        except KafkaException as error:
            log.warning("the group's offsets cannot be read: %s", error)
        else:
            ours = self._config.transactional_id
            if all(found[p].offset == offset and found[p].owner == ours for p, offset in offsets.items()):
                return Outcome.COMMITTED
            if all(found[p].offset == self._tasks[p].committed for p in offsets):
                return Outcome.ABORTED
        # neither what was sent nor what was there before, or no answer: find out from the start
        for p in offsets:
            self._reopen(p)
        return Outcome.ABORTED

    def _go_back(self, tasks: dict[int, PartitionTask]) -> None:
        """The consumer has moved on; without the seek the aborted records would be lost."""
        for p, task in tasks.items():
            if self._tasks.get(p) is task:
                self._consumer.seek(TopicPartition(self._config.topics.events, p, task.rollback()))

    def _note_level(self) -> None:
        now = self._clock.monotonic()
        if now < self._note_level_at:
            return
        self._note_level_at = now + NOTE_LEVEL_S
        for p, task in self._tasks.items():
            if not task.uncommitted:
                self._note(p, None, ())
        gc.collect()

    # --- partitions that come and go ------------------------------------------------------------------------------------

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Called at the end of every rebalance, also with nothing (cooperative-sticky: what we had, we keep)."""
        self._read_generation()
        self._assigned_once = True
        # at an offset that is never fetched from: paused, until the store says where to go on
        ours = [TopicPartition(p.topic, p.partition, 0) for p in partitions]
        consumer.incremental_assign(ours)
        consumer.pause(ours)
        for p in partitions:
            self._openings[p.partition] = _Opening(self._recovery.open(p.partition))

    def _read_generation(self) -> None:
        metadata = self._consumer.consumer_group_metadata()
        # one that was thrown out since has no member id, and what it sends without a generation a group that is
        # empty by then does not refuse
        self._generation = metadata if self._consumer.memberid() else None

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._commit()
        self._let_go(consumer, partitions)

    def _on_lost(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self._unit_began = None
        for task in self._tasks.values():
            task.rollback()
        self._let_go(consumer, partitions)

    def _let_go(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        for p in partitions:
            self._forget(p.partition)

    def _forget(self, partition: int) -> None:
        """The store is closed by the loop: not from within a rebalance callback, which must be quick."""
        self._waiting.pop(partition, None)
        self._state_positions.pop(partition, None)
        if task := self._tasks.pop(partition, None):
            self._gone.add(task)
            self._to_close.append(task.store)
        if opening := self._openings.pop(partition, None):
            if opening.recovered:
                self._to_close.append(opening.recovered.store)
            opening.steps.close()

    def _close_stores(self) -> None:
        while self._to_close:
            self._to_close.pop().close()

    def _reopen(self, partition: int) -> None:
        self._consumer.pause([TopicPartition(self._config.topics.events, partition)])
        self._forget(partition)
        self._openings[partition] = _Opening(self._recovery.open(partition))

    def _advance_openings(self) -> None:
        for partition, opening in list(self._openings.items()):
            if self._clock.monotonic() < opening.not_before:
                continue
            try:
                if opening.recovered is None:
                    opening.not_before = self._clock.monotonic() + next(opening.steps)
                else:
                    self._claim(partition, opening.recovered)
            except StopIteration as done:
                opening.recovered = done.value
            except (Connection, KafkaException) as error:
                log.warning("partition %d: %s; trying again", partition, error)
                opening.steps = self._recovery.open(partition)
                opening.not_before = self._clock.monotonic() + RETRY_S

    def _claim(self, partition: int, recovered: Recovered) -> None:
        """Commit the unchanged offset once, so that its metadata names this worker, before the first record."""
        position = recovered.position
        outcome, _ = self._run((), {partition: position})
        if outcome is not Outcome.COMMITTED:
            opening = self._openings[partition]
            recovered.store.close()
            opening.recovered = None
            opening.steps = self._recovery.open(partition)
            opening.not_before = self._clock.monotonic() + RETRY_S / 10
            return
        del self._openings[partition]
        recovered.store.write((), recovered.positions)
        config = self._config
        self._tasks[partition] = PartitionTask(
            config.topics.events, partition, config.format.partitions, config.format.checkpoints, config.codec,
            recovered.store, position, config.cache_bytes // config.format.partitions,
        )  # fmt: skip
        self._state_positions[partition] = recovered.positions
        self._restored += recovered.restored
        where = TopicPartition(config.topics.events, partition, position)
        self._consumer.seek(where)
        self._consumer.resume([where])
        log.info("partition %d: from offset %d, %d restored", partition, position, recovered.restored)

    # --- a registry that does not answer ---------------------------------------------------------------------------------

    def _wait(self, partition: int, error: Connection) -> None:
        """Outside a transaction: what precedes is committed, the partition pauses, the others go on."""
        log.warning("partition %d waits: %s", partition, error)
        where = TopicPartition(self._config.topics.events, partition, self._tasks[partition].position)
        self._consumer.pause([where])
        self._consumer.seek(where)
        self._waiting[partition] = self._clock.monotonic() + RETRY_S

    def _end_waiting(self) -> None:
        now = self._clock.monotonic()
        for partition, until in list(self._waiting.items()):
            if now >= until:
                del self._waiting[partition]
                self._consumer.resume([TopicPartition(self._config.topics.events, partition)])

    # --- errors, end, and what is inside ----------------------------------------------------------------------------------

    def _consumer_error(self, error: KafkaError, message: Message) -> None:
        code = error.code()
        if code == KafkaError.FENCED_INSTANCE_ID or error.fatal():
            raise Fenced(f"the group refuses this worker ({error.str()}): another one has its instance_id")
        if code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):  # noqa: SLF001
            raise OffsetMismatch(
                f"{self._config.topics.events}[{message.partition()}]: the position is outside the log "
                f"({error.str()}); the log was trimmed or made anew under a running worker"
            )
        if code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            raise Configuration(f"not allowed: {error.str()}; see the README for the ACLs that a worker needs")
        log.warning("consumer: %s", error.str())

    def at_end(self, ends: dict[int, int]) -> bool:
        """Whether every partition that this worker has is past the given offsets, and nothing is uncommitted."""
        if not self._assigned_once or self._openings or self._unit_began is not None:
            return False
        topic = self._config.topics.events
        at = self._consumer.position([TopicPartition(topic, p) for p in self._tasks])
        # by position: it passes the control records of a transactional publisher, which no record follows
        return all(max(p.offset, self._tasks[p.partition].position) >= ends.get(p.partition, 0) for p in at)

    def progress(self) -> Progress:
        tasks = self._tasks
        total = self._gone.plus(tasks.values())
        return Progress(
            tuple(sorted(tasks)), tuple(sorted(self._openings)), total.applied, total.duplicate, total.rejected,
            self._restored, self._commits, {p: task.position for p, task in tasks.items()},
        )  # fmt: skip

    def close(self) -> None:
        """Finish the transaction, leave the group at once, and close the stores."""
        self._commit()
        self._consumer.unsubscribe()
        deadline = self._clock.monotonic() + 2.0
        while (self._tasks or self._openings) and self._clock.monotonic() < deadline:
            self._consumer.poll(0.05)
        for partition in [*self._tasks, *self._openings]:
            self._forget(partition)
        self._consumer.close()
        self._close_stores()


class PartitionCounts:
    """Events by verdict, of partitions that are gone."""

    def __init__(self) -> None:
        self.applied = 0
        self.duplicate = 0
        self.rejected: dict[str, int] = {}

    def add(self, task: PartitionTask) -> None:
        self.applied += task.counts.applied
        self.duplicate += task.counts.duplicate
        for code, number in task.counts.rejected.items():
            self.rejected[code.value] = self.rejected.get(code.value, 0) + number

    def plus(self, tasks: Iterable[PartitionTask]) -> PartitionCounts:
        total = PartitionCounts()
        total.applied, total.duplicate, total.rejected = self.applied, self.duplicate, dict(self.rejected)
        for task in tasks:
            total.add(task)
        return total

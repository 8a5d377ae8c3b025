"""The processor: one loop over the partitions that the group gives to this worker.

poll -> judge (task) -> transaction -> store. step() is one turn of it; everything from outside comes as an argument.

A transaction has its records when the loop goes on; while it is delivered and committed, what has arrived meanwhile is
judged (a fifth more events/s at a commit interval of 100 ms). One at a time is under way, and where nothing arrives it is
waited for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ..errors import Connection, CorruptStore, Fenced, OffsetMismatch
from ..kafka import codes
from ..kafka.interface import Kafka, Message
from ..store.interface import Positions, Stores
from .clock import Clock
from .config import WorkerConfig
from .counts import Counts
from .outputs import Record
from .partitions import Partitions
from .progress import STAGES, Progress
from .same_topics import SameTopics
from .task import PartitionTask
from .transaction import Background, Batch, Outcome, Pending, Transactions

log = logging.getLogger(__name__)

BATCH_RATE = 50_000
"""Records a second that a batch is made for: one batch is judged within a commit interval, and the more records of one
run it has, the better (see task.py)."""

MIN_BATCH, MAX_BATCH = 2_000, 50_000

ABORTED_PAUSE_S = 0.1
"""Before a lone event is tried again: most aborts are a rebalance that is not over."""

RIVAL_S = 60.0
"""Fenced twice within this time, a worker has a rival."""

ASK_OTHERS_S = 0.5
"""Between two looks at how far the group is, at the end of a log whose other partitions are somebody else's."""

NOTE_LEVEL_S = 60.0
"""How often an idle store notes that it is level with the state topic."""


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


class Worker:
    """One member of the processor's group. Not thread-safe: one thread calls step() until it is time to close()."""

    def __init__(
        self, kafka: Kafka, stores: Stores, clock: Clock, config: WorkerConfig, background: Background | None = None
    ) -> None:
        self._kafka = kafka
        self._clock = clock
        self._config = config
        self._batch = max(MIN_BATCH, min(MAX_BATCH, int(config.commit_interval_s * BATCH_RATE)))
        self._commits = 0
        self._failed = False
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._uncommitted_since: float | None = None
        """When the first uncommitted record was judged."""
        self._ask_others_at = 0.0
        self._fenced_at = -RIVAL_S
        self._drained_commit_at = 0.0
        """A commit because nothing more has come waits until here: half as long as the last one took."""
        self._note_level_at = clock.monotonic() + NOTE_LEVEL_S
        self._same_topics = SameTopics(kafka, clock, config.topics)
        self._under_way: _UnderWay | None = None
        self._transactions = Transactions(kafka, config.transactional_id, clock, background or _thread())
        self._partitions = Partitions(kafka, stores, clock, config, self._transactions, self._commit)

    def step(self, max_wait_s: float) -> None:
        """One turn: open what is to be opened, judge what has arrived, commit when it is time.

        Waits at most max_wait_s seconds for something to arrive. Raises what stops a worker: errors.StateError.
        """
        self._failed = True  # unless this turn comes to its end
        self._same_topics.look()
        if self._partitions.opening:
            self._settle()  # they are claimed in a transaction of their own
        self._partitions.advance()
        first = self._wait_for_one(max_wait_s)
        if first is not None:
            # judged before the next call: a rebalance within that one may go back behind it
            self._process([first])
        began = self._clock.monotonic()
        messages = self._partitions.consumer.consume(self._batch, 0)
        self._spent("poll", began)
        self._process(messages)
        drained = first is None and not messages
        if drained:
            self._settle()
        self._commit_if_due(drained=drained)
        self._note_level_if_due()
        self._failed = False

    def close(self, *, keep_membership: bool = False) -> None:
        """Finish the transaction, leave the group at once, and close the stores.

        keep_membership: stay in the group until the session time-out, for a restart that gets its partitions back
        without a rebalance.

        What a failed step had judged is forgotten instead: it may be committed already, and only the store's disk full.
        """
        if self._failed:
            if self._under_way:
                self._under_way.pending.result()
                self._under_way = None
            for task in self._partitions.tasks.values():
                task.rollback()
        self._commit()
        self._partitions.leave(keep_membership=keep_membership)

    def at_end(self, ends: dict[int, int]) -> bool:
        """Whether all is judged and committed up to the given offsets: by this worker, and by those that have the other
        partitions. Raises KafkaException.
        """
        if not self._partitions.settled or self._uncommitted_since is not None or self._under_way:
            return False
        tasks = self._partitions.tasks
        at = self._partitions.consumer.position([TopicPartition(self._config.topics.events, p) for p in tasks])
        # by position: it passes the control records of a transactional publisher, which no record follows
        if any(max(p.offset, tasks[p.partition].position) < ends.get(p.partition, 0) for p in at):
            return False
        return self._others_at_end({p: end for p, end in ends.items() if p not in tasks and end > 0})

    def _others_at_end(self, ends: dict[int, int]) -> bool:
        now = self._clock.monotonic()
        if not ends:
            return True
        if now < self._ask_others_at:
            return False
        self._ask_others_at = now + ASK_OTHERS_S
        offsets = self._kafka.group_offsets(list(ends))
        return all((offsets[p].offset or 0) >= end for p, end in ends.items())

    def progress(self) -> Progress:
        partitions = self._partitions
        counts = Counts()
        counts.add(partitions.counts_of_gone)
        for task in partitions.tasks.values():
            counts.add(task.counts)
        positions = {p: task.position for p, task in sorted(partitions.tasks.items())}
        return Progress(
            tuple(positions),
            partitions.opening,
            counts,
            partitions.restored,
            self._commits,
            positions,
            dict(self._seconds),
        )

    def _spent(self, stage: str, began: float) -> float:
        """Adds up the time of a stage, once a batch; returns when the next one begins."""
        now = self._clock.monotonic()
        self._seconds[stage] += now - began
        return now

    # --- judging -----------------------------------------------------------------------------------------------------

    def _wait_for_one(self, max_wait_s: float) -> Message | None:
        """consume() waits until its batch is full or the time is over; poll() returns with the first record."""
        if self._under_way:
            return None
        began = self._clock.monotonic()
        wait = min(max_wait_s, self._partitions.idle_s())
        if self._uncommitted_since is not None:
            due = min(self._drained_commit_at, self._uncommitted_since + self._config.commit_interval_s)
            wait = min(wait, due - began)
        message = self._partitions.consumer.poll(wait) if wait > 0 else None
        self._spent("poll", began)
        return message

    def _process(self, messages: list[Message]) -> None:
        began = self._clock.monotonic()
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            if message.error():
                self._consumer_error(message)
                continue
            partition = message.partition()
            if partition in by_partition:
                by_partition[partition].append(message)
            else:
                by_partition[partition] = [message]
        begins = {p: (task, task.position) for p in by_partition if (task := self._partitions.task(p))}
        for partition, batch in by_partition.items():
            task = self._partitions.task(partition)
            # one that a commit on the way has sent back is behind what it had fetched, and fetches it again
            if task and (task, task.position) == begins.get(partition):
                self._judge(partition, batch)
        self._spent("judge", began)

    def _judge(self, partition: int, batch: list[Message]) -> None:
        """There may be no room for the batch because of what other partitions have judged: an aborted commit sends those
        back, and this one goes on.
        """
        while batch and (task := self._partitions.task(partition)):
            if self._uncommitted_since is None:
                self._uncommitted_since = self._clock.monotonic()
            try:
                batch = batch[task.process(batch) :]
            except Connection as error:
                self._partitions.wait(partition, error)
            except CorruptStore as error:
                self._partitions.restore(partition, error)
            if batch:
                position = task.position
                self._begin_commit()
                if task.position != position:
                    return  # sent back, and fetched again from where it goes on

    def _consumer_error(self, message: Message) -> None:
        error: KafkaError = message.error()
        code = error.code()
        if code in {codes.FATAL, KafkaError.FENCED_INSTANCE_ID}:
            self._rejoin(error)
            return
        if code in {codes.AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:
            # trimmed or made anew under us, or what others had judged was trimmed while this process stood still: the
            # start-up path tells these apart
            log.warning("%s[%d]: %s", self._config.topics.events, message.partition(), error.str())
            if self._partitions.task(message.partition()):
                self._partitions.reopen(message.partition())
            return
        if code in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}:
            raise Connection(f"not allowed: {error.str()}; see the README for the ACLs that a worker needs")
        log.warning("consumer: %s", error.str())

    def _rejoin(self, error: KafkaError) -> None:
        """A member may be fenced by its own other life, whose answer was lost while the broker was away. A rival, which
        joins again too, fences a second time.
        """
        now = self._clock.monotonic()
        if now < self._fenced_at + RIVAL_S:
            raise Fenced(
                f"the group refuses this worker, because another one has taken its identity "
                f"({self._config.transactional_id}); give each its own instance_id ({error.str()})"
            )
        self._fenced_at = now
        log.warning("the group has given this worker's identity to another member: joining again (%s)", error.str())
        self._partitions.rejoin()

    # --- committing --------------------------------------------------------------------------------------------------

    def _commit_if_due(self, *, drained: bool) -> None:
        if self._uncommitted_since is None:
            return
        now = self._clock.monotonic()
        overdue = now - self._uncommitted_since >= self._config.commit_interval_s
        if overdue or (drained and now >= self._drained_commit_at):
            self._begin_commit()

    def _commit(self) -> None:
        """Nothing is uncommitted afterwards: it is committed, or forgotten and fetched again."""
        self._begin_commit()
        self._settle()

    def _begin_commit(self) -> None:
        """Put what was judged into a transaction, when the last one is over."""
        self._settle()
        self._uncommitted_since = None
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
        self._spent("transaction", began)
        if pending is None:
            self._go_back(tasks)
            return
        for task in tasks.values():
            task.seal()
        self._under_way = _UnderWay(pending, work, began)

    def _settle(self) -> None:
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
        over = self._spent("transaction", waited)
        if outcome is Outcome.ABORTED:
            self._go_back(tasks)
            return
        for p, task in tasks.items():
            _, position, states, contexts = sent[p]
            self._write(p, position, ((r.key or b"", r.value) for r in states), delivered, contexts.items())
            task.commit()
        self._commits += 1
        now = self._spent("store", over)
        self._drained_commit_at = now + (now - began) / 2

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
        self._drained_commit_at = self._clock.monotonic() + ABORTED_PAUSE_S
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

    def _note_level_if_due(self) -> None:
        now = self._clock.monotonic()
        if now < self._note_level_at:
            return
        self._note_level_at = now + NOTE_LEVEL_S
        for p, task in list(self._partitions.tasks.items()):
            self._write(p, task.committed, (), {})


def _thread() -> Background:
    """One, for one transaction at a time."""
    return ThreadPoolExecutor(1, "transaction").submit


def _noted(records: Iterable[Record], into: list[Record]) -> Iterator[Record]:
    for record in records:
        into.append(record)
        yield record

"""The processor: one loop over the partitions that the group gives to this worker.

poll -> judge (task) -> transaction -> store (commits). step() is one turn of it; everything from outside comes as an
argument.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import KafkaError, TopicPartition

from ..errors import Connection, CorruptStore, Fenced, NotAllowed
from ..kafka import codes
from ..kafka.interface import Kafka, Message
from ..store.interface import Stores
from .clock import Clock
from .commits import Commits
from .config import WorkerConfig
from .counts import Counts
from .partitions import Partitions
from .progress import Progress, Stages
from .same_topics import SameTopics
from .transaction import Background, Transactions

log = logging.getLogger(__name__)

BATCH_RATE = 50_000
"""Records a second that a batch is made for: one batch is judged within a commit interval, and the more records of one
run it has, the better (see task.py)."""

MIN_BATCH, MAX_BATCH = 2_000, 50_000

RIVAL_S = 60.0
"""Fenced twice within this time, a worker has a rival."""

ASK_OTHERS_S = 0.5
"""Between two looks at how far the group is, at the end of a log whose other partitions are somebody else's."""

NOTE_LEVEL_S = 60.0
"""How often an idle store notes that it is level with the state topic."""


class Worker:
    """One member of the processor's group. Not thread-safe: one thread calls step() until it is time to close()."""

    def __init__(
        self, kafka: Kafka, stores: Stores, clock: Clock, config: WorkerConfig, background: Background | None = None
    ) -> None:
        self._kafka = kafka
        self._clock = clock
        self._config = config
        self._batch = max(MIN_BATCH, min(MAX_BATCH, int(config.commit_interval_s * BATCH_RATE)))
        self._failed = False
        self._stages = Stages(clock)
        self._uncommitted_since: float | None = None
        """When the first uncommitted record was judged."""
        self._ask_others_at = 0.0
        self._fenced_at = -RIVAL_S
        self._note_level_at = clock.monotonic() + NOTE_LEVEL_S
        self._same_topics = SameTopics(kafka, clock, config.topics)
        transactions = Transactions(kafka, config.transactional_id, clock, background or _thread())
        self._partitions = Partitions(kafka, stores, clock, config, transactions, self._commit)
        self._commits = Commits(kafka, clock, config, self._partitions, transactions, self._same_topics, self._stages)

    def step(self, max_wait_s: float) -> None:
        """One turn: open what is to be opened, judge what has arrived, commit when it is time.

        Waits at most max_wait_s seconds for something to arrive. Raises what stops a worker: errors.StateError.
        """
        self._failed = True  # unless this turn comes to its end
        self._same_topics.look()
        if self._partitions.opening:
            self._commits.settle()  # they are claimed in a transaction of their own
        self._partitions.advance()
        first = self._wait_for_one(max_wait_s)
        if first is not None:
            # judged before the next call: a rebalance within that one may go back behind it
            self._process([first])
        began = self._clock.monotonic()
        messages = self._partitions.consumer.consume(self._batch, 0)
        self._stages.spent("poll", began)
        self._process(messages)
        drained = first is None and not messages
        if drained:
            self._commits.settle()
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
            self._commits.forget()
            for task in self._partitions.tasks.values():
                task.rollback()
        self._commit()
        self._partitions.leave(keep_membership=keep_membership)

    def at_end(self, ends: dict[int, int]) -> bool:
        """Whether all is judged and committed up to the given offsets: by this worker, and by those that have the other
        partitions. Raises KafkaException.
        """
        if not self._partitions.settled or self._uncommitted_since is not None or self._commits.is_under_way:
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
            self._commits.number,
            positions,
            dict(self._stages.seconds),
            partitions.restoring,
        )

    # --- judging -----------------------------------------------------------------------------------------------------

    def _wait_for_one(self, max_wait_s: float) -> Message | None:
        """consume() waits until its batch is full or the time is over; poll() returns with the first record."""
        if self._commits.is_under_way:
            return None
        began = self._clock.monotonic()
        wait = min(max_wait_s, self._partitions.idle_s())
        if self._uncommitted_since is not None:
            due = min(self._commits.not_before, self._uncommitted_since + self._config.commit_interval_s)
            wait = min(wait, due - began)
        message = self._partitions.consumer.poll(wait) if wait > 0 else None
        self._stages.spent("poll", began)
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
        self._stages.spent("judge", began)

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
            raise NotAllowed(f"not allowed: {error.str()}; see the README for the ACLs that a worker needs")
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
        if overdue or (drained and now >= self._commits.not_before):
            self._begin_commit()

    def _begin_commit(self) -> None:
        self._uncommitted_since = None
        self._commits.begin()

    def _commit(self) -> None:
        """Nothing is uncommitted afterwards: it is committed, or forgotten and fetched again."""
        self._begin_commit()
        self._commits.settle()

    def _note_level_if_due(self) -> None:
        now = self._clock.monotonic()
        if now < self._note_level_at:
            return
        self._note_level_at = now + NOTE_LEVEL_S
        self._commits.note_level()


def _thread() -> Background:
    """One, for one transaction at a time."""
    return ThreadPoolExecutor(1, "transaction").submit

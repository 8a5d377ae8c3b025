"""State made again from the event log alone: into a fresh store, and if wanted into a fresh topic set."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..errors import Connection, LogTrimmed, TopicMismatch
from ..kafka.format import Format
from ..kafka.interface import Kafka
from ..kafka.topics import TopicSet
from ..store.interface import Stores
from .clock import Clock
from .config import WorkerConfig
from .outputs import Record
from .replay import replay
from .transaction import Batch, Outcome, Transactions

MAX_TRIES = 10


class Rebuilt(msgspec.Struct, kw_only=True):
    """One partition's result so far. missing: events before the log's start, of which nothing is known."""

    partition: int
    position: int
    end: int
    missing: int = 0
    applied: int = 0
    duplicate: int = 0
    rejected: int = 0


def missing_events(kafka: Kafka, config: WorkerConfig, *, partial: bool) -> dict[int, int]:
    """How many events each partition's log no longer has. Raises LogTrimmed when there are any, unless partial."""
    topic = config.topics.events
    ranges = kafka.log_ranges(topic, range(config.format.partitions))
    missing = {p: r.start for p, r in ranges.items() if r.start > 0}
    if missing and not partial:
        lost = ", ".join(f"{topic}[{p}] begins at offset {start}" for p, start in sorted(missing.items()))
        raise LogTrimmed(
            f"{lost}: what came before is gone, and runs begun there cannot be rebuilt; "
            "--partial rebuilds the others, or restore from the state topic, which has them all"
        )
    return missing


def refuse_used(kafka: Kafka, topics: TopicSet, partitions: int) -> None:
    """Raises TopicMismatch when the topic set to publish into is not empty."""
    for topic in (topics.events, topics.state, topics.checkpoints, topics.outputs):
        for partition, log in kafka.log_ranges(topic, range(partitions)).items():
            if log.end > 0:
                raise TopicMismatch(f"{topic}[{partition}] has {log.end} records; rebuild publishes into a fresh set")


def folded_for(config: WorkerConfig, target: Format) -> WorkerConfig:
    """What goes out is decided as in the topic set to publish into: one that was made earlier may keep everything inline.

    Raises TopicMismatch where that one keeps inline what events of this one refer to.
    """
    if config.format.inline_limit is not None and target.inline_limit is None:
        raise TopicMismatch(
            "the topic set to publish into keeps everything inline, and in this one large values are in the outputs topic; "
            "rebuild into a topic set that this version makes"
        )
    made = msgspec.structs.replace(config.format, inline_limit=target.inline_limit)
    return msgspec.structs.replace(config, format=made)


def rebuild(
    kafka: Kafka, clock: Clock, config: WorkerConfig, stores: Stores, into: TopicSet | None = None
) -> Iterator[Rebuilt]:
    """Replays every partition's log from its start into a fresh store; yields as it goes on.

    Emits states, checkpoints and outputs into the other topic set, transactionally, where one is given. Its event log stays
    empty, so a state record there names no source offset.
    """
    transactions = Transactions(kafka, f"{config.transactional_id}.rebuild", clock)
    topic = config.topics.events
    for partition, log in sorted(kafka.log_ranges(topic, range(config.format.partitions)).items()):
        store = stores.open(partition)
        try:
            done = Rebuilt(partition=partition, position=log.start, end=log.stable, missing=log.start)
            yield done
            for task, changes in replay(kafka, clock, config, partition, store, log.start, log.stable):
                if into is not None:
                    states = [Record(r.key, r.value, []) for r in changes.states]
                    batches = [Batch(into.outputs, partition, changes.outputs),
                               Batch(into.checkpoints, partition, changes.checkpoints),
                               Batch(into.state, partition, states)]  # fmt: skip
                    _publish(transactions, batches)
                done.position = task.position
                done.applied, done.duplicate = task.counts.applied, task.counts.duplicate
                done.rejected = task.counts.all_rejected
                yield done
        finally:
            store.close()


def _publish(transactions: Transactions, batches: list[Batch]) -> None:
    """Until it is committed. Written twice does no harm: all three topics are tables."""
    for _ in range(MAX_TRIES):
        ended = transactions.run(batches, {}, "", None)
        if ended and ended.result().outcome is Outcome.COMMITTED:
            return
    raise Connection(f"a transaction was not committed in {MAX_TRIES} tries; check the brokers, and begin again")

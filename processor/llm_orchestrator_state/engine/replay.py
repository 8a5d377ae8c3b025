"""Folding an event log again, into a fresh store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import Serialization
from ..kafka.interface import Kafka, Message
from ..kafka.scan import STALLED_S, scan
from ..store.interface import Positions, Store
from .clock import Clock
from .config import WorkerConfig
from .outputs import Changes
from .task import PartitionTask

Wanted = Callable[[Message], bool]


def is_creation(config: WorkerConfig, message: Message) -> bool:
    """Whether a run that begins with this event has its whole history behind it."""
    try:
        return config.codec.decode_event(message.value())["transition"][0] == "WorkflowCreated"
    except Serialization:
        return False


def replay(
    kafka: Kafka,
    clock: Clock,
    config: WorkerConfig,
    partition: int,
    store: Store,
    start: int,
    end: int,
    wanted: Wanted = lambda _message: True,
) -> Iterator[tuple[PartitionTask, Changes]]:
    """Judges the events from start to end in the store; yields after each part that was written to it.

    The task has the counts so far; the changes are those of the part, as a worker would have emitted them.
    Raises KafkaException, and errors.Connection when the log stalls.
    """
    task = fresh_task(config, partition, store, start)
    reader = kafka.reader()
    try:
        for messages, _ in scan(
            reader, config.topics.events, partition, start, end, stalled_s=STALLED_S, monotonic=clock.monotonic
        ):
            left = [message for message in messages if wanted(message)]
            while left:
                left = left[task.process(left) :]
                yield task, write_changes(task, store, clock)
                task.commit()
    finally:
        reader.close()


def fresh_task(config: WorkerConfig, partition: int, store: Store, start: int) -> PartitionTask:
    """Which judges as a worker does, from an offset on."""
    return PartitionTask(
        config.topics.events, partition, config.format.partitions, config.format.checkpoints, config.codec, store, start,
        config.cache_bytes, inline_limit=config.format.inline_limit,
    )  # fmt: skip


def write_changes(task: PartitionTask, store: Store, clock: Clock) -> Changes:
    """Into the store; the task is still to be told, by commit()."""
    changes = task.changes()
    states = ((r.key or b"", r.value) for r in changes.states)
    store.write(states, Positions(task.position, 0, clock.time()), changes.contexts.items())
    return changes

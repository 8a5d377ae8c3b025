"""One run's state just before an event, folded from the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..kafka.interface import Kafka, Message
from ..model.records import StateRecord
from ..store.memory import MemoryStore
from .clock import Clock
from .config import WorkerConfig
from .replay import is_creation, replay

TOLD_EVERY = 10_000
"""Records between two calls that tell how far it has come."""


class Moment(NamedTuple):
    """state: None where there was no such run. complete: whether the log has all of the run's events before the moment;
    where it has not, the state means nothing.
    """

    state: StateRecord | None
    complete: bool


def state_before(
    kafka: Kafka,
    clock: Clock,
    config: WorkerConfig,
    partition: int,
    key: bytes,
    offset: int,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Moment:
    """The run with this key, before the event at this offset of the events topic's partition.

    All the partition's records before it are read, and those of other runs passed over. told: called with the records
    read so far, and all. Raises KafkaException, errors.Connection.
    """
    start = kafka.log_ranges(config.topics.events, [partition])[partition].start
    if start >= offset and start > 0:
        return Moment(None, complete=False)
    begins: list[bool] = []

    def wanted(message: Message) -> bool:
        if message.offset() % TOLD_EVERY == 0:
            told(message.offset() - start, offset - start)
        if message.key() != key:
            return False
        if not begins:
            begins.append(is_creation(config, message))
        return True

    store = MemoryStore()
    for _ in replay(kafka, clock, config, partition, store, start, offset, wanted):
        pass  # what it yields is in the store
    (value,) = store.get_many([key])
    state = None if value is None else config.codec.decode_state(value)
    whole = start == 0 and config.format.rebuilt_from is None
    return Moment(state, complete=whole or (bool(begins) and begins[0]))

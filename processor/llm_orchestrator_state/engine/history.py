"""One run's events in the log, each with what the fold says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..errors import Serialization
from ..kafka.interface import Kafka, Message
from ..kafka.scan import STALLED_S, scan
from ..model.records import EventRecord, StateRecord
from ..model.verdicts import Code, Rejection, Verdict
from ..store.memory import MemoryStore
from .clock import Clock
from .config import WorkerConfig
from .replay import fresh_task, is_creation, write_changes

TOLD_EVERY = 10_000
"""Records between two calls that tell how far it has come."""


class Judged(NamedTuple):
    """An event of the run. event: None where its bytes cannot be read."""

    offset: int
    event: EventRecord | None
    verdict: Verdict | Rejection


class History:
    """The events with one run's key, judged one after the other as a worker judges them.

    All records of the partition from its start up to the end, exclusive, are read, and those of other runs passed over.
    told: called with the records read so far, and all. Iterating, which can be done once, raises KafkaException and
    errors.Connection.
    """

    def __init__(
        self,
        kafka: Kafka,
        clock: Clock,
        config: WorkerConfig,
        partition: int,
        key: bytes,
        end: int,
        told: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        self.start = kafka.log_ranges(config.topics.events, [partition])[partition].start
        """Of the log."""
        self.rebuilt_from = config.format.rebuilt_from
        """Prefix of the topic set whose log has the events from before, if any."""
        self.complete = self.start == 0 and self.rebuilt_from is None
        """Whether the log has all of the run's events. Where it has not, the verdicts and the state mean nothing."""
        self._kafka, self._clock, self._config, self._told = kafka, clock, config, told
        self._partition, self._key, self._end = partition, key, end
        self._store = MemoryStore()
        self._task = fresh_task(config, partition, self._store, self.start)

    def __iter__(self) -> Iterator[Judged]:
        begun = False
        for message in self._messages():
            if not begun:
                begun = True
                self.complete = self.complete or is_creation(self._config, message)
            yield Judged(message.offset(), self._event(message), self._verdict(message))

    def state(self) -> StateRecord | None:
        """After the events so far; None where there is no such run then."""
        self._settle()
        (value,) = self._store.get_many([self._key])
        return None if value is None else self._config.codec.decode_state(value)

    def _messages(self) -> Iterator[Message]:
        reader = self._kafka.reader()
        topic, start, end = self._config.topics.events, self.start, self._end
        try:
            for messages, _ in scan(
                reader, topic, self._partition, start, end, stalled_s=STALLED_S, monotonic=self._clock.monotonic
            ):
                for message in messages:
                    if message.offset() % TOLD_EVERY == 0:
                        self._told(message.offset() - start, end - start)
                    if message.key() == self._key:
                        yield message
        finally:
            reader.close()

    def _event(self, message: Message) -> EventRecord | None:
        try:
            return self._config.codec.decode_event(message.value())
        except Serialization:
            return None

    def _verdict(self, message: Message) -> Verdict | Rejection:
        task = self._task
        before = task.counts.copy()
        if not task.process([message]):  # there is as much to commit as may be
            self._settle()
            task.process([message])
        if task.counts.applied > before.applied:
            return Verdict.APPLIED
        if task.counts.duplicate > before.duplicate:
            return Verdict.DUPLICATE
        (rejection,) = task.rejections()
        self._settle()
        headers = dict(rejection.headers)
        return Rejection(Code(headers["code"].decode()), headers["detail"].decode())

    def _settle(self) -> None:
        write_changes(self._task, self._store, self._clock)
        self._task.commit()

"""The thread that fetches large values from the outputs topic. It exists from the first one that is asked for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from time import monotonic
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaException, TopicPartition

from ...errors import Connection, CorruptStore, StateError, TimedOut
from ...kafka.failures import as_state_error, is_refusal, one_line
from ...kafka.logs import logger
from ...kafka.properties import READER, Properties
from ...kafka.reader import Reader
from .feeds import Place
from .follower import FOLLOWER, Follower, raise_if_lasting
from .life import Life, fulfil, refuse
from .outputs import OutputFeed
from .references import Value
from .values import ValueCache, Values

log = logging.getLogger(__name__)

FETCHER: Properties = READER | {
    # of one value the rest of its batch comes along, and no more is wanted: with the default of a reader, fifty values of
    # 20 KB took 160 ms, with this 40 (measured)
    "fetch.message.max.bytes": 64 * 1024,
    "queued.max.messages.kbytes": 16 * 1024,
}
INDEX: Properties = FOLLOWER | {"queued.max.messages.kbytes": 16 * 1024, "fetch.message.max.bytes": 4 * 1024 * 1024}

INDEX_BATCH = 100
"""Records that the index takes at a time, for the sake of memory: they come with their values."""

NEAR = 16
"""Offsets between two wanted ones that are read over rather than sought past."""

FETCHED_S = 30.0
"""How long a value is waited for, and the index while nothing comes: longer than a broker's restart or an election."""

LOOK_S = 0.1


class Request:
    """Values of some keys, until all are there."""

    def __init__(self, partition: int, keys: Sequence[bytes], future: Future[list[Value | None]]) -> None:
        self.partition = partition
        self.future = future
        self.since = monotonic()
        self._keys = keys
        self.missing = set(keys)
        self._found: dict[bytes, Value | None] = {}

    def give(self, key: bytes, value: Value | None) -> None:
        """Once for each key."""
        if key in self.missing:
            self.missing.remove(key)
            self._found[key] = value
            if not self.missing:
                fulfil(self.future, [self._found[each] for each in self._keys])


class Followed(Protocol):
    """What opens the partitions' tables; see Following."""

    @property
    def outputs(self) -> Mapping[int, OutputFeed]: ...

    def open_outputs(self, partition: int, cache: ValueCache, follower: Follower) -> OutputFeed: ...


class OutputValues(Values):
    """Values of the outputs topic, by an index of its keys that follows it.

    properties: makes a client's complete properties from its own ones. on_moved: called after the index has moved.
    """

    def __init__(
        self,
        life: Life,
        followed: Followed,
        properties: Callable[[Properties], dict[str, Any]],
        on_moved: Callable[[], None],
        *,
        cache: ValueCache | None = None,
        fetched_s: float = FETCHED_S,
    ) -> None:
        self._life = life
        self._followed = followed
        self._properties = properties
        self._on_moved = on_moved
        self._cache = cache or ValueCache()
        self._fetched_s = fetched_s
        self._requests: list[Request] = []
        self._moved_at = 0.0
        self._work = threading.Event()
        self.threads: list[threading.Thread] = []
        life.listen(self._work.set)

    def fetch(self, partition: int, keys: Sequence[bytes]) -> Future[list[Value | None]]:
        with self._life.lock:
            future: Future[list[Value | None]] = self._life.future()
            # what is here was not deleted, as far as the topic is known: the index drops that
            cached = [self._cache.get(key) for key in keys]
            if None not in cached:
                fulfil(future, cached)
                return future
            self._requests.append(Request(partition, keys, future))
            if not self.threads:
                self._start("values", self._run)
        self._work.set()
        return future

    def _start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._life.guarded(work), name=f"state-reader-{name}", daemon=True)
        self.threads.append(thread)
        thread.start()

    # --- in its thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        follower = Follower(
            Reader(self._properties(INDEX), logger=logger),
            self._life,
            self._moved,
            lambda: bool(self._requests),
            batch=INDEX_BATCH,
        )
        self._start("outputs", follower.run)
        consumer = Reader(self._properties(FETCHER), logger=logger)
        try:
            while not self._life.ended.is_set():
                self._work.wait(LOOK_S if self._requests else None)
                self._work.clear()
                while (request := self._next_ready(follower)) is not None and not self._life.ended.is_set():
                    self._serve(consumer, request)
        finally:
            consumer.close()

    def _moved(self) -> None:
        self._moved_at = monotonic()
        self._on_moved()
        self._work.set()

    def _next_ready(self, follower: Follower) -> Request | None:
        """The one that has waited longest of those whose partition's index is level."""
        with self._life.lock:
            self._requests = [each for each in self._requests if not each.future.done()]
            requests = list(self._requests)
        for partition in {each.partition for each in requests} - self._followed.outputs.keys():
            self._open(partition, follower)
        for request in requests:
            feed = self._followed.outputs.get(request.partition)
            if feed is not None and feed.is_level():
                return request
            if monotonic() - max(request.since, self._moved_at) > self._fetched_s:
                refuse(request.future, self._late("the index of the outputs topic could not be read to its end"))
        return None

    def _open(self, partition: int, follower: Follower) -> None:
        try:
            self._followed.open_outputs(partition, self._cache, follower)
        except CorruptStore:
            raise
        except (KafkaException, StateError) as failure:
            if _passes(failure):
                log.debug("the brokers do not answer: %s", failure)
                return  # and is tried again, until the requests' time is over
            if isinstance(failure, KafkaException):
                failure = as_state_error(failure, "reading the outputs topic's offsets")
            with self._life.lock:
                requests = [each for each in self._requests if each.partition == partition]
            for each in requests:
                refuse(each.future, type(failure)(*failure.args))

    def _serve(self, consumer: Reader, request: Request) -> None:
        feed = self._followed.outputs[request.partition]
        wanted: list[_Wanted] = []
        with self._life.lock:
            keys = list(request.missing)
            for key, offset in zip(keys, feed.offsets(keys), strict=True):
                cached = self._cache.get(key)
                if offset is None or cached is not None:
                    request.give(key, None if offset is None else cached)
                else:
                    wanted.append(_Wanted(offset, key))
        for (_, key), value in self._read(consumer, feed.place, sorted(wanted), request):
            with self._life.lock:
                if value is not None:
                    self._cache.put(key, value)
                    for other in self._requests:
                        if other is not request:
                            other.give(key, value)
                request.give(key, value)

    def _read(
        self, consumer: Reader, place: Place, wanted: Sequence[_Wanted], request: Request
    ) -> Iterator[tuple[_Wanted, Value | None]]:
        """None where nothing is at the offset any more. Ends early when nobody waits for it, or it takes too long."""
        position = -NEAR - 1
        late = monotonic() + self._fetched_s
        for each in wanted:
            if not position <= each.offset <= position + NEAR:
                consumer.assign([TopicPartition(*place, each.offset)])
            position = each.offset
            while position <= each.offset:
                if self._life.ended.is_set() or request.future.done():
                    break
                if monotonic() > late:
                    refuse(request.future, self._late(f"{place.topic}[{place.partition}] could not be read"))
                    break
                for message in consumer.consume(1, LOOK_S):
                    if error := message.error():
                        raise_if_lasting(error)
                        log.warning("reading %s: %s", place.topic, one_line(error))
                        continue
                    position = message.offset() + 1
                    if position > each.offset:
                        found = message.offset() == each.offset and message.key() == each.key
                        yield each, Value.of(message.value()) if found and message.value() else None
            else:
                continue
            break
        consumer.unassign()

    def _late(self, what: str) -> TimedOut:
        return TimedOut(f"{what} within {self._fetched_s:g} s; check the brokers")


class _Wanted(NamedTuple):
    offset: int
    key: bytes


def _passes(failure: KafkaException | StateError) -> bool:
    if isinstance(failure, KafkaException):
        return not is_refusal(failure.args[0])
    return isinstance(failure, Connection)

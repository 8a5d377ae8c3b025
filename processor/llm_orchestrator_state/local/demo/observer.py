"""Reads the topics beside the worker, as a dashboard would: which states there are, and how soon after their events."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import KafkaException, TopicPartition

from ...kafka.cluster import Cluster
from ...model.records import StateRecord
from .settling import Settled, Settling
from .usage import Usage

POLL_S = 0.1
BATCH = 1000


class Runs(NamedTuple):
    """Sums over the runs that have a state."""

    statuses: Counter[str]
    usage: Usage


class Observer:
    """A thread that reads events, states and rejections from their start until the context ends.

    Methods raise KafkaException when the reading has failed.
    """

    def __init__(self, cluster: Cluster, partitions: int, decode: Callable[[bytes | None], StateRecord]) -> None:
        self._cluster = cluster
        self._partitions = partitions
        topics = cluster.topics
        self._read = {topics.events: self._event, topics.state: self._state, topics.rejections: self._rejection}
        self._decode = decode
        self._settling = Settling()
        self._encoded: dict[bytes, bytes | None] = {}
        self._runs: dict[bytes, tuple[str, Usage]] = {}
        self._positions: dict[int, int] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._failure: KafkaException | None = None
        # poll() and consume() hold no lock of ours, so asking never waits for the broker
        self._consumer: Any = cluster.reader()
        self._consumer.assign([TopicPartition(topic, n, 0) for topic in self._read for n in range(partitions)])
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def settled(self) -> list[Settled]:
        with self._lock:
            self._raise_failure()
            return self._settling.settled()

    def runs(self) -> Runs:
        """Decodes only what has changed since the last call."""
        with self._lock:
            self._raise_failure()
            changed, self._encoded = self._encoded, {}
        for key, value in changed.items():
            if value is None:
                self._runs.pop(key, None)
            else:
                state = self._decode(value)
                self._runs[key] = (state["status"], Usage.of(state["usage"]))
        statuses = Counter(status for status, _ in self._runs.values())
        return Runs(statuses, Usage.sum(usage for _, usage in self._runs.values()))

    def is_level(self) -> bool:
        """Whether all the states that can be read have been read."""
        topic = self._cluster.topics.state
        ranges = self._cluster.log_ranges(topic, range(self._partitions))
        return all(self._positions.get(partition, 0) >= known.stable for partition, known in ranges.items())

    def _follow(self) -> None:
        try:
            while not self._over.is_set():
                first = self._consumer.poll(POLL_S)
                if first is None:
                    self._note_positions()
                    continue
                now = time.time()
                with self._lock:
                    for message in (first, *self._consumer.consume(BATCH, 0)):
                        self._take(message, now)
        except KafkaException as failure:
            self._failure = failure
        finally:
            self._consumer.close()

    def _note_positions(self) -> None:
        """By this thread: a call from another would wait for a gap between two polls."""
        topic = self._cluster.topics.state
        asked = [TopicPartition(topic, partition) for partition in range(self._partitions)]
        self._positions = {each.partition: each.offset for each in self._consumer.position(asked)}

    def _take(self, message: Any, now: float) -> None:
        if error := message.error():
            raise KafkaException(error)
        self._read[message.topic()](message, now)

    def _event(self, message: Any, _: float) -> None:
        _, published_ms = message.timestamp()
        self._settling.event(message.key(), (message.partition(), message.offset()), published_ms / 1000)

    def _state(self, message: Any, now: float) -> None:
        self._settling.state(message.key(), int(dict(message.headers())["source-offset"]), now)
        self._encoded[message.key()] = message.value()

    def _rejection(self, message: Any, _: float) -> None:
        headers = dict(message.headers())
        self._settling.rejection((int(headers["source-partition"]), int(headers["source-offset"])))

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

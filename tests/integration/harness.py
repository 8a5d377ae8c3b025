"""A topic set of a test's own on the real broker: publishing into it, running workers on it, reading what they write."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from llm_orchestrator_state.engine.clock import Clock, SystemClock
from llm_orchestrator_state.engine.config import WorkerConfig
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.kafka.cluster import Cluster
from llm_orchestrator_state.kafka.format import CheckpointPolicy
from llm_orchestrator_state.kafka.interface import LogRange, Message
from llm_orchestrator_state.kafka.topics import TopicSet, create
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.store.interface import Stores
from llm_orchestrator_state.store.rocks import RocksStores
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.jsonlines import parse_line

DEADLINE_S = 30.0
SESSION_S = 6
"""The shortest session time-out that a broker allows by default."""


def until(holds: Callable[[], object], within_s: float = DEADLINE_S) -> float:
    """Waits for a condition; returns how long that took, in seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, f"not within {within_s} s"
        time.sleep(0.01)
    return time.monotonic() - began


def event(run_id: str, kind: str, second: int = 0, **fields: object) -> EventRecord:
    """As a line of the JSON lines form has it; `second` is the time since the tests' epoch."""
    at = f"2026-01-05T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    if kind == "workflow_created":
        fields = {"workflow_id": "triage", "workflow_name": "Triage", "context": {"a": 1}, **fields}
    return parse_line(json.dumps({"run_id": run_id, "type": kind, "occurred_at": at, **fields}))


def whole_run(run_id: str, steps: int = 2) -> list[EventRecord]:
    events = [event(run_id, "workflow_created"), event(run_id, "workflow_started", 1)]
    for n in range(steps):
        step: dict[str, object] = {"step_id": f"step-{n}", "attempt": 1}
        events.append(event(run_id, "step_started", 2 + 2 * n, **step))
        events.append(event(run_id, "step_completed", 3 + 2 * n, outputs={"n": n}, usage={"tokens": 7}, **step))
    return [*events, event(run_id, "workflow_completed", 3 + 2 * steps)]


def new_runs(number: int, steps: int = 2) -> list[EventRecord]:
    return [each for _ in range(number) for each in whole_run(str(uuid.uuid4()), steps)]


class Later(SystemClock):
    """The wall clock of so many seconds later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def time(self) -> float:
        return time.time() + self._seconds


class Stage:
    """One topic set, and state directories under one directory."""

    def __init__(
        self, bootstrap: str, prefix: str, directory: Path, partitions: int = 2, checkpoints: CheckpointPolicy = "step"
    ) -> None:
        self.bootstrap = bootstrap
        self.topics = TopicSet(prefix)
        self.directory = directory
        self.partitions = range(partitions)
        self.codec = Codec()
        self.log = self.cluster("test")
        self.format = create(self.log.admin, self.topics, partitions=partitions, checkpoints=checkpoints)
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "message.max.bytes": 10 << 20,
             "enable.idempotence": True, "linger.ms": 5}
        )  # fmt: skip

    def close(self) -> None:
        """Lets go of the producer, which would complain when the broker goes."""
        del self._producer

    # --- input --------------------------------------------------------------------------------------------------------

    def publish(self, *records: EventRecord) -> list[tuple[int, int]]:
        """Returns when all are in the log; where they are, as (partition, offset)."""
        return self.publish_raw(*((r["run_id"].lower().encode(), self.codec.encode_event(r)) for r in records))

    def publish_raw(self, *records: tuple[bytes | None, bytes | None], partition: int = -1) -> list[tuple[int, int]]:
        where: list[tuple[int, int]] = [(-1, -1)] * len(records)

        def note(index: int, error: object, message: Any) -> None:
            assert error is None, error
            where[index] = message.partition(), message.offset()

        for index, (key, value) in enumerate(records):
            while True:
                try:
                    on_delivery = partial(note, index)
                    self._producer.produce(self.topics.events, value, key, partition, on_delivery=on_delivery)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        assert self._producer.flush(DEADLINE_S) == 0
        return where

    # --- workers ------------------------------------------------------------------------------------------------------

    def cluster(self, instance: str) -> Cluster:
        group = f"{self.topics.prefix}.processor"
        return Cluster(self.bootstrap, self.topics, group, instance, session_timeout_s=SESSION_S)

    def stores(self, name: str = "state") -> RocksStores:
        return RocksStores(self.directory / name, self.topics.events, self.log.identity())

    def config(self, instance: str = "w0") -> WorkerConfig:
        cluster = self.cluster(instance)
        return WorkerConfig(
            topics=self.topics, format=self.format, codec=self.codec, transactional_id=cluster.transactional_id
        )

    @contextmanager
    def worker(
        self, state: str = "state", instance: str = "w0", *, stores: Stores | None = None, clock: Clock | None = None
    ) -> Iterator[Worker]:
        cluster = self.cluster(instance)
        worker = Worker(cluster, stores or self.stores(state), clock or SystemClock(), self.config(instance))
        try:
            yield worker
        finally:
            worker.close()

    def run_to_end(
        self, state: str = "state", instance: str = "w0", *, stores: Stores | None = None, clock: Clock | None = None
    ) -> Worker:
        """A worker that judges everything that is in the log now and leaves; what it did is in its progress()."""
        ends = self.ends("events")
        with self.worker(state, instance, stores=stores, clock=clock) as worker:
            step_until(worker, lambda: worker.at_end(ends))
        return worker

    # --- output -------------------------------------------------------------------------------------------------------

    def name(self, role: str) -> str:
        return self.topics.names()[role]

    def ends(self, role: str) -> dict[int, int]:
        return {p: log.end for p, log in self.log.log_ranges(self.name(role), self.partitions).items()}

    def committed(self) -> dict[int, int | None]:
        return {p: found.offset for p, found in self.log.group_offsets(self.partitions).items()}

    def records(self, role: str, partition: int) -> list[Message]:
        """What a read_committed reader sees of one partition, up to its end."""
        topic = self.name(role)
        end = self._stable_end(topic, partition)
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "test", "isolation.level": "read_committed",
             "auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
        )  # fmt: skip
        found: list[Any] = []
        try:
            where = TopicPartition(topic, partition, 0)
            consumer.assign([where])
            began = time.monotonic()
            while end > 0 and consumer.position([where])[0].offset < end:
                found += consumer.consume(10_000, 0.05)
                assert time.monotonic() - began < DEADLINE_S
        finally:
            consumer.close()
        assert not [message.error() for message in found if message.error()]
        return [message for message in found if message.offset() < end]

    def _stable_end(self, topic: str, partition: int) -> int:
        """When no transaction is open: a commit is answered before its markers are in the log."""

        def found() -> LogRange:
            return self.log.log_ranges(topic, [partition])[partition]

        until(lambda: (now := found()).stable == now.end)
        return found().stable

    def table(self, role: str, partition: int) -> dict[bytes, bytes]:
        """The last value of each key that is no tombstone."""
        latest: dict[bytes, bytes | None] = {}
        for message in self.records(role, partition):
            latest[message.key() or b""] = message.value()
        return {key: value for key, value in latest.items() if value is not None}


def step_until(worker: Worker, holds: Callable[[], object], within_s: float = DEADLINE_S) -> float:
    """Runs the worker until the condition holds; returns how long that took, in seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_s, f"not within {within_s} s"
        worker.step(0.05)
    return time.monotonic() - began


def headers_of(message: Message) -> dict[str, bytes]:
    return dict(message.headers() or ())

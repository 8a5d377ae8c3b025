"""A topic set on brokers to which something happens, and workers that are processes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from confluent_kafka import KafkaException

from llm_orchestrator_state.errors import Connection
from tests.cluster import KafkaCluster
from tests.faults.proof import assert_nothing_lost
from tests.faults.proxied import ProxiedCluster
from tests.integration.agreement import Folded
from tests.integration.harness import DEADLINE_S, Stage, until
from tests.integration.processes import Processes

Answer = TypeVar("Answer")

READY_S = 90.0

LOAD = 500
"""Events a second: enough for a commit to be under way at any moment, and for the brokers to have time for faults."""


def answered(ask: Callable[[], Answer], within_s: float) -> Answer:
    """Asked again while leaders change: librdkafka answers then with one error or another."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise


def topic_set(kafka: KafkaCluster, prefix: str, directory: Path, partitions: int = 2) -> Stage:
    """On brokers that have just been started, which on a busy machine takes longer than making topics waits."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            return Stage(kafka.bootstrap, prefix, directory, partitions)
        except Connection:
            if time.monotonic() > deadline:
                raise


class Scene:
    """The load is published past the proxies; workers come by them where there are any."""

    def __init__(self, kafka: KafkaCluster, prefix: str, directory: Path) -> None:
        self.stage = topic_set(kafka, prefix, directory)
        self.processes = Processes(self.stage, kafka.proxied if isinstance(kafka, ProxiedCluster) else None)
        self._load = self.processes.load(1, LOAD)
        self.workers = [self.processes.worker(), self.processes.worker()]
        for worker in self.workers:
            worker.says("from offset")

    def goes_on(self, within_s: float = DEADLINE_S) -> float:
        """Waits until all that is in the log now is committed; returns how many seconds that took."""
        began = time.monotonic()
        ends = answered(lambda: self.stage.ends("events"), within_s)
        until(
            lambda: all((done or 0) >= ends[p] for p, done in answered(self.stage.committed, within_s).items()),
            within_s,
        )
        return time.monotonic() - began

    def ended(self) -> list[Folded]:
        """All is judged, the workers leave, and nothing is lost."""
        self._load.send(signal.SIGTERM)
        assert self._load.ended() == 0, self._load.log
        self.goes_on()
        for worker in self.workers:
            worker.send(signal.SIGTERM)
            assert worker.ended() == 0, worker.log
        return assert_nothing_lost(self.stage)

    def log(self) -> str:
        return "".join(worker.log for worker in self.workers)

    def close(self) -> None:
        self.processes.kill()
        self.stage.close()


@contextmanager
def scene(kafka: KafkaCluster, prefix: str, directory: Path) -> Iterator[Scene]:
    made = Scene(kafka, prefix, directory)
    try:
        yield made
    finally:
        made.close()

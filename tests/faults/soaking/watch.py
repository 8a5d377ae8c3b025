"""How far the group is, asked again and again; and from it, how long recovery from each fault took."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from llm_orchestrator_state.kafka.offsets import watermarks
from tests.integration.harness import Stage

EVERY_S = 0.2
ASK_S = 2.0
"""Longest wait for one answer: a broker that hangs is not waited for, the next one asked knows who leads now."""


class Recovery(NamedTuple):
    kind: str
    seconds: float


class _Waiting(NamedTuple):
    kind: str
    since: float
    ends: dict[int, int]


class Watch:
    """A thread of its own from start() to close()."""

    def __init__(self, stage: Stage) -> None:
        own = {
            "bootstrap.servers": stage.bootstrap,
            "group.id": stage.log.group,
            "enable.auto.commit": False,
            "socket.timeout.ms": 3_000,
            "log_level": 0,
        }
        self._offsets = Consumer(own)
        self._partitions = [TopicPartition(stage.topics.events, p) for p in stage.partitions]
        self._ends: dict[int, int] = {}
        self._waiting: list[_Waiting] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self.recoveries: list[Recovery] = []
        self.judged = 0
        """The sum of the committed offsets: no transaction writes events, so each offset is one."""

    def start(self) -> None:
        self._thread.start()

    def fault(self, kind: str) -> None:
        """It happens now: recovery is when more than is in the log now, as far as was last seen, is committed."""
        with self._lock:
            self._waiting.append(_Waiting(kind, time.monotonic(), dict(self._ends)))

    @property
    def waiting(self) -> int:
        with self._lock:
            return len(self._waiting)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._offsets.close()

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            self._offsets.poll(0)
            try:
                committed = {p.partition: p.offset for p in self._offsets.committed(self._partitions, timeout=ASK_S)}
                ends = {p.partition: watermarks(self._offsets, p)[1] for p in self._partitions}
            except KafkaException:
                continue  # brokers are away or change their parts: asked again
            now = time.monotonic()
            self.judged = sum(max(0, offset) for offset in committed.values())
            with self._lock:
                self._ends = ends
                for each in list(self._waiting):
                    if all(committed.get(p, -1) > end for p, end in each.ends.items()):
                        self._waiting.remove(each)
                        self.recoveries.append(Recovery(each.kind, now - each.since))

"""A read_committed consumer without a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, TopicPartition

from llm_orchestrator_state.kafka.interface import Message
from tests.simulation.faults import LAST, NONE
from tests.simulation.log import NO_OFFSET, ErrorMessage, PartitionLog

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.process import SimProcess


class Cursor:
    __slots__ = ("fetched", "log", "reported")

    def __init__(self, log: PartitionLog, offset: int) -> None:
        self.log = log
        self.fetched: int | None = offset
        self.reported = NO_OFFSET
        """As position() says it: unknown until a message or a control record has passed."""


class SimReader:
    def __init__(self, cluster: SimCluster, process: SimProcess) -> None:
        self._cluster = cluster
        self._faults = process.faults
        self._cursors: dict[tuple[str, int], Cursor] = {}
        self._closed = False

    def assign(self, partitions: list[TopicPartition]) -> None:
        fault = self._faults.draw("reader.assign")
        self._cursors = {}
        for tp in partitions:
            log = self._cluster.log(tp.topic, tp.partition)
            offset = log.start if tp.offset == -2 else log.stable if tp.offset == -1 else tp.offset
            self._cursors[tp.topic, tp.partition] = Cursor(log, offset)
        self._faults.settle(fault, "reader.assign")

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        if self._closed:
            msg = "Consumer closed"
            raise RuntimeError(msg)
        fault = self._faults.draw("reader.consume")
        random = self._faults.rng.random
        limit = num_messages if random() < 0.5 else min(num_messages, 1 + int(random() * 5))
        found = self._take(limit)
        if not found:
            self._cluster.wait(timeout)
            found = self._take(limit)
        if fault != NONE:
            if fault == LAST:
                self._faults.die("reader.consume")
            found.append(ErrorMessage(KafkaError(KafkaError._TRANSPORT, "broker went away"), "", -1))
        return found

    def _take(self, limit: int) -> list[Message]:
        found: list[Message] = []
        for cursor in self._cursors.values():
            log = cursor.log
            if cursor.fetched is None or len(found) >= limit:
                continue
            if not log.start <= cursor.fetched <= log.end:
                error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "offset out of range")
                found.append(ErrorMessage(error, log.topic, log.partition, cursor.fetched))
                cursor.fetched = None
                continue
            records, cursor.fetched, reported = log.fetch(cursor.fetched, limit - len(found), log.stable)
            found += records
            if reported >= 0:
                cursor.reported = reported
        return found

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        self._faults.settle(self._faults.draw("reader.position"), "reader.position")
        return [
            TopicPartition(tp.topic, tp.partition, self._cursors[tp.topic, tp.partition].reported) for tp in partitions
        ]

    def close(self) -> None:
        self._closed = True
        self._cursors = {}

"""The engine's `Kafka` (kafka/interface.py), as one process has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from llm_orchestrator_state.kafka.interface import GroupOffset, LogRange
from tests.simulation.cluster import KINDS
from tests.simulation.consumer import SimConsumer
from tests.simulation.faults import FAIL, UNKNOWN, failure
from tests.simulation.producer import SimProducer
from tests.simulation.reader import SimReader

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.process import SimProcess


class SimKafka:
    def __init__(self, cluster: SimCluster, process: SimProcess) -> None:
        self._cluster = cluster
        self._process = process

    def group_consumer(self) -> SimConsumer:
        self._process.faults.settle(self._process.faults.draw("group_consumer"), "group_consumer")
        consumer = SimConsumer(self._cluster, self._process)
        self._process.consumers.append(consumer)
        return consumer

    def producer(self, transactional_id: str) -> SimProducer:
        self._process.faults.settle(self._process.faults.draw(f"producer {transactional_id}"), "producer")
        producer = SimProducer(self._cluster, self._process, transactional_id)
        self._process.producers.append(producer)
        return producer

    def reader(self) -> SimReader:
        self._process.faults.settle(self._process.faults.draw("reader"), "reader")
        return SimReader(self._cluster, self._process)

    def _ask(self, call: str) -> None:
        """An admin request; it changes nothing, so only its answer can fail."""
        fault = self._process.faults.draw(call)
        if fault in (FAIL, UNKNOWN):
            code = KafkaError._TIMED_OUT if fault == FAIL else KafkaError._TRANSPORT
            raise failure(code, f"{call} failed", retriable=True)
        self._process.faults.settle(fault, call)

    def group_offsets(self, partitions: Sequence[int]) -> dict[int, GroupOffset]:
        self._ask("group_offsets")
        group = self._cluster.group
        found: dict[int, GroupOffset] = {}
        for partition in partitions:
            committed = group.offsets.get(partition)
            pending = bool(group.pending.get(partition))
            if committed is None:
                found[partition] = GroupOffset(None, "", pending)
            else:
                found[partition] = GroupOffset(committed.offset, committed.metadata, pending)
        return found

    def log_ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, LogRange]:
        self._ask(f"log_ranges {topic}")
        logs = [(p, self._cluster.log(topic, p)) for p in partitions]
        return {p: LogRange(log.start, log.stable, log.end) for p, log in logs}

    def topic_ids(self) -> dict[str, str | None]:
        """No topic is deleted here."""
        return {f"{self._cluster.prefix}.{kind}": kind for kind in KINDS}

    def live_transactional_ids(self) -> set[str]:
        self._ask("live_transactional_ids")
        return {f"{self._cluster.prefix}.{instance}" for instance in self._cluster.group.live_instances()}

"""The Kafka that is measured, and a topic set on it, both gone afterwards."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from llm_orchestrator_state.client.producer import EventProducer
from llm_orchestrator_state.client.transport import EVENT_PRODUCER
from llm_orchestrator_state.engine.config import WorkerConfig
from llm_orchestrator_state.kafka.cluster import Cluster
from llm_orchestrator_state.kafka.format import CheckpointPolicy
from llm_orchestrator_state.kafka.interface import Message
from llm_orchestrator_state.kafka.properties import with_pass_through
from llm_orchestrator_state.kafka.scan import scan
from llm_orchestrator_state.kafka.topic_settings import DAY_MS
from llm_orchestrator_state.kafka.topics import TopicSet, check, create
from llm_orchestrator_state.local.process import wait_until
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.settings import ENVIRONMENT_PREFIX
from llm_orchestrator_state.wire.codec import Codec
from tests.cluster import KafkaCluster
from tests.topic_settings import alter

PARTITIONS = 2
HEAP = "1g"
PATIENCE_S = 30.0


class System(NamedTuple):
    """directory: for state directories and logs. broker_pid: None where the broker is on another machine.

    properties: of librdkafka, passed to the worker's clients.
    """

    directory: Path
    bootstrap: str
    broker_pid: int | None
    properties: Mapping[str, str]


@contextmanager
def system(
    bootstrap: str | None, broker_pid: int | None, properties: Mapping[str, str], rebalance_delay_ms: int = 0
) -> Iterator[System]:
    """The Kafka given, else one that is started for this.

    rebalance_delay_ms: so long a new group waits for more members.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        directory = Path(name)
        if bootstrap:
            yield System(directory, bootstrap, broker_pid, properties)
            return
        own: dict[str, Any] = {"group.initial.rebalance.delay.ms": rebalance_delay_ms}
        with KafkaCluster(directory / "kafka", heap=HEAP, **own) as kafka:
            yield System(directory, kafka.bootstrap, kafka._running[0].process.pid, properties)


class Topics:
    """A topic set whose consumer group has one worker at a time."""

    def __init__(self, on: System, name: str, checkpoints: CheckpointPolicy, partitions: int) -> None:
        self.system = on
        self.partitions = partitions
        topics = TopicSet(f"benchmark-{name}-{on.directory.name.rpartition('-')[2]}")
        self.codec = Codec()
        self.cluster = Cluster(on.bootstrap, topics, f"{topics.prefix}.processor", "benchmark")
        self.state_dir = on.directory / topics.prefix
        self._create(checkpoints)

    def _create(self, checkpoints: CheckpointPolicy) -> None:
        create(
            self.cluster.admin,
            self.cluster.topics,
            partitions=self.partitions,
            replication=1,
            checkpoints=checkpoints,
        )

    def publish(self, events: Iterable[EventRecord]) -> int:
        """Returns how many, when all are delivered."""
        with EventProducer(self.system.bootstrap, None, self.cluster.topics.events, self.codec) as publisher:
            for event in events:
                publisher.publish(event)
        return publisher.delivered

    def environment(self, commit_interval_s: float = 0.2) -> dict[str, str]:
        """Settings of a worker on this topic set."""
        settings = {
            "bootstrap_servers": self.system.bootstrap,
            "topic_prefix": self.cluster.topics.prefix,
            "state_dir": str(self.state_dir),
            "instance_id": self.cluster.instance_id,
            "commit_interval": f"{commit_interval_s * 1000:.0f}ms",
            "properties": ",".join(f"{name}={value}" for name, value in self.system.properties.items()),
        }
        return {ENVIRONMENT_PREFIX + name.upper(): value for name, value in settings.items() if value}

    def produce(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Keys and values as they are. Raises KafkaException when one was not delivered."""
        producer = Producer(with_pass_through(EVENT_PRODUCER, self.system.bootstrap, self.system.properties))
        for key, value in records:
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=_raise_failure)
                    break
                except BufferError:
                    producer.poll(0.1)
        while producer.flush(1.0):
            pass

    def keep_everything(self) -> None:
        """No compaction while what was written is counted."""
        names = self.cluster.topics
        for name in (names.state, names.checkpoints, names.outputs):
            alter(self.cluster.admin, name, min_compaction_lag_ms=str(DAY_MS))

    def records(self, topic: str) -> Iterator[Message]:
        """Of one of its topics, partition by partition."""
        reader = self.cluster.reader()
        try:
            for partition, log in self.cluster.log_ranges(topic, range(self.partitions)).items():
                for messages, _ in scan(reader, topic, partition, log.start, log.stable):
                    yield from messages
        finally:
            reader.close()

    def emitted(self) -> tuple[int, int]:
        """Records of the state topic, and the bytes of their values."""
        records = size = 0
        for message in self.records(self.cluster.topics.state):
            records += 1
            size += len(message)
        return records, size

    def config(self) -> WorkerConfig:
        """Of a worker that judges as one on this topic set does."""
        names = self.cluster.topics
        return WorkerConfig(
            topics=names,
            format=check(self.cluster.admin, names),
            codec=self.codec,
            transactional_id=self.cluster.transactional_id,
        )

    def forget_outputs(self, checkpoints: CheckpointPolicy = "off") -> None:
        """As if the events had never been read: the same log can be measured again, also with another policy."""
        self._delete([name for name in self._all() if name != self.cluster.topics.events])
        self.delete_group(self.cluster.group)
        self._create(checkpoints)

    def delete(self) -> None:
        self._delete(self._all())
        self.delete_group(self.cluster.group)

    def _all(self) -> list[str]:
        """Peers name the topics that they make for themselves after their group, which has our prefix."""
        everything = self.cluster.admin.client.list_topics(timeout=PATIENCE_S).topics
        return [name for name in everything if self.cluster.topics.prefix in name]

    def _delete(self, names: list[str]) -> None:
        admin = self.cluster.admin
        for future in admin.client.delete_topics(names).values():
            future.result()
        # the controller answers before the brokers know
        if not wait_until(lambda: not any(admin.topics(names).values()), PATIENCE_S):
            raise TimeoutError(f"topics were deleted and are still there: {', '.join(names)}")

    def delete_group(self, group: str) -> None:
        try:
            self.cluster.admin.client.delete_consumer_groups([group])[group].result()
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                print(f"group {group} is left behind: {failure.args[0].str()}", file=sys.stderr)


def _raise_failure(error: KafkaError | None, _: object) -> None:
    if error:
        raise KafkaException(error)


@contextmanager
def topics(
    on: System, name: str, checkpoints: CheckpointPolicy = "off", partitions: int = PARTITIONS
) -> Iterator[Topics]:
    made = Topics(on, name, checkpoints, partitions)
    try:
        yield made
    finally:
        made.delete()

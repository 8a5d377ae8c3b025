"""What may be tried at a broker with nothing but librdkafka; each try answers None where it succeeds, else the error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # it has no __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from llm_orchestrator_state.kafka.admin import Admin
from llm_orchestrator_state.kafka.topics import TopicSet
from tests.integration.harness import DEADLINE_S
from tests.integration.secured import User


def refusal(failure: KafkaException) -> KafkaError:
    error: KafkaError = failure.args[0]
    return error


def reads_from(user: User, topic: str) -> KafkaError | None:
    """The first that happens: a record, the end, or a refusal."""
    consumer = Consumer({**user.properties, "bootstrap.servers": user.bootstrap, "group.id": "nobody's",
                         "enable.partition.eof": True, "enable.auto.commit": False, "fetch.wait.max.ms": 10})  # fmt: skip
    try:
        # who may not even see the topic is told so here, and nothing where it is assigned
        error: KafkaError | None = consumer.list_topics(topic, DEADLINE_S).topics[topic].error
        if error is not None:
            return error
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        while True:
            message = consumer.poll(DEADLINE_S)
            assert message is not None
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                return None
            # that nobody's group may not be asked for is no refusal of records
            if error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
                return error
    finally:
        consumer.close()


def writes_to(user: User, topic: str) -> KafkaError | None:
    failures: list[KafkaError | None] = []
    producer = Producer({**user.properties, "bootstrap.servers": user.bootstrap})
    producer.produce(topic, b"v", b"k", 0, on_delivery=lambda error, _: failures.append(error))
    assert producer.flush(DEADLINE_S) == 0
    return failures[0]


def commits_to(user: User, group: str, topic: str) -> KafkaError | None:
    client = Admin(user.bootstrap, user.properties).client
    [answer] = client.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])]
    ).values()
    try:
        [committed] = answer.result().topic_partitions
    except KafkaException as failure:
        return refusal(failure)
    error: KafkaError | None = committed.error
    return error


def begins_as(user: User, transactional_id: str) -> KafkaError | None:
    producer = Producer({**user.properties, "bootstrap.servers": user.bootstrap, "transactional.id": transactional_id})
    try:
        producer.init_transactions(DEADLINE_S)
    except KafkaException as failure:
        return refusal(failure)
    return None


def administers(user: User, topics: TopicSet) -> dict[str, KafkaError | None]:
    client = Admin(user.bootstrap, user.properties).client
    change = ConfigResource(
        ConfigResource.Type.TOPIC, topics.events,
        incremental_configs=[ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)],
    )  # fmt: skip
    everything = AclBinding(ResourceType.TOPIC, "*", ResourcePatternType.LITERAL, user.principal, "*", AclOperation.ALL,
                            AclPermissionType.ALLOW)  # fmt: skip
    asked: dict[str, Callable[[], Mapping[Any, Future[Any]]]] = {
        "delete": lambda: client.delete_topics([topics.events]),
        "create": lambda: client.create_topics([NewTopic("another", 1, 1)]),
        "change": lambda: client.incremental_alter_configs([change]),
        "grant": lambda: client.create_acls([everything]),
        "trim": lambda: client.delete_records([TopicPartition(topics.events, 0, 1)]),
    }
    found: dict[str, KafkaError | None] = {}
    for what, ask in asked.items():
        [answer] = ask().values()
        try:
            answer.result()
        except KafkaException as failure:
            found[what] = refusal(failure)
        else:
            found[what] = None
    return found

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the binding's package has no __all__
    NewTopic,
)

from llm_orchestrator_state import errors
from llm_orchestrator_state.kafka.admin import Admin
from llm_orchestrator_state.kafka.format import Format, read_format
from llm_orchestrator_state.kafka.topics import TopicSet, check, create
from tests.cluster import KafkaCluster
from tests.topic_settings import alter


@pytest.fixture
def admin(kafka: str) -> Admin:
    return Admin(kafka)


@pytest.fixture
def topics(topic_prefix: str) -> TopicSet:
    return TopicSet(topic_prefix)


def problems(admin: Admin, topics: TopicSet) -> list[str]:
    with pytest.raises(errors.TopicMismatch) as mismatch:
        check(admin, topics)
    return str(mismatch.value).splitlines()[1:]


def record(kafka: str, topics: TopicSet, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topics.meta, value, b"format")
    assert producer.flush(10) == 0


def test_a_topic_set_is_made_recorded_and_found_again(admin: Admin, topics: TopicSet) -> None:
    made = create(admin, topics, partitions=3, checkpoints="requested")
    assert made == Format.current(3, "requested")
    assert check(admin, topics) == made
    found = admin.topics(list(topics.names().values()))
    assert {name: topic and topic.partitions for name, topic in found.items()} == {
        **dict.fromkeys(topics.names().values(), 3),
        topics.meta: 1,
    }


def test_making_it_again_changes_nothing(admin: Admin, topics: TopicSet) -> None:
    made = create(admin, topics, partitions=2, checkpoints="off")
    before = admin.topics(list(topics.names().values()))
    assert create(admin, topics) == made
    assert create(admin, topics, partitions=2, checkpoints="off") == made
    assert admin.topics(list(topics.names().values())) == before


def test_replicas_are_as_many_as_there_are_brokers_up_to_three(admin: Admin, topics: TopicSet) -> None:
    create(admin, topics, partitions=1)
    assert {topic and topic.replicas for topic in admin.topics(list(topics.names().values())).values()} == {
        min(3, admin.brokers)
    }


def test_what_is_fixed_for_life_cannot_be_asked_for_otherwise(admin: Admin, topics: TopicSet) -> None:
    create(admin, topics, partitions=2)
    with pytest.raises(errors.TopicMismatch, match="partitions=2, asked for 3"):
        create(admin, topics, partitions=3)
    with pytest.raises(errors.TopicMismatch, match="checkpoints=step, asked for off"):
        create(admin, topics, checkpoints="off")


def test_a_prefix_without_any_topic_is_told_in_one_line_with_the_command_that_makes_them(
    admin: Admin, topics: TopicSet
) -> None:
    with pytest.raises(errors.TopicMismatch) as mismatch:
        check(admin, topics)
    told = str(mismatch.value)
    assert told.startswith(f"no topic set has the prefix {topics.prefix!r} (there ")
    assert told.endswith(f"`llm-orchestrator-state topics create --topic-prefix {topics.prefix}`")
    assert "--" not in told.partition("`")[0]  # programs read it too, and have no flags
    assert "\n" not in told


def test_all_missing_topics_are_told_with_the_command_that_makes_them(admin: Admin, topics: TopicSet) -> None:
    admin.create_topics([NewTopic(topics.meta, 1, 1, config={"cleanup.policy": "compact"})])
    create_them = f"llm-orchestrator-state topics create --topic-prefix {topics.prefix}"
    assert problems(admin, topics) == [
        *(f"{name}: missing; repair: {create_them}" for name in topics.names().values() if name != topics.meta),
        f"{topics.meta}: has no record of the format; repair: {create_them}",
    ]


def test_missing_topics_are_made_with_the_partitions_of_the_others(admin: Admin, topics: TopicSet) -> None:
    admin.create_topics([NewTopic(topics.events, 2, 1, config={"max.message.bytes": "9000000"})])
    assert create(admin, topics).partitions == 2


def test_every_problem_is_told_with_what_repairs_it(kafka: str, admin: Admin, topics: TopicSet) -> None:
    create(admin, topics, partitions=2)
    alter(admin, topics.state, cleanup_policy="delete")
    alter(admin, topics.rejections, max_message_bytes="1000000")
    alter(admin, topics.checkpoints, delete_retention_ms="1000", min_insync_replicas="3")
    assert problems(admin, topics) == [
        f"{topic}: found {found}, needed {needed}; repair: kafka-configs --bootstrap-server {kafka} --alter "
        f"--entity-type topics --entity-name {topic} --add-config {repaired}"
        for topic, found, needed, repaired in (
            (topics.state, "cleanup.policy=delete", "compact", "cleanup.policy=compact"),
            (topics.checkpoints, "delete.retention.ms=1000", "at least 86400000", "delete.retention.ms=86400000"),
            (
                topics.checkpoints,
                "min.insync.replicas=3",
                "at most 1, its replicas: nothing can be written",
                "min.insync.replicas=1",
            ),
            (topics.rejections, "max.message.bytes=1000000", "at least 8519680", "max.message.bytes=8519680"),
        )
    ]


def test_more_generous_settings_are_no_problem(admin: Admin, topics: TopicSet) -> None:
    made = create(admin, topics, partitions=1)
    alter(admin, topics.state, delete_retention_ms="604800000", max_message_bytes="20000000", segment_bytes="1048576")
    alter(admin, topics.events, retention_ms="604800000")
    assert check(admin, topics) == made


def test_another_partition_count_cannot_be_repaired(admin: Admin, topics: TopicSet) -> None:
    admin.create_topics([NewTopic(topics.outputs, 3, 1)])
    with pytest.raises(errors.TopicMismatch, match="found 3 partitions, needed 2; cannot be repaired"):
        create(admin, topics, partitions=2)


def test_a_topic_set_without_its_format_is_told(admin: Admin, topics: TopicSet) -> None:
    create(admin, topics, partitions=1)
    admin.client.delete_topics([topics.meta])[topics.meta].result()
    deadline = time.monotonic() + 10
    while admin.topics([topics.meta])[topics.meta] and time.monotonic() < deadline:
        admin.client.poll(0.02)
    admin.create_topics([NewTopic(topics.meta, 1, 1, config={"cleanup.policy": "compact"})])
    (line,) = problems(admin, topics)
    assert line.startswith(f"{topics.meta}: has no record of the format; repair: llm-orchestrator-state topics create")
    create(admin, topics)


def test_a_topic_set_of_another_version_is_refused(kafka: str, admin: Admin, topics: TopicSet) -> None:
    made = create(admin, topics, partitions=1)
    record(kafka, topics, msgspec.structs.replace(made, window=64).to_json())
    (line,) = problems(admin, topics)
    assert "found window=64, needed window=32" in line
    record(kafka, topics, made.to_json()[:-1] + b',"shiny":1}')
    with pytest.raises(errors.TopicMismatch, match="another version"):
        check(admin, topics)


def test_the_last_record_of_the_format_counts(kafka: str, admin: Admin, topics: TopicSet) -> None:
    create(admin, topics, partitions=1)
    record(kafka, topics, Format.current(1, "off").to_json())
    found = read_format(admin, topics.meta)
    assert found
    assert found.checkpoints == "off"


def test_topics_that_are_there_already_can_still_be_told_where_they_are_rebuilt_from(
    admin: Admin, topics: TopicSet
) -> None:
    made = create(admin, topics, partitions=1, checkpoints="off")
    rebuilt = create(admin, topics, rebuilt_from="old")
    assert rebuilt == msgspec.structs.replace(made, rebuilt_from="old")
    assert create(admin, topics) == check(admin, topics) == rebuilt


def test_more_replicas_than_brokers_are_a_wrong_configuration(admin: Admin, topics: TopicSet) -> None:
    with pytest.raises(errors.Configuration, match="creating topic"):
        create(admin, topics, replication=admin.brokers + 1)


def test_a_broker_that_is_not_there_is_told_in_one_line_within_the_time_given() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(
            errors.Connection, match=r"no Kafka broker answered at .* within 1 s \(.*refused"
        ) as failure:
            Admin(address, timeout_s=1)
        assert time.monotonic() - began < 3
        assert "\n" not in str(failure.value)


def test_a_server_that_accepts_and_says_nothing_is_told_within_the_time_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(errors.Connection, match="within 1 s"):
            Admin(f"127.0.0.1:{silent.getsockname()[1]}", timeout_s=1)
        assert time.monotonic() - began < 3


def test_an_unknown_host_is_told_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(errors.Connection, match="unknown host"):
        Admin("no-such-host.invalid:9092")
    assert time.monotonic() - began < 5


def test_an_unknown_host_beside_a_known_one_does_no_harm(kafka: str) -> None:
    assert Admin(f"no-such-host.invalid:9092,{kafka}").brokers >= 1


def test_a_property_that_librdkafka_does_not_know_is_a_wrong_configuration(kafka: str) -> None:
    with pytest.raises(errors.Configuration, match=r"no\.such\.property"):
        Admin(kafka, {"no.such.property": "1"})


def test_a_broker_without_tls_is_told_from_one_that_is_away(kafka: str) -> None:
    with pytest.raises(errors.Connection, match=r"SSL (handshake failed|connection closed by peer)"):
        Admin(kafka, {"security.protocol": "ssl"}, timeout_s=5)


def test_wrong_credentials_are_told_at_once(tmp_path: Path) -> None:
    jaas = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        'username="broker" password="brokers" user_broker="brokers" user_worker="secret";'
    )
    sasl: dict[str, Any] = {
        "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": jaas,
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
    }
    credentials = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "worker"}
    with KafkaCluster(tmp_path, **sasl) as kafka:
        assert Admin(kafka.bootstrap, {**credentials, "sasl.password": "secret"}).brokers == 1
        began = time.monotonic()
        with pytest.raises(errors.Connection, match="refused the credentials"):
            Admin(kafka.bootstrap, {**credentials, "sasl.password": "wrong"})
        assert time.monotonic() - began < 5

"""What the engine's design rests on, asked of a real broker through the real clients."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined] # the binding's package has no __all__

from llm_orchestrator_state import errors
from llm_orchestrator_state.kafka import codes, offsets
from llm_orchestrator_state.kafka.admin import Admin
from llm_orchestrator_state.kafka.cluster import Cluster
from llm_orchestrator_state.kafka.interface import GroupConsumer, GroupOffset, Kafka, LogRange, TransactionalProducer
from llm_orchestrator_state.kafka.properties import MAX_OUTPUT_BYTES
from llm_orchestrator_state.kafka.topics import TopicSet, create
from tests.cluster import KafkaCluster

SOURCE_OFFSET = [("source-offset", b"1")]


@pytest.fixture
def topics(kafka: str, topic_prefix: str) -> TopicSet:
    topics = TopicSet(topic_prefix)
    create(Admin(kafka), topics, partitions=3)
    return topics


@pytest.fixture
def worker(kafka: str, topics: TopicSet) -> Cluster:
    return Cluster(kafka, topics, f"{topics.prefix}-group", "host-0")


@pytest.fixture
def other_worker(kafka: str, topics: TopicSet) -> Cluster:
    return Cluster(kafka, topics, f"{topics.prefix}-group", "host-1")


def until(condition: Callable[[], Any], *, within_s: float = 20, step: Callable[[], Any] = lambda: None) -> float:
    """Seconds until the condition held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, "it did not happen in time"
        step()
    return time.monotonic() - began


class Membership:
    """A consumer as the engine has it: assigned paused, at an offset that is never fetched from."""

    def __init__(self, cluster: Cluster, start: int = 0, *, paused: bool = True) -> None:
        self.topic = cluster.topics.events
        self.consumer: Any = cluster.group_consumer()
        self.owned: set[int] = set()
        self.calls: list[tuple[str, list[int]]] = []
        self.errors: list[KafkaError] = []
        self._start, self._paused = start, paused
        self.consumer.subscribe([self.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def _assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self.calls.append(("assign", sorted(p.partition for p in partitions)))
        at = [TopicPartition(p.topic, p.partition, self._start) for p in partitions]
        consumer.incremental_assign(at)
        if self._paused:
            consumer.pause(at)
        self.owned |= {p.partition for p in partitions}

    def _revoked(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        self.calls.append(("revoke", sorted(p.partition for p in partitions)))
        consumer.incremental_unassign(partitions)
        self.owned -= {p.partition for p in partitions}

    def poll(self) -> None:
        message = self.consumer.poll(0.02)
        if message and message.error():
            self.errors.append(message.error())

    def go_on_at(self, partition: int, offset: int) -> None:
        self.consumer.seek(TopicPartition(self.topic, partition, offset))
        self.consumer.resume([TopicPartition(self.topic, partition)])


@pytest.fixture
def join() -> Iterator[Callable[..., Membership]]:
    members: list[Membership] = []

    def joined(cluster: Cluster, *, start: int = 0, paused: bool = True) -> Membership:
        members.append(Membership(cluster, start, paused=paused))
        return members[-1]

    yield joined
    for member in members:
        member.consumer.close()


Join = Callable[..., Membership]


def poll_all(*members: Membership) -> Callable[[], None]:
    def step() -> None:
        for member in members:
            member.poll()

    return step


def transactional(cluster: Cluster) -> TransactionalProducer:
    producer = cluster.producer(cluster.transactional_id)
    producer.init_transactions(20)
    return producer


def begin(producer: TransactionalProducer, topic: str, count: int = 1, value: bytes = b"v") -> None:
    producer.begin_transaction()
    for number in range(count):
        producer.produce(topic, value, b"%d" % number, 0, headers=SOURCE_OFFSET)
    assert producer.flush(20) == 0


def send_offset(producer: TransactionalProducer, cluster: Cluster, member: GroupConsumer, offset: int) -> None:
    position = TopicPartition(cluster.topics.events, 0, offset, cluster.transactional_id)
    producer.send_offsets_to_transaction([position], member.consumer_group_metadata(), 10)


def settled(cluster: Cluster, topic: str) -> LogRange:
    """Markers are written after commit_transaction() and abort_transaction() have returned."""
    until(lambda: (now := cluster.log_ranges(topic, [0])[0]).stable == now.end, step=lambda: time.sleep(0.01))
    return cluster.log_ranges(topic, [0])[0]


def fill(kafka: str, topic: str, partitions: Sequence[int], count: int) -> None:
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5})
    for number in range(count):
        for partition in partitions:
            producer.produce(topic, b"%d" % number, b"k", partition)
        producer.poll(0)
    assert producer.flush(30) == 0


# --- the admin's answers


def test_it_is_what_the_engine_needs(worker: Cluster) -> None:
    as_kafka: Kafka = worker
    assert as_kafka.group_offsets([]) == {}
    assert as_kafka.log_ranges(worker.topics.state, []) == {}
    assert worker.transactional_id == f"{worker.topics.prefix}.host-0"


def test_nothing_committed_is_no_offset(worker: Cluster) -> None:
    assert worker.group_offsets([0, 2]) == {0: GroupOffset(None, "", False), 2: GroupOffset(None, "", False)}


def test_a_committed_offset_carries_its_owner(worker: Cluster, join: Join) -> None:
    member = join(worker)
    until(lambda: len(member.owned) == 3, step=member.poll)
    producer = transactional(worker)
    begin(producer, worker.topics.state)
    send_offset(producer, worker, member.consumer, 5)
    producer.commit_transaction(10)
    until(lambda: not worker.group_offsets([0])[0].pending)
    assert worker.group_offsets([0, 1]) == {
        0: GroupOffset(5, worker.transactional_id, False),
        1: GroupOffset(None, "", False),
    }


def test_an_offset_in_an_open_transaction_is_pending_and_the_last_stable_one_is_told(
    worker: Cluster, join: Join
) -> None:
    member = join(worker)
    until(lambda: len(member.owned) == 3, step=member.poll)
    producer = transactional(worker)
    begin(producer, worker.topics.state)
    send_offset(producer, worker, member.consumer, 5)
    assert worker.group_offsets([0])[0] == GroupOffset(None, "", True)
    producer.commit_transaction(10)
    until(lambda: not worker.group_offsets([0])[0].pending)
    begin(producer, worker.topics.state)
    send_offset(producer, worker, member.consumer, 9)
    assert worker.group_offsets([0, 1]) == {
        0: GroupOffset(5, worker.transactional_id, True),
        1: GroupOffset(None, "", False),
    }
    producer.abort_transaction(10)
    until(lambda: worker.group_offsets([0])[0] == GroupOffset(5, worker.transactional_id, False))


def test_an_open_transaction_holds_the_stable_offset_behind_the_end(worker: Cluster) -> None:
    topic = worker.topics.state
    producer = transactional(worker)
    assert worker.log_ranges(topic, [0, 1]) == {0: LogRange(0, 0, 0), 1: LogRange(0, 0, 0)}
    begin(producer, topic, 3)
    assert worker.log_ranges(topic, [0]) == {0: LogRange(0, 0, 3)}
    producer.abort_transaction(10)
    assert settled(worker, topic) == LogRange(0, 4, 4)


def test_a_dead_workers_transaction_ends_when_its_id_is_taken_over(worker: Cluster, other_worker: Cluster) -> None:
    topic = worker.topics.state
    zombie = transactional(worker)
    begin(zombie, topic)
    taken_over = other_worker.producer(worker.transactional_id)
    began = time.monotonic()
    taken_over.init_transactions(10)
    assert settled(other_worker, topic) == LogRange(0, 2, 2)
    assert time.monotonic() - began < 5  # the transaction's own time-out is 10 s
    with pytest.raises(KafkaException) as failure:
        zombie.commit_transaction(5)
    assert failure.value.args[0].code() == codes.FENCED
    assert failure.value.args[0].fatal()


def test_live_ids_are_those_of_the_groups_members(worker: Cluster, other_worker: Cluster, join: Join) -> None:
    assert worker.live_transactional_ids() == set()
    first, second = join(worker), join(other_worker)
    until(lambda: first.owned and second.owned, step=poll_all(first, second))
    assert worker.live_transactional_ids() == {worker.transactional_id, other_worker.transactional_id}
    second.consumer.unsubscribe()
    until(lambda: worker.live_transactional_ids() == {worker.transactional_id}, within_s=3)


def test_a_topic_made_anew_is_another_one(worker: Cluster) -> None:
    cluster_id, topic_id = worker.identity()
    assert worker.identity() == (cluster_id, topic_id)
    events = worker.topics.events
    worker.admin.client.delete_topics([events])[events].result()
    until(lambda: worker.admin.topics([events])[events] is None)
    with pytest.raises(errors.TopicMismatch, match="missing"):
        worker.identity()
    worker.admin.create_topics([NewTopic(events, 3, 1)])
    assert worker.identity() != (cluster_id, topic_id)
    assert worker.identity()[0] == cluster_id


def test_after_an_outage_in_which_questions_timed_out_they_are_answered_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the admin client the process aborts here, or the log's end is not told for minutes."""
    monkeypatch.setattr(offsets, "TIMEOUT_S", 1.0)
    topics = TopicSet("llm")
    with KafkaCluster(tmp_path) as kafka:
        create(Admin(kafka.bootstrap), topics, partitions=1)
        worker = Cluster(kafka.bootstrap, topics, "group", "host-0")
        questions: list[Callable[[], object]] = [
            lambda: worker.group_offsets([0]),
            lambda: worker.log_ranges(topics.state, [0]),
            worker.live_transactional_ids,
        ]
        before = [ask() for ask in questions]
        kafka.kill(0)
        for ask in questions:
            with pytest.raises(KafkaException):
                ask()
        kafka.start(0)
        for ask, answer in zip(questions, before, strict=True):
            until(lambda ask=ask, answer=answer: answered(ask) == answer, step=lambda: time.sleep(0.1))  # type: ignore[misc]


def answered(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except KafkaException as failure:
        return failure


# --- the group


def test_every_rebalance_ends_with_on_assign_also_where_nothing_changes(
    worker: Cluster, other_worker: Cluster, join: Join
) -> None:
    first = join(worker)
    until(lambda: len(first.owned) == 3, step=first.poll)
    second = join(other_worker)
    until(lambda: len(second.owned) == 1, step=poll_all(first, second))
    given_up = first.calls[1][1]
    until(lambda: len(first.calls) == 4, step=poll_all(first, second))
    assert first.calls == [("assign", [0, 1, 2]), ("revoke", given_up), ("assign", []), ("assign", [])]
    assert second.calls == [("assign", []), ("assign", given_up)]


def test_a_member_that_unsubscribes_is_followed_at_once(worker: Cluster, other_worker: Cluster, join: Join) -> None:
    first, second = join(worker), join(other_worker)
    until(lambda: len(first.owned | second.owned) == 3 and second.owned, step=poll_all(first, second))
    first.consumer.unsubscribe()
    assert not first.owned  # revoked within the call
    first.consumer.close()
    took = until(lambda: len(second.owned) == 3, step=second.poll)
    assert took < 5  # the session time-out, which a static member that only closes is waited for, is 10 s


def test_the_older_of_two_members_with_one_instance_id_is_told(worker: Cluster, join: Join) -> None:
    first = join(worker)
    until(lambda: len(first.owned) == 3, step=first.poll)
    second = join(worker)
    until(lambda: first.errors and len(second.owned) == 3, step=poll_all(first, second))
    (error,) = first.errors
    assert error.code() == codes.FATAL
    assert not error.fatal()
    assert "fenced" in error.str()


# --- fetching


def test_partitions_assigned_paused_deliver_nothing_until_they_are_sought_and_resumed(
    kafka: str, worker: Cluster, join: Join
) -> None:
    fill(kafka, worker.topics.events, [0, 1, 2], 200)
    member = join(worker, start=0)
    until(lambda: len(member.owned) == 3, step=member.poll)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        assert member.consumer.consume(100, 0.1) == []
    member.go_on_at(1, 100)
    messages: list[Any] = []
    until(lambda: messages, step=lambda: messages.extend(member.consumer.consume(1, 0.1)))
    assert [(message.partition(), message.offset()) for message in messages] == [(1, 100)]


def test_after_a_seek_nothing_of_before_is_delivered(kafka: str, worker: Cluster, join: Join) -> None:
    fill(kafka, worker.topics.events, [0, 1, 2], 5_000)
    member = join(worker, paused=False)
    until(lambda: len(member.owned) == 3, step=member.poll)
    choose = random.Random(1)
    delivered = 0
    for _ in range(100):
        due = {partition: choose.randrange(4_000) for partition in range(3)}
        for partition, offset in due.items():
            member.consumer.seek(TopicPartition(member.topic, partition, offset))
        for message in member.consumer.consume(choose.choice([1, 50, 1_000]), 0.05):
            assert message.offset() == due[message.partition()]
            due[message.partition()] += 1
            delivered += 1
    assert delivered > 1_000


def test_poll_and_an_unwaiting_consume_together_deliver_each_record_once(
    kafka: str, worker: Cluster, join: Join
) -> None:
    fill(kafka, worker.topics.events, [0, 1, 2], 5_000)
    member = join(worker, paused=False)
    due = dict.fromkeys(range(3), 0)

    def fetch() -> None:
        first = member.consumer.poll(0.1)
        for message in [*([first] if first else []), *member.consumer.consume(1_000, 0)]:
            assert message.offset() == due[message.partition()]
            due[message.partition()] += 1

    until(lambda: sum(due.values()) == 15_000, step=fetch)


def test_a_position_beyond_the_log_is_an_error_not_a_reset(kafka: str, worker: Cluster, join: Join) -> None:
    fill(kafka, worker.topics.events, [0, 1, 2], 1)
    member = join(worker, start=100, paused=False)
    until(lambda: member.errors, step=member.poll)
    assert {error.code() for error in member.errors} == {codes.AUTO_OFFSET_RESET}


# --- reading by position


def read(cluster: Cluster, start: int, end: int, within_s: float = 3) -> tuple[list[int], int]:
    """Offsets delivered, and the position reached (-1001: none)."""
    where = TopicPartition(cluster.topics.state, 0, start)
    reader = cluster.reader()
    reader.assign([where])
    deadline = time.monotonic() + within_s
    offsets: list[int] = []
    position = -1001
    while position < end and time.monotonic() < deadline:
        offsets += [message.offset() for message in reader.consume(100, 0.02)]
        position = reader.position([where])[0].offset
    reader.close()
    return offsets, position


def test_a_readers_position_passes_markers_and_aborted_records(worker: Cluster) -> None:
    producer = transactional(worker)
    begin(producer, worker.topics.state, 2)
    producer.commit_transaction(10)
    for _ in range(2):
        begin(producer, worker.topics.state, 2)
        producer.abort_transaction(10)
    assert settled(worker, worker.topics.state).end == 9
    assert read(worker, 0, 9) == ([0, 1], 9)
    assert read(worker, 5, 9) == ([], 9)
    assert read(worker, 8, 9) == ([], 9)


def test_a_reader_at_the_end_has_no_position(worker: Cluster) -> None:
    producer = transactional(worker)
    begin(producer, worker.topics.state, 1)
    producer.commit_transaction(10)
    assert settled(worker, worker.topics.state).end == 2
    assert read(worker, 2, 2, within_s=0.5) == ([], -1001)


def test_a_reader_stops_at_an_open_transaction(worker: Cluster) -> None:
    producer = transactional(worker)
    begin(producer, worker.topics.state, 2)
    producer.commit_transaction(10)
    settled(worker, worker.topics.state)
    begin(producer, worker.topics.state, 2)
    assert read(worker, 0, 5, within_s=1) == ([0, 1], 3)


# --- the producer


def test_a_record_of_the_largest_size_passes(worker: Cluster) -> None:
    largest = os.urandom(MAX_OUTPUT_BYTES - 2_048)  # incompressible; 2 KiB for the key, the headers and the batch
    topic = worker.topics.rejections
    producer = transactional(worker)
    producer.begin_transaction()
    producer.produce(topic, largest, b"k" * 36, 0, headers=[("detail", b"d" * 1_024)])
    producer.commit_transaction(20)
    reader = worker.reader()
    reader.assign([TopicPartition(topic, 0, 0)])
    found: list[Any] = []
    until(lambda: found, step=lambda: found.extend(reader.consume(1, 0.1)))
    assert found[0].value() == largest
    reader.close()


def test_a_fenced_producer_fails_with_a_kafka_exception_also_while_it_serves_reports(worker: Cluster) -> None:
    producer = transactional(worker)
    producer.begin_transaction()
    transactional(worker)
    reports: list[KafkaError | None] = []
    producer.produce(
        worker.topics.state, b"v", b"k", 0, headers=SOURCE_OFFSET, on_delivery=lambda error, _: reports.append(error)
    )
    with pytest.raises(KafkaException) as failure:
        producer.flush(10)
    assert failure.value.args[0].code() == codes.FENCED
    assert failure.value.args[0].fatal()


def test_offsets_sent_with_the_metadata_of_before_a_rebalance_abort_the_transaction(
    worker: Cluster, other_worker: Cluster, join: Join
) -> None:
    first = join(worker)
    until(lambda: len(first.owned) == 3, step=first.poll)
    before = first.consumer.consumer_group_metadata()
    second = join(other_worker)
    until(lambda: second.owned, step=poll_all(first, second))
    producer = transactional(worker)
    begin(producer, worker.topics.state)
    with pytest.raises(KafkaException) as failure:
        producer.send_offsets_to_transaction([TopicPartition(worker.topics.events, 0, 1)], before, 10)
    assert failure.value.args[0].txn_requires_abort()
    producer.abort_transaction(10)
    assert worker.group_offsets([0])[0] == GroupOffset(None, "", False)

"""The simulated transactions do what Kafka 4.4 and librdkafka 2.16 were seen to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.simulation.faults import Rates
from tests.simulation.group import GroupMetadata
from tests.simulation.log import NO_OFFSET
from tests.simulation.producer import SimProducer
from tests.simulation.world import World, error_of, position

STATE = "sim.state"


def produce(producer: SimProducer, value: bytes, **given: Callable[..., None]) -> None:
    producer.produce(STATE, value, b"key", 0, headers=[], **given)


def visible(world: World) -> list[bytes | None]:
    return [record.value() for record in world.cluster.log(STATE, 0).committed()]


def refused(call: Callable[[], object]) -> KafkaError:
    with pytest.raises(KafkaException) as raised:
        call()
    return error_of(raised.value)


def test_an_open_transaction_pins_the_last_stable_offset_and_an_aborted_one_is_never_seen() -> None:
    world = World()
    producer = world.producer(world.process("a"))
    producer.begin_transaction()
    produce(producer, b"1")
    producer.flush(1.0)
    log = world.cluster.log(STATE, 0)
    assert (log.stable, log.end) == (0, 1)
    producer.abort_transaction(10.0)
    assert (log.stable, log.end) == (2, 2)
    assert visible(world) == []


def test_a_control_record_moves_the_readers_position_and_is_not_delivered() -> None:
    world = World()
    process = world.process("a")
    producer = world.producer(process)
    producer.begin_transaction()
    produce(producer, b"1")
    producer.commit_transaction(10.0)
    reader = process.kafka.reader()
    where = TopicPartition(STATE, 0, 0)
    reader.assign([where])
    assert reader.position([where])[0].offset == NO_OFFSET
    assert [m.value() for m in reader.consume(10, 0.1)] == [b"1"]
    reader.consume(10, 0.1)
    assert reader.position([where])[0].offset == 2


def test_a_new_producer_with_the_same_id_aborts_and_fences_the_old_one() -> None:
    world = World()
    process = world.process("a")
    old = world.producer(process)
    old.begin_transaction()
    produce(old, b"1")
    old.flush(1.0)
    world.producer(process)
    error = refused(lambda: old.commit_transaction(10.0))
    assert (error.code(), error.fatal()) == (KafkaError._FENCED, True)
    assert refused(lambda: old.abort_transaction(10.0)).fatal()
    assert visible(world) == []


def test_a_transaction_that_lasts_too_long_is_aborted_at_the_brokers_next_scan() -> None:
    world = World()
    producer = world.producer(world.process("a"))
    producer.begin_transaction()
    produce(producer, b"1")
    producer.flush(1.0)
    log = world.cluster.log(STATE, 0)
    world.cluster.wait(9)
    assert log.open
    world.cluster.wait(11)
    assert not log.open
    assert refused(lambda: producer.commit_transaction(10.0)).fatal()


def test_offsets_are_pending_until_the_transaction_ends_and_carry_their_metadata() -> None:
    world = World()
    member = world.member("a")
    world.poll_all(member)
    producer = world.producer(member.process)
    producer.begin_transaction()
    metadata = member.consumer.consumer_group_metadata()
    producer.send_offsets_to_transaction([position(0, 5, "mine")], metadata, 10.0)
    assert member.process.kafka.group_offsets([0])[0] == (None, "", True)
    producer.commit_transaction(10.0)
    assert member.process.kafka.group_offsets([0])[0] == (5, "mine", False)


def test_offsets_of_an_older_generation_are_refused_and_the_transaction_must_be_aborted() -> None:
    world = World()
    member = world.member("a")
    world.poll_all(member)
    old = member.consumer.consumer_group_metadata()
    world.poll_all(member, world.member("b"))
    producer = world.producer(member.process)
    producer.begin_transaction()
    error = refused(lambda: producer.send_offsets_to_transaction([position(0, 5)], old, 10.0))
    assert (error.code(), error.txn_requires_abort()) == (KafkaError.ILLEGAL_GENERATION, True)
    assert refused(lambda: producer.commit_transaction(10.0)).txn_requires_abort()
    producer.abort_transaction(10.0)
    producer.begin_transaction()


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        (GroupMetadata(-1, "", "b"), KafkaError.UNKNOWN_MEMBER_ID),
        (GroupMetadata(1, "a-0", "a"), KafkaError.FENCED_INSTANCE_ID),
        (GroupMetadata(1, "gone", None), KafkaError.UNKNOWN_MEMBER_ID),
    ],
)
def test_offsets_of_who_is_no_member_are_refused(metadata: GroupMetadata, code: int) -> None:
    world = World()
    member = world.member("a")
    world.poll_all(member)
    producer = world.producer(member.process)
    producer.begin_transaction()
    assert refused(lambda: producer.send_offsets_to_transaction([position(0, 5)], metadata, 10.0)).code() == code


def test_metadata_without_a_generation_is_not_fenced_while_the_group_is_empty() -> None:
    world = World()
    process = world.process("a")
    producer = world.producer(process)
    producer.begin_transaction()
    producer.send_offsets_to_transaction([position(0, 5)], GroupMetadata(-1, "", "a"), 10.0)
    producer.commit_transaction(10.0)
    assert world.cluster.group.offsets[0].offset == 5


def test_an_aborted_transactions_queued_messages_are_reported_as_purged() -> None:
    world = World()
    producer = world.producer(world.process("a"))
    producer.begin_transaction()
    codes: list[int] = []
    for value in (b"1", b"2", b"3"):
        produce(producer, value, on_delivery=lambda error, _: codes.append(error.code() if error else 0))
    producer.abort_transaction(10.0)
    producer.poll(0)
    assert KafkaError._PURGE_QUEUE in codes
    assert len(codes) == 3


def test_a_commit_may_return_before_every_partition_shows_it() -> None:
    world = World()
    world.cluster.transactions.rates = Rates(fail=0, unknown=0, crash=0, stall=0, lazy=1)
    producer = world.producer(world.process("a"))
    unfinished = 0
    for _ in range(20):
        producer.begin_transaction()
        produce(producer, b"1")
        producer.produce("sim.rejections", b"2", b"key", 0, headers=[])
        producer.commit_transaction(10.0)
        unfinished += bool(world.cluster.log(STATE, 0).open) != bool(world.cluster.log("sim.rejections", 0).open)
        world.cluster.wait(0.1)
        world.cluster.wait(0.1)
    assert unfinished


def test_a_commit_of_unknown_outcome_may_have_happened_not_happened_or_happen_later() -> None:
    seen = set()
    for seed in range(100):
        world = World()
        process = world.process("a")
        producer = world.producer(process)
        producer.begin_transaction()
        produce(producer, b"1")
        producer.flush(1.0)
        world.rng.seed(seed)
        process.faults.rates = Rates(fail=0.5, unknown=0.5, crash=0, stall=0, lazy=0)
        error = refused(lambda producer=producer: producer.commit_transaction(0.1))  # type: ignore[misc]
        at_once = bool(visible(world))
        world.cluster.wait(6)
        when = "at once" if at_once else "later" if visible(world) else "never"
        seen.add((error.retriable(), error.txn_requires_abort(), when))
    assert seen == {
        (True, False, "at once"), (True, False, "never"), (False, True, "at once"), (False, True, "never"),
        (False, False, "later"), (False, False, "never"),
    }  # fmt: skip

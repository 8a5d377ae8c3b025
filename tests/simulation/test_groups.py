"""The simulated group coordinator and consumer do what Kafka 4.4 and librdkafka 2.16 were seen to do."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.simulation.world import World, error_of, position


def test_a_second_member_gets_half_of_the_partitions_after_the_first_has_given_them_up() -> None:
    world = World()
    first = world.member("a")
    world.poll_all(first)
    second = world.member("b")
    world.poll_all(first, second)
    assert sorted(first.owned + second.owned) == [0, 1]
    assert first.told[:3] == [("assign", [0, 1]), ("revoke", second.owned), ("assign", [])]
    assert second.told[:2] == [("assign", []), ("assign", second.owned)]


def test_a_member_that_is_not_heard_of_for_a_session_loses_its_partitions_and_is_told_at_its_next_poll() -> None:
    world = World()
    zombie, other = world.member("a"), world.member("b")
    world.poll_all(zombie, other)
    zombie.process.paused = True
    world.poll_all(other, rounds=20)
    assert other.owned == [0, 1]
    zombie.process.paused = False
    lost = zombie.owned
    world.poll_all(zombie, other, rounds=3)
    assert ("lost", lost) in zombie.told


def test_a_member_thrown_out_shows_in_its_metadata_before_it_is_told() -> None:
    world = World()
    zombie = world.member("a")
    world.poll_all(zombie)
    assert zombie.consumer.memberid() is not None
    zombie.process.paused = True
    world.cluster.wait(11)
    zombie.process.paused = False
    world.cluster.wait(0.1)
    assert zombie.consumer.memberid() is None
    assert zombie.consumer.membership.metadata() == (-1, "", "a")
    assert [kind for kind, _ in zombie.told] == ["assign"]


def test_a_static_member_that_comes_back_gets_its_partitions_without_a_rebalance() -> None:
    world = World()
    first, other = world.member("a"), world.member("b")
    world.poll_all(first, other)
    owned, generation = first.owned, world.cluster.group.generation
    first.process.faults.dead = True
    first.process.end(lost_writes=0)
    back = world.member("a")
    world.poll_all(back, other, rounds=4)
    assert back.owned == owned
    assert world.cluster.group.generation == generation


def test_a_partition_taken_from_a_static_member_that_crashed_before_it_was_told_stays_without_an_owner() -> None:
    world = World()
    first = world.member("a")
    world.poll_all(first)
    other = world.member("b")
    for _ in range(5):
        other.consumer.poll(1.0)
    first.process.faults.dead = True
    first.process.end(lost_writes=0)
    back = world.member("a")
    world.poll_all(back, other, rounds=30)
    assert len(back.owned + other.owned) == 1
    world.cluster.group.adopt_orphans(world.clock.now)
    world.poll_all(back, other)
    assert sorted(back.owned + other.owned) == [0, 1]


def test_of_two_members_with_one_instance_id_the_older_is_told_a_fatal_error_that_is_fatal_only_by_its_code() -> None:
    world = World()
    older = world.member("a")
    world.poll_all(older)
    newer = world.member("a")
    world.poll_all(newer, rounds=4)
    errors = [m.error() for _ in range(4) for m in older.consumer.consume(10, 1.0) if m.error()]
    assert [(error.code(), error.fatal()) for error in errors] == [(KafkaError._FATAL, False)]
    assert newer.owned == [0, 1]


def test_close_alone_calls_on_revoke_and_keeps_a_static_member_in_the_group() -> None:
    world = World()
    member = world.member("a")
    world.poll_all(member)
    member.consumer.close()
    assert member.told[-1] == ("revoke", [0, 1])
    assert world.cluster.group.live_instances() == ["a"]


def test_unsubscribe_before_close_lets_a_static_member_leave_at_once() -> None:
    world = World()
    member = world.member("a")
    world.poll_all(member)
    member.consumer.unsubscribe()
    member.consumer.close()
    assert member.told[-1] == ("revoke", [0, 1])
    assert world.cluster.group.live_instances() == []


def test_what_was_read_is_not_read_again_without_a_seek() -> None:
    world = World()
    world.append(0, b"1", b"2")
    member = world.member("a")
    world.poll_all(member)
    assert member.read == [b"1", b"2"]
    member.consumer.seek(position(0, 1))
    world.poll_all(member)
    assert member.read == [b"1", b"2", b"2"]


def test_a_paused_partition_delivers_nothing() -> None:
    world = World()
    member = world.member("a")
    world.poll_all(member)
    member.consumer.pause([position(0, 0)])
    world.append(0, b"1")
    world.poll_all(member)
    assert member.read == []
    member.consumer.resume([position(0, 0)])
    world.poll_all(member)
    assert member.read == [b"1"]


def test_a_position_beyond_the_log_is_said_once_and_then_nothing_comes() -> None:
    world = World()
    world.append(0, b"1")
    member = world.member("a")
    world.poll_all(member)
    member.consumer.seek(position(0, 7))
    codes = [m.error().code() for _ in range(4) for m in member.consumer.consume(10, 0.1) if m.error()]
    assert codes == [KafkaError._AUTO_OFFSET_RESET]


def test_seek_needs_an_assigned_partition() -> None:
    world = World()
    member = world.member("a")
    with pytest.raises(KafkaException) as raised:
        member.consumer.seek(TopicPartition("sim.events", 0, 1))
    assert error_of(raised.value).code() == KafkaError._STATE

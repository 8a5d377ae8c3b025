"""Courses of a worker that a seed rarely meets, laid out by hand."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from confluent_kafka import KafkaError

from tests.simulation.conditions import Conditions
from tests.simulation.engine import CODEC, Engine
from tests.simulation.faults import failure
from tests.simulation.invariants import source_offset
from tests.simulation.payloads import run_fields, uuid_text
from tests.simulation.process import SimProcess
from tests.simulation.producer import ABORTABLE, SimProducer
from tests.simulation.rewriting import Replaced, replaced
from tests.simulation.world import World


def creation(rng: Random) -> bytes:
    run_id = uuid_text(rng)
    return CODEC.encode_event({
        "event_id": uuid_text(rng), "run_id": run_id, "occurred_at": 1, "expected_version": None, "fencing_token": None,
        "transition": ("WorkflowCreated", run_fields("WorkflowCreated", rng, run_id, 1)),
    })  # fmt: skip


def rejected(world: World, partition: int) -> list[int]:
    """Offsets of events."""
    return [source_offset(record) for record in world.cluster.logs("rejections")[partition].committed()]


def test_what_was_fetched_is_dropped_when_another_partitions_commit_sends_its_partition_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.simulation.consumer.SMALL_FETCH", 0.0)
    conditions = Conditions(small_commits=True, commit_interval_s=60.0)
    with conditions.in_force():
        world, rng = World(), Random(1)
        process = world.process("a")
        worker = Engine(conditions).worker(process)
        while len(worker.progress().partitions) < 2:
            worker.step(0.1)
        world.append(1, creation(rng))
        worker.step(0.0)  # judged and not committed: more may come
        assert worker.progress().positions == {0: 0, 1: 1}

        send = SimProducer.send_offsets_to_transaction

        def refused_once(self: SimProducer, *arguments: Any) -> None:
            monkeypatch.setattr(SimProducer, "send_offsets_to_transaction", send)
            self._state = ABORTABLE
            raise failure(KafkaError.ILLEGAL_GENERATION, "offsets refused", txn_requires_abort=True)

        monkeypatch.setattr(SimProducer, "send_offsets_to_transaction", refused_once)
        world.append(0, *[creation(rng) for _ in range(40)])  # more than one commit takes
        world.append(1, creation(rng))
        deadline = world.clock.now + 60
        while world.clock.now < deadline:
            worker.step(0.1)
    assert len(rejected(world, 0)) == 40
    assert rejected(world, 1) == [0, 1]


class Standstill:
    """Lets others go on before one call of a process."""

    def __init__(self, process: SimProcess, call: str, meanwhile: Callable[[], None]) -> None:
        self.over = False
        self._process = process
        self._call = call
        self._meanwhile = meanwhile
        process.faults.trace = self._told

    def _told(self, line: str) -> None:
        if not self.over and line.endswith(f"{self._call} "):
            self.over = True
            self._process.paused = True
            self._meanwhile()
            self._process.paused = False


def be_thrown_out_in_a_rebalance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.consumer.SMALL_FETCH", 0.0)
    monkeypatch.setattr("tests.simulation.consumer.PREFETCH", 0.0)
    conditions = Conditions(small_commits=True)
    with conditions.in_force():
        world, rng = World(), Random(1)
        engine = Engine(conditions)
        process = world.process("a")
        worker = engine.worker(process)
        while len(worker.progress().partitions) < 2:
            worker.step(0.1)
        for partition in (0, 1):
            world.append(partition, *[creation(rng) for _ in range(40)])  # more than one commit takes
        other = world.process("b")
        joining = engine.worker(other)
        joining.step(0.1)
        world.cluster.wait(4)  # until the first knows of it

        def thrown_out() -> None:
            other.paused = True
            world.cluster.wait(11)

        stands = Standstill(process, "memberid", thrown_out)
        worker.step(0.0)
        assert stands.over
        assert [world.cluster.group.offsets[p].offset for p in (0, 1)] == [0, 0]
        assert rejected(world, 0) == rejected(world, 1) == []


def test_a_member_that_was_thrown_out_in_the_middle_of_a_rebalance_commits_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_thrown_out_in_a_rebalance(monkeypatch)
    no_member = "if offsets and group_metadata is None:"
    with replaced([Replaced("engine/transaction.py", no_member, "if False:")]), pytest.raises(AssertionError):
        be_thrown_out_in_a_rebalance(monkeypatch)

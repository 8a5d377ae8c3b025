"""Courses of a worker that a seed rarely meets, laid out by hand."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from confluent_kafka import KafkaError

from tests.simulation.conditions import Conditions
from tests.simulation.engine import CODEC, Engine
from tests.simulation.faults import failure
from tests.simulation.invariants import source_offset
from tests.simulation.payloads import run_fields, uuid_text
from tests.simulation.producer import ABORTABLE, SimProducer
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

"""The simulated stores survive their process and lose what a crash can lose."""

from __future__ import annotations

import pytest

from llm_orchestrator_state.errors import StateDirectory, StoreLocked
from llm_orchestrator_state.store.interface import Positions
from tests.simulation.faults import Crash, Rates
from tests.simulation.world import World


def test_what_was_written_is_there_after_a_crash_but_for_the_last_writes_that_were_lost() -> None:
    world = World()
    process = world.process("a")
    store = process.stores.open(0)
    for n in range(3):
        store.write([(b"run", b"%d" % n), (b"run-%d" % n, b"")], Positions(n, n, 0.0))
    process.faults.dead = True
    process.end(lost_writes=1)
    again = world.process("a").stores.open(0)
    assert dict(again.items()) == {b"run": b"1", b"run-0": b"", b"run-1": b""}
    assert again.positions() == Positions(1, 1, 0.0)


def test_a_store_is_locked_until_the_process_that_has_it_open_closes_it_or_dies() -> None:
    world = World()
    holder, other = world.process("a"), world.process("b")
    store = holder.stores.open(0)
    holder.paused = True
    with pytest.raises(StoreLocked):
        other.stores.open(0)
    holder.paused = False
    store.close()
    other.stores.open(0).close()


def test_a_write_that_fails_may_have_been_made() -> None:
    kept = set()
    for seed in range(20):
        world = World()
        process = world.process("a")
        store = process.stores.open(0)
        world.rng.seed(seed)
        process.faults.rates = Rates(fail=0.5, unknown=0.5, crash=0, stall=0, lazy=0)
        with pytest.raises(StateDirectory):
            store.write([(b"run", b"1")], Positions(1, 1, 0.0))
        kept.add(store.positions())
    assert kept == {None, Positions(1, 1, 0.0)}


def test_a_dead_process_can_do_nothing_more() -> None:
    world = World()
    process = world.process("a")
    producer = world.producer(process)
    process.faults.rates = Rates(fail=0, unknown=0, crash=1, stall=0, lazy=0)
    with pytest.raises(Crash):
        producer.begin_transaction()
    with pytest.raises(Crash):
        process.stores.open(0)

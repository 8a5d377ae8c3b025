"""What a worker's memory is divided into."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from llm_orchestrator_state.engine.memory import DEFAULT, FIXED, LEAST_PER_PROCESS, SHARES, memory_of_each, plan
from llm_orchestrator_state.errors import Configuration
from llm_orchestrator_state.kafka.properties import MAX_OUTPUT_BYTES
from llm_orchestrator_state.wire.codec import Codec
from tests.unit.records import T0, state, step

MIB = 1024 * 1024


@pytest.mark.parametrize("memory", [LEAST_PER_PROCESS, 512 * MIB, DEFAULT, 16 * DEFAULT])
def test_the_parts_together_with_what_they_cost_are_no_more_than_there_is(memory: int) -> None:
    parts = plan(memory)._asdict()
    assert sum(parts[name] * share.times for name, share in SHARES.items()) <= 0.92 * (memory - FIXED)


def test_a_workers_processes_share_its_memory() -> None:
    assert memory_of_each(DEFAULT, 2) == DEFAULT // 2
    assert memory_of_each(None, 1) == DEFAULT
    assert memory_of_each(None, 4) == LEAST_PER_PROCESS
    assert memory_of_each(None, 64) == LEAST_PER_PROCESS


def test_too_little_for_the_processes_is_refused_with_what_would_do() -> None:
    with pytest.raises(Configuration, match=r"memory is 1.0 GiB; expected at least 1.2 GiB for 5 processes"):
        memory_of_each(DEFAULT, 5)


@pytest.mark.parametrize("partitions", [1, 2, 32, 1000])
def test_a_queue_can_hold_the_largest_record(partitions: int) -> None:
    queues = plan(LEAST_PER_PROCESS).queues(partitions)
    assert min(queues) >= MAX_OUTPUT_BYTES
    for client in (queues.group_consumer(), queues.reader()):
        assert int(client["fetch.max.bytes"]) >= MAX_OUTPUT_BYTES


STATES: dict[str, Any] = {
    "small": lambda: state("running", *[step(f"s{n}", "completed", started_at=T0, completed_at=T0) for n in range(4)]),
    "many steps": lambda: state(
        "running", *[step(f"s{n}", "completed", started_at=T0, attempt=1) for n in range(20_000)]
    ),
    "large outputs": lambda: state("running", *[step(f"s{n}", outputs=f'"{"x" * 20_000}"') for n in range(100)]),
    "a large context": lambda: state("running", context=f'"{"x" * 4_000_000}"'),
    "many labels": lambda: state("running", labels={f"label {n}": "" for n in range(20_000)}),
    "usage": lambda: state("running", *[step(f"s{n}", usage={"in": 5_000_000, "out": 70_000}) for n in range(5_000)]),
}


@pytest.mark.parametrize("name", STATES)
def test_the_weight_of_a_run_is_no_less_than_the_memory_it_takes_and_not_a_multiple_of_it(name: str) -> None:
    codec = Codec()
    message = codec.encode_state(STATES[name]())
    tracemalloc.start()
    kept = codec.keep_state(message)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken + len(message) <= kept.weight * 1.1
    assert kept.weight <= 3 * (taken + len(message))

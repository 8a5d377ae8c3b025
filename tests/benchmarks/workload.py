"""Events of many runs at once in random order, the same ones for the same seed, with payloads that do not compress.

Workload A: created, started, four steps started and completed, completed; 5,000 runs at once.
Workload B: 1,000 events a run: created, started, then a hundred steps started and completed, again and again, each time
with the next attempt; 200 runs at once, whose states grow to some 18 KB.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from llm_orchestrator_state.model.records import EventRecord


class Shape(NamedTuple):
    """Of a run, and how many of them are active at once. An odd number of events ends with the run's completion.

    result_digits: of the random result in a step's outputs.
    """

    events: int
    steps: int
    active: int
    result_digits: int = 64


SHAPES = {"A": Shape(events=11, steps=4, active=5_000), "B": Shape(events=1_000, steps=100, active=200)}

_BEGIN = 1_767_600_000_000_000  # 2026-01-05T08:00:00Z


def of_steps(steps: int, active: int, result_digits: int = 64) -> Shape:
    """Whole runs, in which each step is started and completed once."""
    return Shape(2 * steps + 3, steps, active, result_digits)


class _Run:
    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.events = 0


def workload_a(events: int, active: int = SHAPES["A"].active, seed: int = 7) -> Iterator[EventRecord]:
    return workload(SHAPES["A"]._replace(active=active), events, seed)


def workload(shape: Shape, events: int, seed: int = 7) -> Iterator[EventRecord]:
    """Whole runs, so up to a run's events fewer than asked for. One event a millisecond."""
    random_bits = random.Random(seed)
    left = events // shape.events
    running: list[_Run] = []
    at = _BEGIN
    while left or running:
        while left and len(running) < shape.active:
            running.append(_Run(_uuid(random_bits)))
            left -= 1
        slot = random_bits.randrange(len(running))
        run = running[slot]
        at += 1_000
        yield _event(random_bits, run.id, at, _transition(random_bits, shape, run.events))
        run.events += 1
        if run.events == shape.events:
            running[slot] = running[-1]
            running.pop()


def created_runs(runs: int, context_bytes: int, seed: int = 11) -> Iterator[EventRecord]:
    """Runs that have only just begun, each with a context of at least so many bytes."""
    random_bits = random.Random(seed)
    for number in range(runs):
        context = f'{{"question":"{random_bits.getrandbits(4 * context_bytes):0{context_bytes}x}"}}'
        created = ("WorkflowCreated", _definition(random_bits) | {"context": context})
        yield _event(random_bits, _uuid(random_bits), _BEGIN + number * 1_000, created)


def with_old_runs(events: Iterable[EventRecord], old: Sequence[str], seed: int = 13) -> Iterator[EventRecord]:
    """After every tenth event one of an old run, which is open: it may be anywhere in the store."""
    random_bits = random.Random(seed)
    for number, event in enumerate(events, 1):
        yield event
        if number % 10 == 0:
            patch = ("ContextUpdated", {"patch": f'{{"seen":{number}}}'})
            yield _event(random_bits, old[random_bits.randrange(len(old))], event["occurred_at"], patch)


def _transition(random_bits: random.Random, shape: Shape, number: int) -> tuple[str, dict[str, Any]]:
    if number == 0:
        return "WorkflowCreated", _definition(random_bits) | {"context": _payload(random_bits)}
    if number == 1:
        return "WorkflowStarted", {}
    if number % 2 == 0 and number == shape.events - 1:
        return "WorkflowCompleted", {}
    turn, index = divmod(number // 2 - 1, shape.steps)
    step = {"step_id": f"step-{index:03d}", "attempt": turn + 1}
    if number % 2 == 0:
        return "StepStarted", step | {"inputs": _payload(random_bits)}
    return "StepCompleted", step | {"outputs": _payload(random_bits, shape.result_digits), "usage": {}}


def _definition(random_bits: random.Random) -> dict[str, Any]:
    return {
        "workflow_id": f"order-fulfilment-{random_bits.randrange(50):03d}",
        "workflow_name": "Order fulfilment",
        "user_id": None,
        "labels": {},
        "parent": None,
    }


def _event(random_bits: random.Random, run_id: str, at: int, transition: tuple[str, dict[str, Any]]) -> EventRecord:
    return {
        "event_id": _uuid(random_bits),
        "run_id": run_id,
        "occurred_at": at,
        "expected_version": None,
        "fencing_token": None,
        "transition": transition,
    }


def _payload(random_bits: random.Random, digits: int = 64) -> str:
    worker, duration_ms = random_bits.randrange(32), random_bits.randrange(1000, 9999)
    result = random_bits.getrandbits(4 * digits)
    return f'{{"worker":"worker-{worker:02d}","duration_ms":{duration_ms},"attempt":1,"result":"{result:0{digits}x}"}}'


def _uuid(random_bits: random.Random) -> str:
    text = f"{random_bits.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

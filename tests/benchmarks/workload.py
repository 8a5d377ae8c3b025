"""Events of many short runs, the same ones for the same seed, with payloads that do not compress.

Workload A: created, started, four steps started and completed, completed, of 5,000 runs at once in random order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from llm_orchestrator_state.model.records import EventRecord

STEPS = 4
EVENTS_PER_RUN = 3 + 2 * STEPS
ACTIVE_RUNS = 5_000

_BEGIN = 1_767_600_000_000_000  # 2026-01-05T08:00:00Z


class _Run:
    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.events = 0


def workload_a(events: int, active: int = ACTIVE_RUNS, seed: int = 7) -> Iterator[EventRecord]:
    """Whole runs, so up to ten events fewer than asked for. One event a millisecond."""
    random_bits = random.Random(seed)
    left = events // EVENTS_PER_RUN
    running: list[_Run] = []
    at = _BEGIN
    while left or running:
        while left and len(running) < active:
            running.append(_Run(_uuid(random_bits)))
            left -= 1
        slot = random_bits.randrange(len(running))
        run = running[slot]
        at += 1_000
        yield _event(random_bits, run.id, at, _transition(random_bits, run.events))
        run.events += 1
        if run.events == EVENTS_PER_RUN:
            running[slot] = running[-1]
            running.pop()


def created_runs(runs: int, context_bytes: int, seed: int = 11) -> Iterator[EventRecord]:
    """Runs that have only just begun, each with a context of at least so many bytes."""
    random_bits = random.Random(seed)
    for number in range(runs):
        context = f'{{"question":"{random_bits.getrandbits(4 * context_bytes):0{context_bytes}x}"}}'
        created = ("WorkflowCreated", _definition(random_bits) | {"context": context})
        yield _event(random_bits, _uuid(random_bits), _BEGIN + number * 1_000, created)


def _transition(random_bits: random.Random, number: int) -> tuple[str, dict[str, Any]]:
    if number == 0:
        return "WorkflowCreated", _definition(random_bits) | {"context": _payload(random_bits)}
    if number == 1:
        return "WorkflowStarted", {}
    if number == EVENTS_PER_RUN - 1:
        return "WorkflowCompleted", {}
    step = {"step_id": f"step-{number // 2 - 1:03d}", "attempt": 1}
    if number % 2 == 0:
        return "StepStarted", step | {"inputs": _payload(random_bits)}
    return "StepCompleted", step | {"outputs": _payload(random_bits), "usage": {}}


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


def _payload(random_bits: random.Random) -> str:
    worker, duration_ms = random_bits.randrange(32), random_bits.randrange(1000, 9999)
    result = random_bits.getrandbits(256)
    return f'{{"worker":"worker-{worker:02d}","duration_ms":{duration_ms},"attempt":1,"result":"{result:064x}"}}'


def _uuid(random_bits: random.Random) -> str:
    text = f"{random_bits.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

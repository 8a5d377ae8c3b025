"""The state store: what one caller waits for, and how many saves a second many callers get."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from llm_orchestrator_state import AsyncKafkaStateStore, KafkaStateStore
from llm_orchestrator_state.model import Checkpoint, StepState, WorkflowState
from tests.benchmarks.probes import percentiles_ms
from tests.benchmarks.program import Program
from tests.benchmarks.system import System, Topics, topics

SAVERS, CROWD = 16, 256
STEPS = 10
TEXT_BYTES = 150
LISTS = 10

Figures = dict[str, Any]


def store(on: System, runs: int, calls: int) -> Figures:
    """runs: active ones in the store. calls: of each kind that are timed; four times as many saves at once."""
    texts = random.Random(11)
    with topics(on, "store", checkpoints="requested") as made, _worker(made) as worker, _opened(made) as opened:
        states = _states(texts, runs)
        _each(opened.save_workflow_state, states)
        ids = [state.id for state in states]
        figures = {
            "runs": runs,
            "state_bytes": len(states[0].to_json()),
            "calls": calls,
            "save_new": _timed(opened.save_workflow_state, _states(texts, calls)),
            "save_again": _timed(opened.save_workflow_state, states[:calls]),
            "load": _timed(opened.load_workflow_state, texts.choices(ids, k=calls)),
            "checkpoint": _timed(opened.create_checkpoint, [_checkpoint(each) for each in states[:calls]]),
            "latest_checkpoint": _timed(opened.get_latest_checkpoint, ids[:calls]),
            "list": _timed(lambda _: len(opened.list_active_workflows()), range(LISTS)),
            "list_and_look": _timed(lambda _: sum(1 for _ in opened.list_active_workflows()), range(LISTS)),
            "savers": SAVERS,
            "threads_per_s": _rate(_states(texts, 4 * calls), lambda new: _each(opened.save_workflow_state, new)),
            "tasks_per_s": _rate(_states(texts, 4 * calls), lambda new: asyncio.run(_in_tasks(made, new, SAVERS))),
            "crowd": CROWD,
            "crowd_per_s": _rate(_states(texts, 4 * calls), lambda new: asyncio.run(_in_tasks(made, new, CROWD))),
        }  # fmt: skip
        worker.stop()
    return figures


@contextmanager
def _worker(made: Topics) -> Iterator[Program]:
    log = made.system.directory / "store.log"
    with Program("llm_orchestrator_state", "worker", environment=made.environment(), log=log) as program:
        yield program


@contextmanager
def _opened(made: Topics) -> Iterator[KafkaStateStore]:
    with KafkaStateStore(
        made.system.bootstrap, topic_prefix=made.cluster.topics.prefix, properties=made.system.properties
    ) as opened:
        yield opened


def _state(texts: random.Random) -> WorkflowState:
    state = WorkflowState.new("triage", "Ticket triage", "user-1", {"ticket": texts.getrandbits(32)})
    state.mark_running()
    for number in range(STEPS):
        step = state.steps[f"step-{number:02}"] = StepState.new(f"step-{number:02}")
        step.mark_running()
        step.mark_completed({"result": f"{texts.getrandbits(4 * TEXT_BYTES):0{TEXT_BYTES}x}"})
    return state


def _states(texts: random.Random, number: int) -> list[WorkflowState]:
    return [_state(texts) for _ in range(number)]


def _checkpoint(state: WorkflowState) -> Checkpoint:
    return Checkpoint.new(state.id, "step-09", state)


def _each(call: Callable[[WorkflowState], object], states: Sequence[WorkflowState]) -> None:
    with ThreadPoolExecutor(SAVERS) as pool:
        for _ in pool.map(call, states):
            pass


async def _in_tasks(made: Topics, states: Sequence[WorkflowState], savers: int) -> float:
    """Seconds, without those of the opening."""
    left = iter(states)

    async def save() -> None:
        for state in left:
            await opened.save_workflow_state(state)

    async with AsyncKafkaStateStore(
        made.system.bootstrap, topic_prefix=made.cluster.topics.prefix, properties=made.system.properties
    ) as opened:
        began = time.perf_counter()
        await asyncio.gather(*(save() for _ in range(savers)))
        return time.perf_counter() - began


def _timed(call: Callable[[Any], object], each: Sequence[Any]) -> dict[str, float]:
    seconds = []
    for one in each:
        began = time.perf_counter()
        call(one)
        seconds.append(time.perf_counter() - began)
    return percentiles_ms(seconds)


def _rate(states: Sequence[WorkflowState], save_all: Callable[[Sequence[WorkflowState]], float | None]) -> float:
    began = time.perf_counter()
    told = save_all(states)
    return len(states) / (told or time.perf_counter() - began)

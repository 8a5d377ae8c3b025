"""Whether the cost stays flat: with many runs in the store, in long runs, and with large outputs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple
from uuid import UUID

from llm_orchestrator_state.model.fold import fold
from tests.benchmarks.machine import peak_mib
from tests.benchmarks.peers.conditions import Conditions
from tests.benchmarks.peers.ours import Ours
from tests.benchmarks.probes import probes
from tests.benchmarks.program import Program
from tests.benchmarks.system import System, Topics, topics
from tests.benchmarks.until_end import until_end
from tests.benchmarks.workload import Shape, created_runs, of_steps, with_old_runs, workload, workload_a

CONTEXT_BYTES = 300
"""Makes states of some 490 bytes."""

FEW_RUNS = 10_000
LONG, SHORT = 1_000, 10
LARGE_STEPS, LARGE_DIGITS = 200, 20_000
STARTING_S, PATIENCE_S = 60.0, 30.0
RESTORE_S = 600.0

Figures = dict[str, Any]


# --- many runs in the store --------------------------------------------------------------------------------------------


def many_runs(on: System, events: int, stored: int) -> Figures:
    """The same events with few and with many runs in the store; every eleventh event is of one of those."""
    rows = [_with_stored(on, events, number) for number in (FEW_RUNS, stored)]
    few, many = rows
    return {
        "rows": rows,
        "named": {
            f"flat.runs_{stored}": many["events_per_s"] / few["events_per_s"],
            f"peak_mib.runs_{stored}": many["peak_mib"],
        },
    }


def _with_stored(on: System, events: int, stored: int) -> Figures:
    with topics(on, f"runs-{stored}") as made:
        old = _Stored(made, stored)
        made.produce(made.cluster.topics.state, old.records())
        _restore(made)
        made.publish(with_old_runs(workload_a(events), old))
        said = until_end(made)
    return {"stored": stored, **_cost(said)}


def _restore(made: Topics) -> None:
    """A worker's store as long as there is no event: a partition begins as soon as it is restored, and others go on."""
    log = made.system.directory / "worker.log"
    command = ("llm_orchestrator_state", "worker", "--until-end")
    with Program(*command, environment=made.environment(), log=log) as program:
        program.wait(RESTORE_S)


class _Stored(Sequence[str]):
    """Ids of runs that have only just begun, and their states: written as a restore finds them, not folded one by one."""

    def __init__(self, made: Topics, number: int) -> None:
        (created,) = created_runs(1, CONTEXT_BYTES)
        state = fold(None, created, "off")[1]
        assert state is not None
        self._number = number
        self._template = made.codec.encode_state(state)
        self._id = state["id"].encode()
        self._question = state["context"].split('"')[3].encode()

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: Any) -> str:
        # an odd factor gives each index another id, far from its neighbours'
        return str(UUID(int=(index + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        random_bits = random.Random(5)
        digits = len(self._question)
        for index in range(self._number):
            key = self[index].encode()
            question = b"%0*x" % (digits, random_bits.getrandbits(4 * digits))
            yield key, self._template.replace(self._id, key).replace(self._question, question)


# --- long runs ---------------------------------------------------------------------------------------------------------


def long_runs(on: System, active: int) -> Figures:
    """active: runs of 1,000 steps that take turns; and as many at once of 10 steps, a quarter of the events."""
    long, short = of_steps(LONG, active), of_steps(SHORT, active)
    rows = [
        _of_shape(on, short, active * long.events // 4),
        _of_shape(on, long, active * long.events),
    ]
    return {
        "rows": rows,
        "named": {
            "flat.long_runs": rows[0]["events_per_s"] / rows[1]["events_per_s"],
            "peak_mib.long_runs": rows[1]["peak_mib"],
        },
    }


def _of_shape(on: System, shape: Shape, events: int) -> Figures:
    with topics(on, f"steps-{shape.steps}") as made:
        made.publish(workload(shape, events))
        said = until_end(made)
    return {"steps": shape.steps, "active": shape.active, **_cost(said)}


def _cost(said: Figures) -> Figures:
    assert said["applied"] == said["events"], "the workloads have no duplicates, and nothing to reject"
    return {
        "events": said["events"],
        "events_per_s": said["events"] / said["seconds"],
        "cpu_us": (said["cpu_s"] + said["broker_s"]) / said["events"] * 1e6,
        "peak_mib": said["peak_mib"],
    }


# --- large outputs -----------------------------------------------------------------------------------------------------


class _Written(NamedTuple):
    records: int
    bytes: int


def large_outputs(on: System, steps: int) -> Figures:
    """One run with large outputs, one event per commit, a checkpoint after each step: what is written for it."""
    shape = of_steps(steps, 1, LARGE_DIGITS)
    with ExitStack() as open_, topics(on, "outputs", "step") as made:
        made.keep_everything()
        (worker,) = Ours.as_started().programs(
            made, made.cluster.group, made.state_dir, Conditions("outputs", 0, 1, 200)
        )
        open_.enter_context(worker)
        with probes(made) as probing:
            for event in workload(shape, shape.events):
                probing.send(event)
                probing.receive_all(STARTING_S if not probing.latencies_s else PATIENCE_S)
        mib = peak_mib(worker.pid)
        worker.stop()
        names = made.cluster.topics
        published = _written(made, names.events)
        written = {name: _written(made, getattr(names, name)) for name in ("state", "checkpoints", "outputs")}
    ratio = sum(each.bytes for each in written.values()) / published.bytes
    return {
        "steps": steps,
        "output_bytes": LARGE_DIGITS,
        "events": published._asdict(),
        "written": {name: each._asdict() for name, each in written.items()},
        "peak_mib": mib,
        "named": {"flat.large_outputs": ratio, "peak_mib.large_outputs": mib},
    }


def _written(made: Topics, topic: str) -> _Written:
    sizes = [len(message) + len(message.key() or b"") for message in made.records(topic)]
    return _Written(len(sizes), sum(sizes))

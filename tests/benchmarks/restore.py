"""Starting again: with the local store, and without it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

from tests.benchmarks.machine import peak_mib
from tests.benchmarks.peers.conditions import OURS, QUIX, Conditions, Contender
from tests.benchmarks.peers.kafka_streams import KafkaStreams
from tests.benchmarks.peers.measurement import Observer
from tests.benchmarks.peers.ours import Ours
from tests.benchmarks.peers.python_peers import PythonPeer
from tests.benchmarks.peers.tables import table
from tests.benchmarks.probes import probes
from tests.benchmarks.system import System, Topics, topics
from tests.benchmarks.workload import created_runs

CONTEXT_BYTES = 300
"""Makes states of some 490 bytes."""

PATIENCE_S = 300.0
TIMES = 2
COMMIT_MS = 100
NEW_EVENTS = 8
"""Published before each start: enough to have one in each partition."""

Figures = dict[str, Any]


def restore(on: System, states: int, few: int) -> Figures:
    """few: for Quix Streams, which takes long to fill and to restore."""
    quix = on.directory / "quix-schemas"
    quix.mkdir(exist_ok=True)
    heats: list[tuple[int, list[Contender]]] = [
        (states, [Ours.as_started(), KafkaStreams()]),
        (few, [PythonPeer(QUIX, quix)]),
    ]
    rows: list[Figures] = []
    for number, contenders in heats:
        with topics(on, f"restore-{number}") as made:
            made.publish(created_runs(number, CONTEXT_BYTES))
            rows += [_restarted(made, contender, number) for contender in contenders]
    return {"rows": rows, "named": {**named(rows), "peak_mib.restore": rows[0]["peak_mib"]}}


def named(rows: Sequence[Figures]) -> dict[str, float]:
    """``restore.<contender>.per_s``: state records in a cold start; ``restore.<contender>.warm_s``: of a start with the
    store there; without the units ours divided by the peer's, as ``restore.<peer>.cold`` and ``restore.<peer>.warm``.
    """
    found: dict[str, float] = {}
    ours = next(row for row in rows if row["contender"] == OURS)
    for row in rows:
        name = f"restore.{row['contender']}"
        found[f"{name}.per_s"], found[f"{name}.warm_s"] = row["states_per_s"], row["warm_start_s"]
        if row is not ours:
            found[f"{name}.cold"] = ours["states_per_s"] / row["states_per_s"]
            found[f"{name}.warm"] = ours["warm_start_s"] / row["warm_start_s"]
    return found


class _Restarts:
    """One contender on a log that it has folded once."""

    def __init__(self, made: Topics, contender: Contender, states: int) -> None:
        self._made = made
        self._contender = contender
        self._conditions = Conditions("A", states, 1, COMMIT_MS)
        self._group = made.cluster.group if contender.name == OURS else f"{made.cluster.topics.prefix}.{contender.name}"
        self.directory = made.system.directory / f"{contender.name}-restore"
        self.peak_mib = 0.0

    def fold(self) -> None:
        with ExitStack() as running:
            (program,) = self._contender.programs(self._made, self._group, self.directory, self._conditions)
            running.enter_context(program)
            Observer(self._made, self._group, [program]).until_committed(PATIENCE_S)
            program.stop()

    def start_s(self) -> float:
        """From the process's start until the states of new events are visible, one at least in each partition."""
        with ExitStack() as running:
            probing = running.enter_context(probes(self._made))
            for event in created_runs(NEW_EVENTS, CONTEXT_BYTES, seed=time.time_ns()):
                probing.send(event)
            (program,) = self._contender.programs(self._made, self._group, self.directory, self._conditions)
            running.enter_context(program)
            probing.receive_all(PATIENCE_S)
            took = time.perf_counter() - program.began
            self.peak_mib = max(self.peak_mib, peak_mib(program.pid))
            program.stop()
        return took


def _restarted(made: Topics, contender: Contender, states: int) -> Figures:
    made.forget_outputs()
    restarts = _Restarts(made, contender, states)
    restarts.fold()
    warm = [restarts.start_s() for _ in range(TIMES)]
    cold = []
    for _ in range(TIMES):
        shutil.rmtree(restarts.directory)
        cold.append(restarts.start_s())
    shutil.rmtree(restarts.directory)
    restore_s = median(cold) - median(warm)
    return {
        "contender": contender.name,
        "states": states,
        "warm_start_s": median(warm),
        "cold_start_s": median(cold),
        "restore_s": restore_s,
        "states_per_s": states / restore_s,
        "peak_mib": restarts.peak_mib,
    }


def restore_text(figures: Figures) -> str:
    head = ["process start to the commit of a new event", "states", "warm s", "cold s", "restored/s", "MiB"]
    note = "restored/s: of what a cold start takes longer than a warm one."
    lines = [
        [
            row["contender"],
            f"{row['states']:,}",
            f"{row['warm_start_s']:.2f}",
            f"{row['cold_start_s']:.2f}",
            f"{row['states_per_s']:,.0f}",
            f"{row['peak_mib']:,.0f}",
        ]
        for row in figures["rows"]
    ]
    return f"{table(head, lines)}\n\n{note}"

"""One contender on one log: from its first event until the group's offsets say that all are committed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from tests.benchmarks import machine
from tests.benchmarks.peers.conditions import Conditions, Contender
from tests.benchmarks.peers.reference import Reference
from tests.benchmarks.program import Program, ProgramFailed
from tests.benchmarks.system import Topics

SAMPLE_S = (0.02, 0.1)
"""Shortest and longest time between two looks. A look costs the broker a millisecond or two."""

STARTING_S = 60.0
SLOWEST_PER_S = 300
"""A contender that does less is given up."""

Figures = dict[str, Any]


class Sample(NamedTuple):
    """At a moment of perf_counter(): events committed, and CPU seconds until then of the contender, of the broker, and of
    everything on this machine.
    """

    at: float
    committed: int
    cpu_s: float
    broker_s: float
    busy_s: float


class Observer:
    """Looks at a contender from outside, in the same way at each."""

    def __init__(self, made: Topics, group: str, programs: Sequence[Program]) -> None:
        topic, numbers = made.cluster.topics.events, range(made.partitions)
        self._asking = Consumer({"bootstrap.servers": made.system.bootstrap, "group.id": group})
        self._partitions = [TopicPartition(topic, number) for number in numbers]
        self._programs = programs
        self._broker = made.system.broker_pid
        self.end = sum(log.end for log in made.cluster.log_ranges(topic, numbers).values())

    def _sample(self) -> Sample:
        offsets = self._asking.committed(self._partitions, timeout=STARTING_S)
        return Sample(
            time.perf_counter(),
            sum(max(found.offset, 0) for found in offsets),
            sum(machine.cpu_s(program.pid) for program in self._programs),
            machine.cpu_s(self._broker) if self._broker else 0.0,
            machine.busy_s(),
        )

    def until_committed(self, patience_s: float) -> list[Sample]:
        samples = [self._sample()]
        while samples[-1].committed < self.end:
            if samples[-1].at > samples[0].at + patience_s:
                raise ProgramFailed(
                    f"{samples[-1].committed:,} of {self.end:,} events are committed after {patience_s:.0f} s"
                )
            for program in self._programs:
                program.leave_alone(self._pause_s(samples) / len(self._programs))
            samples.append(self._sample())
        return samples

    def _pause_s(self, samples: Sequence[Sample]) -> float:
        """The shorter, the nearer the end is."""
        shortest, longest = SAMPLE_S
        idle = next((sample for sample in reversed(samples) if not sample.committed), samples[0])
        last = samples[-1]
        if not last.committed:
            return longest
        left_s = (self.end - last.committed) * (last.at - idle.at) / last.committed
        return min(longest, max(shortest, left_s / 4))


def measure(contender: Contender, made: Topics, group: str, conditions: Conditions, reference: Reference) -> Figures:
    """The log is as before afterwards, and what else was there is replaced. Raises ProgramFailed."""
    made.forget_outputs(contender.checkpoints)
    directory = made.system.directory / f"{contender.name}-state"
    started = time.perf_counter()
    with ExitStack() as running:
        programs = [running.enter_context(each) for each in contender.programs(made, group, directory, conditions)]
        observer = Observer(made, group, programs)
        samples = observer.until_committed(STARTING_S + observer.end / SLOWEST_PER_S)
        peak_mib = sum(machine.peak_mib(program.pid) for program in programs)
        for program in programs:
            program.stop()
        # of two workers one may have had nothing to do
        began = min(line["at"] for program in programs for line in program.said() if line["what"] == "began")
    emitted = reference.compare(made)
    made.delete_group(group)
    shutil.rmtree(directory)
    first = max((sample for sample in samples if sample.at <= began), default=samples[0])
    half = next(sample for sample in samples if sample.committed >= observer.end / 2)
    last = samples[-1]
    cpu_s, broker_s = last.cpu_s - first.cpu_s, last.broker_s - first.broker_s
    return {
        "contender": contender.name,
        **conditions._asdict(),
        "events": observer.end,
        "partitions": made.partitions,
        "means": contender.means(conditions),
        "startup_s": began - started,
        "seconds": last.at - began,
        "events_per_s": 0.0 if emitted.wrong else observer.end / (last.at - began),
        "second_half_per_s": None if half is last else (observer.end - half.committed) / (last.at - half.at),
        "cpu_us": cpu_s / observer.end * 1e6,
        "broker_cpu_us": broker_s / observer.end * 1e6 if made.system.broker_pid else None,
        "other_cpu_s": last.busy_s - first.busy_s - cpu_s - broker_s,
        "peak_mib": peak_mib,
        "states_emitted": emitted.records,
        "state_bytes": emitted.bytes / max(1, emitted.records),
        "runs": emitted.runs,
        "wrong": emitted.wrong,
    }

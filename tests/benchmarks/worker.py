"""The worker of the command line, in the same process, telling what it does: one JSON object a line.

{"what": "began"}: it has judged events, since this moment of
perf_counter(). {"what": "ended"}: it has committed all that were there at the start. It is configured as the command is,
by environment variables.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, NamedTuple

import msgspec

from llm_orchestrator_state.cli import worker_loop as command
from llm_orchestrator_state.cli.flags import Given
from llm_orchestrator_state.cli.session import Session
from llm_orchestrator_state.engine.progress import Progress
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.kafka.cluster import Cluster
from tests.benchmarks import machine


class Moment(NamedTuple):
    at: float
    cpu_s: float
    progress: Progress

    @classmethod
    def now(cls, worker: Worker) -> Moment:
        return cls(time.perf_counter(), time.process_time(), worker.progress())

    @property
    def judged(self) -> int:
        return self.progress.counts.applied + self.progress.counts.duplicate + self.progress.counts.all_rejected


class Course:
    """What happened between the steps of a worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._last = Moment.now(worker)
        self._began: Moment | None = None
        """Before the first event was judged, and without the waiting for it."""
        self._committed: list[tuple[float, int]] = []
        """When, and how many events were judged by then."""

    def note(self) -> None:
        before, self._last = self._last, Moment.now(self._worker)
        now = self._last
        if self._began is None and now.judged:
            poll = now.progress.seconds["poll"]
            worked_s = sum(now.progress.seconds.values()) - sum(before.progress.seconds.values())
            worked_s -= poll - before.progress.seconds["poll"]
            progress = before.progress._replace(seconds=before.progress.seconds | {"poll": poll})
            self._began = Moment(now.at - worked_s, before.cpu_s, progress)
            say("began", at=self._began.at)
        if now.progress.commits > before.progress.commits:
            self._committed.append((now.at, now.judged))

    def end(self) -> None:
        began, now = self._began, self._last
        assert began is not None, "there were events"
        spent = {name: s - began.progress.seconds[name] for name, s in now.progress.seconds.items()}
        until, events = self._committed[-1]
        half_at, half = next(sample for sample in self._committed if sample[1] >= events / 2)
        say(
            "ended",
            events=events,
            applied=now.progress.counts.applied,
            seconds=until - began.at,
            second_half_per_s=(events - half) / (until - half_at) if until > half_at else None,
            stages=spent,
            cpu_s=now.cpu_s - began.cpu_s,
            peak_mib=machine.peak_mib(os.getpid()),
            commits=now.progress.commits - began.progress.commits,
        )


def say(what: str, **values: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode({"what": what} | values) + b"\n")
    sys.stdout.flush()


def main(*, until_end: bool) -> None:
    call = Session(Given([], None))
    call.client_lines = True
    settings = call.settings
    cluster = Cluster(
        call.bootstrap_servers,
        call.topics,
        settings.group,
        settings.instance_id or "benchmark",
        session_timeout_s=settings.session_timeout,
        transaction_timeout_s=settings.transaction_timeout,
        properties=settings.properties,
    )
    with command.stopping() as stop:
        worker = command._started(call, cluster)
        ends = command._ends(cluster)
        course = Course(worker)
        with command._no_automatic_collection():
            while stop.signal is None and not (until_end and worker.at_end(ends)):
                worker.step(command.STEP_S)
                course.note()
        if stop.signal is None:
            course.end()
        worker.close()


if __name__ == "__main__":
    main(until_end="--until-end" in sys.argv)

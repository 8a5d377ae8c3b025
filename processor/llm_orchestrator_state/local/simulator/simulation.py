"""A simulation: orchestrators as processes, others in place of those that crash or hang, and what all of them did."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any, NamedTuple, cast

import msgspec

from ... import errors
from ...model.instants import now, to_micros
from ...settings import Settings, settings_table
from ...settings_sources import as_environment
from ..interrupts import uninterrupted
from .messages import (
    Awake,
    Begin,
    Crashes,
    Done,
    Failed,
    FromOrchestrator,
    Hangs,
    Job,
    Message,
    Published,
    Ready,
    Report,
    TookOver,
)
from .plan import Plan

TICK_S = 0.1
BEGIN_S = 0.02
"""From the last orchestrator being ready to the first event: they begin together."""

_Decoder = msgspec.json.Decoder(FromOrchestrator)


class Progress(NamedTuple):
    """So far. runs: of which no more events come."""

    events: int
    runs: int
    crashed: int
    seconds: float


class Outcome(NamedTuple):
    """What was published, and what is to become of it.

    runs_resumed: runs that were taken over from orchestrators that crashed or hung. zombie_events: of the latter, all
    of them to be rejected as fenced. statuses: runs by the status that they have at the end. verdicts: events by what
    the processor will say: applied, duplicate, or the code of a rejection.
    """

    events: int
    runs: int
    seconds: float
    orchestrators: int
    crashed: int
    runs_resumed: int
    zombie_events: int
    statuses: dict[str, int]
    verdicts: dict[str, int]


class _Process:
    """One orchestrator."""

    def __init__(self, seat: int, shift: int, environment: dict[str, str]) -> None:
        self.seat = seat
        self.shift = shift
        self.published = Published(events=0, runs=0)
        self.crashes = False
        self.done = False
        self._rest = b""
        # a group of its own: Ctrl-C on a terminal is for the simulation, which ends them
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.orchestrator"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, process_group=0,
        )  # fmt: skip
        self.output = cast(IO[bytes], self.process.stdout)

    def tell(self, message: Message) -> None:
        stdin = cast(IO[bytes], self.process.stdin)
        try:
            stdin.write(message.to_line())
            stdin.flush()
        except BrokenPipeError:
            return  # it is gone, and its exit code will be looked at

    def heard(self) -> list[Any] | None:
        """What it said meanwhile; None when it is gone."""
        read = os.read(self.output.fileno(), 65536)
        if not read:
            return None
        *lines, self._rest = (self._rest + read).split(b"\n")
        return [_Decoder.decode(line) for line in lines]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            cast(IO[bytes], pipe).close()


class Simulation:
    """Runs a plan.

    settings: of the clients. rate: events a second over all orchestrators; None: as fast as it goes. start: when the
    first run begins, in microseconds since 1970; None: so that the last event has just happened.
    """

    def __init__(
        self, plan: Plan, settings: Settings, bootstrap_servers: str, *, rate: float | None, start: int | None = None
    ) -> None:
        self._plan = plan
        self._rate = None if rate is None else rate / plan.orchestrators
        self._start = to_micros(now()) - plan.longest if start is None else start
        self._bootstrap_servers = bootstrap_servers
        known = {setting.environment for setting in settings_table().values()}
        inherited = {name: value for name, value in os.environ.items() if name not in known}
        self._environment = inherited | as_environment(settings)
        self._selector = selectors.DefaultSelector()
        self._processes: list[_Process] = []
        self._waiting: list[_Process] = []
        self._hanging: dict[int, _Process] = {}
        self._total = Report()
        self._before: list[Published] = []
        self._began: float | None = None
        self._crashed = self._resumed = self._zombie_events = 0

    def run(self, on_progress: Callable[[Progress], None] = lambda _: None) -> Outcome:
        """Publish everything; when it ends, also by an exception, no process is left.

        on_progress: called several times a second. Raises what an orchestrator's producer does: errors.Connection,
        errors.Configuration; and StateError for one that ends by itself.
        """
        try:
            for seat in range(self._plan.orchestrators):
                self._enter(seat, 0)
            while self._selector.get_map():
                for key, _ in self._selector.select(TICK_S):
                    self._listen(key.data)
                on_progress(self._progress())
            seconds = self._seconds()
        finally:
            with uninterrupted():
                for process in self._processes:
                    process.end()
                self._selector.close()
        return Outcome(
            self._total.events, self._plan.runs, round(seconds, 3), self._plan.orchestrators, self._crashed,
            self._resumed, self._zombie_events, self._total.statuses, self._total.verdicts,
        )  # fmt: skip

    def _enter(self, seat: int, shift: int) -> None:
        with uninterrupted():
            process = _Process(seat, shift, self._environment)
            self._processes.append(process)
        self._selector.register(process.output, selectors.EVENT_READ, process)
        job = Job(
            plan=self._plan, seat=seat, shift=shift, start=self._start, rate=self._rate,
            bootstrap_servers=self._bootstrap_servers,
        )  # fmt: skip
        process.tell(job)

    def _listen(self, process: _Process) -> None:
        messages = process.heard()
        if messages is None:
            self._gone(process)
            return
        for message in messages:
            self._take(process, message)

    def _take(self, process: _Process, message: Any) -> None:
        match message:
            case Ready():
                self._waiting.append(process)
                self._begin()
            case Published():
                process.published = message
            case Crashes(report=report):
                process.crashes = True
                self._total.add(report)
            case Hangs(report=report):
                self._total.add(report)
                self._hanging[process.seat] = process
                self._enter(process.seat, process.shift + 1)
            case TookOver(runs=runs):
                self._resumed += runs
                if hanging := self._hanging.pop(process.seat, None):
                    hanging.tell(Awake())
            case Done(report=report, zombie=zombie):
                process.done = True
                self._total.add(report)
                self._zombie_events += report.events if zombie else 0
            case Failed(error=error, text=text):
                raise getattr(errors, error)(text)

    def _begin(self) -> None:
        """The first ones together; who takes over finds the pace under way."""
        if self._began is None:
            if len(self._waiting) < self._plan.orchestrators:
                return
            self._began = time.monotonic() + BEGIN_S
        for process in self._waiting:
            process.tell(Begin(monotonic=self._began))
        self._waiting.clear()

    def _gone(self, process: _Process) -> None:
        self._selector.unregister(process.output)
        code = process.process.wait()
        if process.crashes and code == -signal.SIGKILL:
            self._crashed += 1
            self._enter(process.seat, process.shift + 1)
        elif not process.done or code:
            raise errors.StateError(
                f"orchestrator {process.seat} (process {process.process.pid}) ended with {code} before its work was "
                "done; run the simulation again, with another seed"
            )

    def _progress(self) -> Progress:
        published = [process.published for process in self._processes]
        return Progress(
            sum(each.events for each in published), sum(each.runs for each in published), self._crashed,
            self._seconds(),
        )  # fmt: skip

    def _seconds(self) -> float:
        return 0.0 if self._began is None else max(0.0, time.monotonic() - self._began)

"""Events flow: orchestrators publish, a worker folds, is killed on the way, and another goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from ...errors import Connection
from .commands import Child
from .live import Moment, Pulse, View, live_view, seconds_text
from .observer import Observer
from .progress import Progress, progress_of
from .settling import Settled
from .stage import Stage

RUNS = 600
RATE = 1000
ORCHESTRATORS = 4

LOOK_S = 0.25
STUCK_S = 60.0
"""When nothing has moved for so long, something is wrong, and the logs tell what."""

LEVEL = RATE // 2
"""A lag below this is what is on its way: half a second's worth."""


class Streamed(NamedTuple):
    """simulated: what `simulate` says. killed, level: Unix times (s) at which the worker was killed and at which its
    successor had caught up. fastest: events folded a second, over two seconds.
    """

    simulated: dict[str, Any]
    killed: float
    level: float
    settled: list[Settled]
    fastest: float


class Stream:
    """Raises CommandFailed, Connection and KafkaException."""

    def __init__(self, stage: Stage, observer: Observer) -> None:
        self._stage = stage
        self._screen = stage.screen
        self._commands = stage.commands
        self._observer = observer
        self._pulse = Pulse()
        self._progress = Progress()
        self._worker: Child | None = None

    def play(self) -> Streamed:
        screen, commands = self._screen, self._commands
        screen.act("stream", "Agents run and publish events; a worker folds them into one state per run")
        screen.fact("The runs are simulated, and so are the instants and durations they tell.", "dim")
        self._worker = commands.start("worker")
        options = {"--runs": RUNS, "--rate": RATE, "--orchestrators": ORCHESTRATORS}
        words = [str(word) for option in options.items() for word in option]
        with live_view(screen) as view:
            self._wait(lambda moment: moment.progress.unclaimed == 0, view)
            simulator = commands.start("simulate", *words, json=True)
            self._wait(lambda moment: _over(moment) >= RUNS / 3 or not simulator.running(), view)
            killed = self._kill(simulator, view)
            level = self._start_again(view)
            self._wait(lambda moment: not simulator.running() and moment.progress.lag == 0, view)
            commands.ended(simulator)
            self._wait(lambda _: self._observer.is_level(), view)
        self._worker.stop()
        simulated = msgspec.json.decode(simulator.printed())
        return Streamed(simulated, killed, level, self._observer.settled(), self._pulse.fastest)

    def _kill(self, simulator: Child, view: View) -> float:
        assert self._worker
        self._screen.act("kill", "The worker is killed in mid-stream: is anything lost, or counted twice?")
        self._screen.typed(f"kill -9 {self._worker.pid}")
        worker, self._worker = self._worker, None
        worker.kill()
        killed = time.time()
        self._wait(lambda moment: moment.progress.lag >= RATE or not simulator.running(), view)
        return killed

    def _start_again(self, view: View) -> float:
        self._screen.fact(f"{self._progress.lag:,} events wait in Kafka, and nobody folds; a worker is started again")
        self._worker = self._commands.start("worker")
        began = time.time()
        self._wait(lambda moment: moment.progress.lag < LEVEL, view)
        level = time.time()
        self._screen.fact(
            f"level again {seconds_text(level - began)} after its start: it went on where the dead one had last committed"
        )
        return level

    def _wait(self, condition: Callable[[Moment], bool], view: View) -> None:
        """Raises Connection when nothing moves any more, and CommandFailed when the worker ends."""
        moved = time.monotonic()
        while True:
            before, self._progress = self._progress, progress_of(self._stage.cluster) or self._progress
            moment = self._pulse.moment(self._progress, self._observer.runs(), self._observer.settled())
            view.show(moment)
            if condition(moment):
                return
            if self._worker and not self._worker.running():
                self._commands.failed(self._worker)
            if before != self._progress:
                moved = time.monotonic()
            if time.monotonic() - moved > STUCK_S:
                raise Connection(
                    f"no event was published or folded for {STUCK_S:.0f} s; the machine is too busy, or Kafka is gone "
                    "(`llm-orchestrator-state broker status`)"
                )
            time.sleep(LOOK_S)  # brokers do not tell when a group commits; they must be asked


def _over(moment: Moment) -> int:
    statuses = moment.runs.statuses
    return statuses["completed"] + statuses["failed"]

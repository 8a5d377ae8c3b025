"""Workers under random faults and a steady load: python -m tests.faults.soak [--minutes M] [--seed N] ...

Its last line is a JSON object; the exit code is 1 where anything is not as it must be.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.faults.proxied import ProxiedCluster
from tests.faults.scene import topic_set
from tests.faults.soaking.comparison import differences_found
from tests.faults.soaking.crew import Crew
from tests.faults.soaking.faults import FAULTS, Place
from tests.faults.soaking.report import Report
from tests.faults.soaking.schedule import schedule
from tests.faults.soaking.watch import Watch
from tests.integration.harness import Stage
from tests.integration.processes import Child

PREFIX = "soak"
BROKERS, PARTITIONS = 3, 4

QUIET_S = 180.0
"""For all that was published to be judged, after the last fault."""

LOOK_S = 0.5
"""Between two looks at the workers."""


class Soak:
    def __init__(self, stage: Stage, place: Place, options: argparse.Namespace) -> None:
        self._stage = stage
        self._place = place
        self._options = options
        self._watch = Watch(stage)
        self._faults: Counter[str] = Counter()

    def run(self) -> Report:
        crew, options = self._place.crew, self._options
        crew.start_all()
        load = crew.load(options.seed, options.rate)
        self._watch.start()
        try:
            self._faults_in_turn(60 * options.minutes)
            published = _end(load)
            quiet = self._wait(time.monotonic() + QUIET_S, until_quiet=published)
            unrecovered = self._watch.waiting
        finally:
            self._watch.close()
        crew.leave_all()
        say("comparing")
        # with new clients: those of before know other leaders and coordinators
        compared = topic_set(self._place.kafka, PREFIX, self._stage.directory, PARTITIONS)
        found = differences_found(compared, options.seed, published, crew.states)
        compared.close()
        found["not judged within the patience"] += not quiet
        found["faults without recovery"] += unrecovered
        found["workers that ended in a way that is not foreseen"] += crew.unforeseen
        return Report(
            options.seed, options.minutes, options.rate, published, self._faults, self._watch.recoveries, unrecovered,
            +found, crew.started, crew.ended_by_themselves,
        )  # fmt: skip

    def _faults_in_turn(self, seconds: float) -> None:
        began = time.monotonic()
        for planned in schedule(self._options.seed, seconds, self._options.faults_per_minute):
            self._wait(began + planned.at_s)
            if time.monotonic() - began >= seconds:
                break  # one after the other they took longer than planned
            say(f"{time.monotonic() - began:6.1f} s: {planned.kind} ({planned.target}) for {planned.lasts_s:.1f} s")
            self._watch.fault(planned.kind)
            self._faults[planned.kind] += 1
            with FAULTS[planned.kind](self._place, planned):
                time.sleep(planned.lasts_s)  # the fault's own duration
        self._wait(began + seconds)

    def _wait(self, deadline: float, until_quiet: int | None = None) -> bool:
        """Looks after the workers meanwhile. until_quiet: whether so many events were judged before the deadline."""
        while time.monotonic() < deadline:
            self._place.crew.look_after()
            if until_quiet is not None and self._watch.judged >= until_quiet and not self._watch.waiting:
                return True
            time.sleep(max(0.0, min(LOOK_S, deadline - time.monotonic())))
        return until_quiet is None


def _end(load: Child) -> int:
    """How many events were published."""
    load.send(signal.SIGTERM)
    assert load.ended(120) == 0, load.log
    told = re.findall(r"^published (\d+)$", load.log, re.MULTILINE)
    return int(told[-1])


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser("tests/faults/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="how long faults go on (2)")
    parser.add_argument("--seed", type=int, help="of events and faults; one by chance unless given")
    parser.add_argument("--rate", type=int, default=300, help="events a second (300)")
    parser.add_argument("--faults-per-minute", type=float, default=4.0, help="on average (4)")
    parser.add_argument("--workers", type=int, default=3, help="processes (3)")
    options = parser.parse_args(words)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10_000)
    signal.signal(signal.SIGTERM, _interrupted)
    with tempfile.TemporaryDirectory(prefix="llm-orchestrator-state-soak-") as name:
        directory = Path(name)
        with ProxiedCluster(directory / "kafka", BROKERS) as kafka:
            stage = topic_set(kafka, PREFIX, directory, PARTITIONS)
            crew = Crew(stage, kafka, options.workers)
            try:
                report = Soak(stage, Place(kafka, crew), options).run()
            finally:
                crew.end()
                stage.close()
    print("\n".join(report.lines()))
    print(report.as_json(), flush=True)
    return 1 if report.differences else 0


def _interrupted(_: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

"""Workers that come and go under load."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.faults.proof import assert_nothing_lost
from tests.integration.harness import SESSION_S, Stage, until
from tests.integration.processes import Child, Processes

PARTITIONS = 6
MOST_WORKERS = 4
LONGEST_QUIET_S = 2.0
"""Between two changes: from in the middle of a rebalance to some work in peace."""


class Group:
    """At least one worker, at most four, each with a name and a directory of its own that it comes back to."""

    def __init__(self, processes: Processes, chance: random.Random) -> None:
        self._processes = processes
        self._chance = chance
        self._away = [f"w{n}" for n in range(MOST_WORKERS)]
        self.at_work: dict[str, Child] = {}

    def change(self) -> None:
        """Somebody comes, leaves, or dies. Each makes the group share its partitions anew."""
        if not self.at_work or (self._away and self._chance.random() < 0.5):
            name = self._away.pop(self._chance.randrange(len(self._away)))
            self.at_work[name] = self._processes.worker(name, name)
            self.at_work[name].says(f"worker {name} of group")
            return
        name = self._chance.choice(list(self.at_work))
        child = self.at_work.pop(name)
        if self._chance.random() < 0.5:
            child.kill()
        else:
            child.send(signal.SIGTERM)
            assert child.ended() == 0, child.log
        self._away.append(name)

    def stay_for(self, seconds: float) -> None:
        for child in self.at_work.values():
            assert child.alive_for(seconds / len(self.at_work)), child.log

    def end(self) -> None:
        for child in self.at_work.values():
            child.send(signal.SIGTERM)
            assert child.ended() == 0, child.log


@pytest.mark.parametrize("changes", [8, pytest.param(50, marks=pytest.mark.long)])
def test_workers_come_and_go_under_load_and_every_event_is_judged_once(
    kafka: str, topic_prefix: str, tmp_path: Path, changes: int
) -> None:
    seed = random.SystemRandom().randrange(10_000)
    chance = random.Random(seed)
    stage = Stage(kafka, topic_prefix, tmp_path, partitions=PARTITIONS)
    processes = Processes(stage)
    try:
        load = processes.load(seed, rate=500)
        group = Group(processes, chance)
        for _ in range(changes):
            group.change()
            group.stay_for(chance.uniform(0, LONGEST_QUIET_S))
        if not group.at_work:
            group.change()
        load.send(signal.SIGTERM)
        assert load.ended() == 0, load.log
        until(lambda: stage.committed() == stage.ends("events"), within_s=SESSION_S + 60)
        group.end()
        stage.run_to_end()
        folds = assert_nothing_lost(stage)
    finally:
        processes.kill()
        stage.close()
    applied, rejected = sum(fold.applied for fold in folds), sum(len(fold.rejections) for fold in folds)
    print(f"\nseed {seed}: {changes} changes of the group, {applied} events applied, {rejected} rejected", end=" ")
    assert applied > 100 * changes

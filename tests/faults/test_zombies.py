"""A worker that was stopped, given up, taken over, and wakes."""

from __future__ import annotations

import signal

import pytest

from tests.faults.proof import assert_nothing_lost, untidy
from tests.integration.harness import SESSION_S, Stage, step_until, until
from tests.integration.processes import Processes

PATIENCE = 3
"""Deadlines are asserted at this many times what is promised: the machine may be busy with other things."""


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("begun", marks=pytest.mark.long),
        "flushed",
        pytest.param("offsets-sent", marks=pytest.mark.long),
        "committed",
        pytest.param("half-stored", marks=pytest.mark.long),
    ],
)
def test_nothing_of_a_zombie_is_seen_and_it_shares_the_work_again(
    stage: Stage, processes: Processes, moment: str
) -> None:
    zombie = processes.accident(moment, 1, signal.SIGSTOP, "zombie", "there")
    zombie.says("from offset", 2)
    until(lambda: stage.publish_raw(*untidy(1, 300)) and zombie.is_stopped())
    with stage.worker("here", "staying") as worker:
        step_until(worker, lambda: worker.progress().partitions == (0, 1), within_s=(SESSION_S + 3) * PATIENCE)
        ends = stage.ends("events")
        step_until(worker, lambda: worker.at_end(ends))
        seen = {p: len(stage.records("state", p)) for p in stage.partitions}
        zombie.send(signal.SIGCONT)
        step_until(worker, lambda: len(worker.progress().partitions) == 1 and not worker.progress().opening)
        assert {p: len(stage.records("state", p)) for p in stage.partitions} == seen
        zombie.says("from offset", 3)
        stage.publish_raw(*untidy(2, 300))
        step_until(worker, lambda: stage.committed() == stage.ends("events"))
        zombie.send(signal.SIGTERM)
        assert zombie.ended() == 0, zombie.log
        step_until(worker, lambda: worker.progress().partitions == (0, 1))
    assert_nothing_lost(stage, "here")

"""SIGKILL at each step of a commit."""

from __future__ import annotations

import logging
import signal

import pytest

from tests.faults.proof import assert_nothing_lost, untidy
from tests.integration.accident import MOMENTS
from tests.integration.harness import Stage, step_until
from tests.integration.processes import Processes

BEHIND = {"committed", "half-stored"}
"""When the local store knows less than the state topic."""

MOST_TRIES = 100
"""To have records of both partitions in one transaction: the first nearly always has."""


def killed(stage: Stage, processes: Processes, moment: str) -> None:
    """A worker that has committed before, and dies at work in both partitions."""
    stage.publish_raw(*untidy(0, 400))
    stage.run_to_end()
    dying = processes.accident(moment, 1, signal.SIGKILL, "w0", "state")
    dying.says("from offset", 2)
    for seed in range(1, MOST_TRIES):
        stage.publish_raw(*untidy(seed, 200))
        if not dying.alive_for(0.2):
            break
    assert dying.ended() == -signal.SIGKILL, dying.log


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_at_a_step_of_its_commit_goes_on_at_once_and_without_a_wipe(
    stage: Stage, processes: Processes, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    caplog.set_level(logging.INFO)
    killed(stage, processes, moment)
    worker = stage.run_to_end()
    assert (worker.progress().restored > 0) == (moment in BEHIND)
    assert "restoring from the start" not in caplog.text
    assert_nothing_lost(stage)


@pytest.mark.long
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed_at_a_step_of_its_commit_is_followed_by_another(
    stage: Stage, processes: Processes, moment: str
) -> None:
    killed(stage, processes, moment)
    with stage.worker(instance="other") as worker:
        ends = stage.ends("events")
        step_until(worker, lambda: worker.progress().partitions == (0, 1) and worker.at_end(ends))
    assert_nothing_lost(stage)

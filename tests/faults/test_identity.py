"""Two workers where there should be one."""

from __future__ import annotations

import signal

from tests.faults.proof import assert_nothing_lost, untidy
from tests.integration.harness import Stage, until
from tests.integration.processes import Processes


def test_of_two_workers_with_one_identity_and_one_directory_one_ends_with_exit_code_11(
    stage: Stage, processes: Processes
) -> None:
    twins = [processes.worker("state", "twin")]
    twins[0].says("from offset", 2)
    stage.publish_raw(*untidy(1, 300))
    twins.append(processes.worker("state", "twin"))
    # each joins again once, as one does whose other life was a lost answer; the second time tells a rival
    until(lambda: any(twin.process.poll() is not None for twin in twins))
    [ended] = [twin for twin in twins if twin.process.poll() is not None]
    [stays] = [twin for twin in twins if twin is not ended]
    assert ended.ended() == 11, ended.log
    assert "has taken its identity" in ended.log
    stage.publish_raw(*untidy(2, 300))
    until(lambda: stage.committed() == stage.ends("events"))
    stays.send(signal.SIGTERM)
    assert stays.ended() == 0, stays.log
    assert_nothing_lost(stage)

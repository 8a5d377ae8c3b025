from __future__ import annotations

import random
import signal

from tests.integration.agreement import assert_agreement
from tests.integration.harness import SESSION_S, Stage, until
from tests.integration.processes import Processes

KILLS = 20
LONGEST_LIFE_S = 2.5
"""From before a worker has its partitions to some seconds of work."""


def test_after_20_kills_under_load_log_fold_state_topic_and_local_store_are_equal(
    stage: Stage, processes: Processes
) -> None:
    """Two workers of one host; one of them, in turn by chance, is killed and started again."""
    seed = random.SystemRandom().randrange(10_000)
    chance = random.Random(seed)
    load = processes.load(seed, rate=2_000)
    workers = [processes.worker(), processes.worker()]
    workers[0].says("from offset")
    for _ in range(KILLS):
        after = chance.uniform(0, LONGEST_LIFE_S)
        slot = chance.randrange(len(workers))
        assert workers[slot].alive_for(after), workers[slot].log
        workers[slot].kill()
        workers[slot] = processes.worker()
    load.send(signal.SIGTERM)
    assert load.ended() == 0, load.log
    until(lambda: stage.committed() == stage.ends("events"), within_s=SESSION_S + 60)
    for worker in workers:
        worker.send(signal.SIGTERM)
        assert worker.ended() == 0, worker.log
    folds = assert_agreement(stage, stage.stores())
    applied = sum(fold.applied for fold in folds)
    rejected = sum(len(fold.rejections) for fold in folds)
    print(f"\nseed {seed}: {KILLS} kills, {applied} events applied, {rejected} rejected, all of them once", end=" ")
    assert applied > 10_000
    assert rejected > 100

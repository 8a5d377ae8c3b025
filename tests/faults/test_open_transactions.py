"""A transaction that somebody who died has left open, under records that are committed."""

from __future__ import annotations

import signal
import uuid

import pytest
from confluent_kafka import Producer

from tests.faults.proof import assert_nothing_lost, untidy
from tests.integration.harness import SESSION_S, Stage, new_runs, step_until, whole_run
from tests.integration.processes import Processes

PUBLISHERS_TIME_OUT_S, BROKERS_LOOK_S = 3, 10
"""After which a transaction may be ended by the broker, and how often it looks for such."""

PATIENCE = 3


def test_events_behind_a_dead_publishers_transaction_wait_for_its_end_and_none_of_its_own_counts(stage: Stage) -> None:
    dead = Producer(
        {"bootstrap.servers": stage.bootstrap, "transactional.id": f"{stage.topics.prefix}-publisher",
         "transaction.timeout.ms": PUBLISHERS_TIME_OUT_S * 1000, "partitioner": "murmur2_random"}
    )  # fmt: skip
    dead.init_transactions(20)
    dead.begin_transaction()
    runs = [str(uuid.uuid4()) for _ in range(20)]
    for run in runs:
        for each in whole_run(run):
            dead.produce(stage.topics.events, stage.codec.encode_event(each), run.encode())
    assert dead.flush(20) == 0
    stage.publish(*new_runs(20))
    ends = stage.ends("events")
    with stage.worker() as worker:
        step_until(worker, lambda: worker.progress().partitions == (0, 1))
        # no test waits for nothing: all is behind the open transaction, in both partitions
        assert not any(stage.committed().values())
        step_until(worker, lambda: worker.at_end(ends), (PUBLISHERS_TIME_OUT_S + BROKERS_LOOK_S) * PATIENCE)
        stage.publish(*new_runs(20))
        ends = stage.ends("events")
        step_until(worker, lambda: worker.at_end(ends))
    folds = assert_nothing_lost(stage)
    states = set().union(*(fold.states for fold in folds))
    assert len(states) == 40
    assert not states & {run.encode() for run in runs}


@pytest.mark.parametrize("moment", ["offsets-sent", "flushed"])
def test_a_dead_workers_transaction_is_ended_by_its_successor_and_nothing_is_lost(
    stage: Stage, processes: Processes, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    """The brokers would leave it open for longer than this test waits."""
    dead = processes.accident(moment, 1, signal.SIGKILL, "dead", "there")
    dead.says("from offset", 2)
    stage.publish_raw(*untidy(1, 300))
    assert dead.ended() == -signal.SIGKILL, dead.log
    logs = [stage.log.log_ranges(stage.topics.state, [p])[p] for p in stage.partitions]
    assert any(found.pending for found in stage.log.group_offsets(stage.partitions).values())
    assert moment != "flushed" or any(log.stable < log.end for log in logs)
    with stage.worker("here", "successor") as worker:
        step_until(worker, lambda: worker.progress().partitions == (0, 1), (SESSION_S + 3) * PATIENCE)
        ends = stage.ends("events")
        step_until(worker, lambda: worker.at_end(ends))
    assert "ending the transaction that" in caplog.text
    assert_nothing_lost(stage, "here")

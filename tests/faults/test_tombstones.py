"""Runs that were deleted while a store was offline for longer than tombstones live, with real compaction."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.worker import Worker
from tests.cluster import KafkaCluster
from tests.faults.proof import assert_nothing_lost
from tests.integration.agreement import local_states
from tests.integration.harness import Stage, event, new_runs, step_until, until, whole_run
from tests.topic_settings import alter

TOMBSTONES_LIVE_S = 2


@pytest.fixture(scope="module")
def tidy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker that compacts five times a second, and not every 15 s."""
    often: dict[str, Any] = {"log.cleaner.backoff.ms": 200}
    with KafkaCluster(tmp_path_factory.mktemp("tidy"), **often) as cluster:
        yield cluster.bootstrap


@pytest.fixture
def compacted(tidy: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tidy, topic_prefix, tmp_path)
    for role in ("state", "checkpoints"):
        alter(
            stage.log.admin,
            stage.name(role),
            min_cleanable_dirty_ratio="0.0",
            segment_ms="100",
            delete_retention_ms=str(TOMBSTONES_LIVE_S * 1000),
        )
    yield stage
    stage.close()


def tombstones(stage: Stage, partition: int) -> int:
    return sum(message.value() is None for message in stage.records("state", partition))


def offline_while_a_run_is_deleted(stage: Stage) -> tuple[int, bytes]:
    """A copy of the store, "older", that has a run of which the state topic has nothing more, not even the tombstone."""
    deleted = str(uuid.uuid4())
    [(partition, _), *_] = stage.publish(*whole_run(deleted), *new_runs(5))
    stage.run_to_end()
    shutil.copytree(stage.directory / "state", stage.directory / "older")
    stage.publish(event(deleted, "workflow_deleted", 60))
    with stage.worker() as worker:
        step_until(worker, lambda: stage.committed() == stage.ends("events"))
        assert tombstones(stage, partition) == 1

        def gone() -> bool:
            # the active segment is never compacted: it is rolled when something is appended
            stage.publish(*new_runs(2))
            step_until(worker, lambda: stage.committed() == stage.ends("events"))
            return tombstones(stage, partition) == 0

        until(gone, within_s=60)
    assert deleted.encode() not in [message.key() for message in stage.records("state", partition)]
    return partition, deleted.encode()


def offline_worker(stage: Stage) -> Worker:
    config = msgspec.structs.replace(stage.config("offline"), tombstones_live_s=TOMBSTONES_LIVE_S)
    return Worker(stage.cluster("offline"), stage.stores("older"), SystemClock(), config)


def test_a_run_that_was_deleted_and_compacted_away_while_a_store_was_offline_does_not_live_on(compacted: Stage) -> None:
    partition, deleted = offline_while_a_run_is_deleted(compacted)
    assert deleted in local_states(compacted.stores("older"), partition)
    worker = offline_worker(compacted)
    try:
        step_until(worker, lambda: worker.progress().partitions == (0, 1))
    finally:
        worker.close()
    assert deleted not in local_states(compacted.stores("older"), partition)
    assert_nothing_lost(compacted, "older")


def test_compaction_never_moves_the_start_of_a_state_topic(compacted: Stage) -> None:
    """So a start that was moved means that records were deleted; see Recovery."""
    offline_while_a_run_is_deleted(compacted)
    for role in ("state", "checkpoints"):
        logs = compacted.log.log_ranges(compacted.name(role), compacted.partitions)
        assert {log.start for log in logs.values()} == {0}

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.errors import ForeignStore, StateDirectory
from llm_orchestrator_state.kafka.topics import create
from llm_orchestrator_state.store.interface import Positions, Store
from llm_orchestrator_state.store.rocks import RocksStores
from tests.integration.agreement import assert_agreement, local_states
from tests.integration.harness import Later, Stage, event, new_runs, step_until, until, whole_run

HOUR_S = 3600.0


def emitted(stage: Stage) -> int:
    return sum(len(stage.records("state", p)) for p in stage.partitions)


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


# --- warm and cold ----------------------------------------------------------------------------------------------------


def test_a_warm_restart_reads_no_state(stage: Stage) -> None:
    stage.publish(*new_runs(20))
    stage.run_to_end()
    stage.publish(*new_runs(20))
    assert stage.run_to_end().progress().restored == 0
    assert_agreement(stage, stage.stores())


def test_a_cold_restore_gives_the_same_bytes(stage: Stage) -> None:
    deleted = str(uuid.uuid4())
    stage.publish(*new_runs(20), *whole_run(deleted))
    stage.run_to_end()
    stage.publish(event(deleted, "workflow_deleted", 60))
    stage.run_to_end()
    before = [local_states(stage.stores(), p) for p in stage.partitions]
    shutil.rmtree(stage.directory / "state")
    assert stage.run_to_end().progress().restored == emitted(stage)
    assert [local_states(stage.stores(), p) for p in stage.partitions] == before
    assert_agreement(stage, stage.stores())


def test_a_store_that_missed_its_last_commits_catches_up_from_the_state_topic(
    stage: Stage, messages: pytest.LogCaptureFixture
) -> None:
    stage.publish(*new_runs(20))
    stage.run_to_end()
    before = emitted(stage)
    shutil.copytree(stage.directory / "state", stage.directory / "older")
    stage.publish(*new_runs(10))
    stage.run_to_end()
    assert stage.run_to_end("older").progress().restored == emitted(stage) - before
    assert "restoring from the start" not in messages.text
    assert_agreement(stage, stage.stores("older"))


# --- a store that fails -----------------------------------------------------------------------------------------------


class FullDisk:
    """A store whose next write with states fails, as on a full disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fails = True

    def positions(self) -> Positions | None:
        return self._store.positions()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return self._store.get_many(keys)

    def context(self, key: bytes) -> bytes | None:
        return self._store.context(key)

    def write(
        self, changes: Iterable[tuple[bytes, bytes | None]], positions: Positions,
        contexts: Iterable[tuple[bytes, bytes | None]] = (), *, logged: bool = True,
    ) -> None:  # fmt: skip
        given = list(changes)
        if given and self.fails:
            self.fails = False
            raise StateDirectory("no space left on device")
        self._store.write(given, positions, contexts, logged=logged)

    def flush(self) -> None:
        self._store.flush()

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return self._store.items()

    def close(self) -> None:
        self._store.close()


class OnFullDisk:
    def __init__(self, stores: RocksStores) -> None:
        self._stores = stores

    def open(self, partition: int) -> Store:
        return FullDisk(self._stores.open(partition))

    def clear(self, partition: int) -> None:
        self._stores.clear(partition)


def test_a_disk_that_is_full_after_a_commit_stops_the_worker_and_nothing_is_committed_twice(stage: Stage) -> None:
    stage.publish(*new_runs(20), *(event(str(uuid.uuid4()), "workflow_started") for _ in range(20)))
    with pytest.raises(StateDirectory, match="no space"):
        stage.run_to_end(stores=OnFullDisk(stage.stores()))
    stage.run_to_end()
    assert_agreement(stage, stage.stores())


# --- damage -----------------------------------------------------------------------------------------------------------


def files(directory: Path, pattern: str) -> list[Path]:
    return sorted(path for path in directory.rglob(pattern) if path.is_file())


def moved_aside(stage: Stage) -> list[Path]:
    return sorted((stage.directory / "state" / stage.topics.events).glob("*.corrupt-*"))


def test_a_store_that_cannot_be_opened_is_moved_aside_and_restored(
    stage: Stage, messages: pytest.LogCaptureFixture
) -> None:
    stage.publish(*new_runs(20))
    stage.run_to_end()
    [current] = files(stage.stores().path(0), "CURRENT")
    current.write_text("MANIFEST of nothing")
    stage.run_to_end()
    assert "is damaged" in messages.text
    assert [path.name.partition(".")[0] for path in moved_aside(stage)] == ["0"]
    assert_agreement(stage, stage.stores())


def test_a_store_whose_damage_shows_at_a_read_is_moved_aside_and_restored(
    stage: Stage, messages: pytest.LogCaptureFixture
) -> None:
    runs = [str(uuid.uuid4()) for _ in range(400)]
    stage.publish(*(event(run, "workflow_created", context={"text": os.urandom(300).hex()}) for run in runs))
    stage.run_to_end()
    stage.run_to_end()  # opening it wrote its write-ahead log into table files
    for table in (path for path in files(stage.directory / "state", "*.sst") if path.stat().st_size > 32_768):
        content = bytearray(table.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 8192] = bytes(8192)
        table.write_bytes(content)
    stage.publish(*(event(run, "workflow_started", 1) for run in runs))
    stage.run_to_end()
    assert "restoring it" in messages.text
    assert len(moved_aside(stage)) == 2
    assert_agreement(stage, stage.stores())


# --- whose store, and how old -----------------------------------------------------------------------------------------


def test_a_store_of_a_topic_that_was_deleted_and_made_again_is_refused_and_not_touched(stage: Stage) -> None:
    stage.publish(*new_runs(20))
    stage.run_to_end()
    admin = stage.log.admin
    for deleted in admin.client.delete_topics(list(stage.topics.names().values())).values():
        deleted.result()
    until(lambda: not any(admin.topics(list(stage.topics.names().values())).values()))
    create(admin, stage.topics, partitions=2)
    store = stage.stores().path(0)
    before = {path: path.read_bytes() for path in files(store, "*") if not path.name.startswith("LOG")}
    with pytest.raises(ForeignStore, match="use another state directory"):
        stage.run_to_end()
    assert {path: path.read_bytes() for path in files(store, "*") if not path.name.startswith("LOG")} == before


def worker_after(stage: Stage, hours: float) -> Worker:
    with stage.worker(clock=Later(hours * HOUR_S)) as worker:
        step_until(worker, lambda: worker.progress().partitions == (0, 1))
    return worker


def test_a_store_that_may_have_missed_a_tombstone_is_restored_so_that_no_deleted_run_lives_on(stage: Stage) -> None:
    deleted = str(uuid.uuid4())
    [(partition, _), *_] = stage.publish(*whole_run(deleted), *new_runs(5))
    stage.run_to_end()
    value = local_states(stage.stores(), partition)[deleted.encode()]
    stage.publish(event(deleted, "workflow_deleted", 60))
    stage.run_to_end()
    store = stage.stores().open(partition)
    positions = store.positions()
    assert positions is not None
    store.write([(deleted.encode(), value)], positions)  # as if the tombstone had been compacted away unread
    store.close()
    assert worker_after(stage, hours=11).progress().restored == 0
    assert deleted.encode() in local_states(stage.stores(), partition)
    assert worker_after(stage, hours=11 + 13).progress().restored == emitted(stage)
    assert deleted.encode() not in local_states(stage.stores(), partition)
    assert_agreement(stage, stage.stores())

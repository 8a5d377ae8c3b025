"""A local store that is damaged, somebody else's, or taken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_orchestrator_state.errors import ForeignStore
from llm_orchestrator_state.store.rocks import RocksStores
from tests.faults.proof import assert_nothing_lost, untidy
from tests.integration.harness import Stage, new_runs, step_until, until
from tests.integration.processes import CHECKOUT, Processes

Damage = Callable[[Path], object]


def largest(store: Path, pattern: str) -> Path:
    return max(store.glob(pattern), key=lambda path: path.stat().st_size)


def cut(store: Path, pattern: str) -> None:
    path = largest(store, pattern)
    os.truncate(path, path.stat().st_size // 2)


def flip(store: Path, pattern: str) -> None:
    path = largest(store, pattern)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
    path.write_bytes(content)


DAMAGES: dict[str, Damage] = {
    "CURRENT is missing": lambda store: (store / "CURRENT").unlink(),
    "CURRENT is empty": lambda store: (store / "CURRENT").write_bytes(b""),
    "MANIFEST is missing": lambda store: largest(store, "MANIFEST-*").unlink(),
    "MANIFEST is cut short": lambda store: os.truncate(largest(store, "MANIFEST-*"), 30),
    "MANIFEST has other bits": lambda store: flip(store, "MANIFEST-*"),
    "a table is missing": lambda store: largest(store, "*.sst").unlink(),
    "a table is cut short": lambda store: cut(store, "*.sst"),
    "a table has other bits": lambda store: flip(store, "*.sst"),
}

QUICK = ["CURRENT is missing", "MANIFEST is missing", "a table is missing", "a table has other bits"]


def moved_aside(stage: Stage) -> list[str]:
    found = (stage.directory / "state" / stage.topics.events).glob("*.corrupt-*")
    return sorted(path.name.partition(".")[0] for path in found)


@pytest.mark.parametrize(
    "damage", [*QUICK, *(pytest.param(name, marks=pytest.mark.long) for name in sorted(DAMAGES.keys() - QUICK))]
)
def test_a_damaged_store_is_moved_aside_told_of_and_restored(
    stage: Stage, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    events = untidy(0, 900)
    stage.publish_raw(*events[:600])
    stage.run_to_end()
    for partition in stage.partitions:
        DAMAGES[damage](stage.stores().path(partition))
    stage.publish_raw(*events[600:])
    stage.run_to_end()
    assert moved_aside(stage) == ["0", "1"]
    assert "is damaged" in caplog.text
    assert_nothing_lost(stage)


@pytest.mark.parametrize("damage", [cut, flip])
def test_what_a_damaged_write_ahead_log_has_lost_is_read_from_the_state_topic(
    stage: Stage, processes: Processes, damage: Callable[[Path, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """As after a power cut. Only a killed worker leaves writes that are in no table yet."""
    worker = processes.worker()
    worker.says("from offset", 2)
    for seed in range(5):
        stage.publish_raw(*untidy(seed, 300))
        until(lambda: stage.committed() == stage.ends("events"))
    worker.kill()
    for partition in stage.partitions:
        damage(stage.stores().path(partition), "*.log")
    assert stage.run_to_end().progress().restored > 0
    assert moved_aside(stage) == []
    assert "restoring from the start" not in caplog.text
    assert_nothing_lost(stage)


HOLD = """
import sys
from pathlib import Path
from llm_orchestrator_state.store.rocks import RocksStores
store = RocksStores(Path(sys.argv[1]), sys.argv[2], tuple(sys.argv[3:])).open(0)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_store_that_another_process_has_open_is_waited_for_and_the_other_partitions_go_on(
    stage: Stage, processes: Processes
) -> None:
    stage.publish(*new_runs(20))
    stage.run_to_end()
    words = [str(stage.directory / "state"), stage.topics.events, *stage.log.identity()]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, *words], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdout.readline()
        worker = processes.worker()
        worker.says("/0 is open in another process; it is tried again; waiting")
        worker.says("partition 1: from offset")
        stage.publish(*new_runs(20))
        until(lambda: stage.committed()[1] == stage.ends("events")[1])
        assert stage.committed()[0] != stage.ends("events")[0]
        holder.stdin.close()
    worker.says("partition 0: from offset")
    until(lambda: stage.committed() == stage.ends("events"))
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.log
    assert_nothing_lost(stage)


def test_two_workers_on_one_directory_hand_the_stores_over_and_are_warm(stage: Stage, processes: Processes) -> None:
    stage.publish(*new_runs(20))
    first = processes.worker()
    first.says("from offset", 2)
    until(lambda: stage.committed() == stage.ends("events"))
    with stage.worker(instance="second") as second:
        step_until(second, lambda: len(second.progress().partitions) == 1)
        stage.publish(*new_runs(20))
        first.send(signal.SIGTERM)
        step_until(second, lambda: second.progress().partitions == (0, 1))
        step_until(second, lambda: stage.committed() == stage.ends("events"))
        assert second.progress().restored == 0
    assert first.ended() == 0, first.log
    assert_nothing_lost(stage)


def contents(store: Path) -> dict[str, bytes]:
    """Without RocksDB's own log."""
    return {path.name: path.read_bytes() for path in store.iterdir() if not path.name.startswith("LOG")}


def test_a_store_of_another_cluster_ends_the_worker_with_exit_code_5_and_is_not_touched(
    stage: Stage, processes: Processes
) -> None:
    _, topic_id = stage.log.identity()
    RocksStores(stage.directory / "state", stage.topics.events, ("another-cluster", topic_id)).open(0).close()
    before = contents(stage.stores().path(0))
    worker = processes.worker()
    assert worker.ended() == ForeignStore.exit_code == 5, worker.log
    [line] = [line for line in worker.log.splitlines() if line.startswith("error: ")]
    assert 'belongs to cluster and topic ["another-cluster"' in line
    assert "use another state directory" in line
    assert contents(stage.stores().path(0)) == before

"""A disk that is full under RocksDB."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_orchestrator_state.errors import StateDirectory
from tests.faults.proof import assert_nothing_lost
from tests.integration.harness import Stage, event, new_runs, until
from tests.integration.processes import Child, Processes

pytestmark = pytest.mark.long


class SmallDisk:
    """A file system of some MiB in memory, mounted on a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def mount(self, mib: int) -> str:
        """Why not; empty when it is mounted."""
        if shutil.which("mount") is None:
            return "there is no mount"
        return self._run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(self.directory))

    def grow(self, mib: int) -> None:
        assert self._run("mount", "-o", f"remount,size={mib}m", str(self.directory)) == ""

    def fill(self) -> None:
        """Somebody else's file takes what is left."""
        with (self.directory / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as full:
                assert full.errno == errno.ENOSPC  # noqa: PT017 - the loop's only end

    def make_space(self) -> None:
        (self.directory / "ballast").unlink()

    def unmount(self) -> None:
        assert self._run("umount", str(self.directory)) == ""

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stderr.strip() or f"{command[0]} ended with {done.returncode}"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "small")
    made.directory.mkdir()
    if reason := made.mount(8):
        pytest.skip(f"a small file system cannot be mounted here ({reason}); as root it can")
    yield made
    made.unmount()


@pytest.fixture
def processes(stage: Stage, disk: SmallDisk) -> Iterator[Processes]:
    """Ends before the disk is unmounted."""
    started = Processes(stage)
    yield started
    started.kill()


def error_of(worker: Child) -> str:
    [line] = [line for line in worker.log.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in worker.log
    return line


def assert_stopped_for_want_of_space(worker: Child) -> None:
    assert worker.ended(60) == StateDirectory.exit_code == 5, worker.log
    assert "No space left on device" in error_of(worker)
    assert "make space" in error_of(worker)


def test_a_worker_whose_disk_is_filled_by_others_stops_with_exit_code_5_and_goes_on_when_there_is_space(
    stage: Stage, processes: Processes, disk: SmallDisk
) -> None:
    worker = processes.worker("small")
    worker.says("from offset", 2)
    stage.publish(*new_runs(50))
    until(lambda: stage.committed() == stage.ends("events"))
    disk.fill()
    while worker.alive_for(0.2):
        stage.publish(*new_runs(50))
    assert_stopped_for_want_of_space(worker)
    again = processes.worker("small")
    assert_stopped_for_want_of_space(again)
    disk.make_space()
    worker = processes.worker("small")
    stage.publish(*new_runs(50))
    until(lambda: stage.committed() == stage.ends("events"))
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.log
    assert "is damaged" not in worker.log
    assert_nothing_lost(stage, "small")


def test_a_worker_whose_states_outgrow_its_disk_stops_with_exit_code_5_and_goes_on_on_a_larger_one(
    stage: Stage, processes: Processes, disk: SmallDisk
) -> None:
    worker = processes.worker("small")
    worker.says("from offset", 2)
    while worker.alive_for(0.05):
        stage.publish(
            *(event(str(uuid.uuid4()), "workflow_created", context=os.urandom(10_000).hex()) for _ in range(50))
        )
    assert_stopped_for_want_of_space(worker)
    disk.grow(1024)
    worker = processes.worker("small")
    stage.publish(*new_runs(50))
    until(lambda: stage.committed() == stage.ends("events"), within_s=60)
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.log
    assert_nothing_lost(stage, "small")

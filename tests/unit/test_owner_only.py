"""Nobody but their owner looks into directories that hold states; the umask is everybody's usual one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_orchestrator_state.store.directory import make_directory
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.rocks import RocksStores
from llm_orchestrator_state.store.slots import claim_slot


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(root: Path) -> list[str]:
    return [f"{path} {mode(path):o}" for path in [root, *root.rglob("*")] if mode(path) & 0o077]


def test_what_is_missing_is_made_for_its_owner_only(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b" / "c")
    assert open_to_others(tmp_path / "a") == []


def test_what_an_older_version_made_is_closed_and_what_is_above_is_left_alone(tmp_path: Path) -> None:
    made = tmp_path / "shared" / "ours"
    made.mkdir(parents=True)
    made.chmod(0o2775)
    made.parent.chmod(0o755)
    make_directory(made)
    assert mode(made) == 0o2700
    assert mode(made.parent) == 0o755


def test_stores_and_slots_are_in_directories_of_their_owners(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for partition in (0, 1):
        store = RocksStores(state, "p.events", ("cluster", "topic")).open(partition)
        store.write([(b"key", b"what somebody said")], Positions(1, 1, 0.0))
        store.close()
    os.close(claim_slot(state).descriptor)
    directories = [state, *(path for path in state.rglob("*") if path.is_dir())]
    assert {path.name for path in directories} == {"state", "p.events", "0", "1", "slots"}
    assert {mode(path) for path in directories} == {0o700}
    assert mode(state / "slots" / "0") == 0o600


def test_stores_that_were_open_to_others_are_closed_when_they_are_opened_again(tmp_path: Path) -> None:
    stores = RocksStores(tmp_path, "p.events", ("cluster", "topic"))
    stores.open(0).close()
    for path in (tmp_path / "p.events", stores.path(0)):
        path.chmod(0o755)
    stores.open(0).close()
    assert {mode(path) for path in (tmp_path / "p.events", stores.path(0))} == {0o700}


def test_files_that_the_command_makes_are_their_owners(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from llm_orchestrator_state import __main__\n"
        "from llm_orchestrator_state.cli import main\n"
        "from llm_orchestrator_state.store.rocks import RocksStores\n"
        "def run(words):\n"
        "    RocksStores(pathlib.Path(words[0]), 'p.events', ('c', 't')).open(0).close()\n"
        "    return 0\n"
        "main.run = run\n"
        "__main__.main()\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "state")], check=True)
    assert [path.name for path in (tmp_path / "state").rglob("CURRENT")] == ["CURRENT"]
    assert open_to_others(tmp_path / "state") == []

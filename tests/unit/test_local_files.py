from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llm_orchestrator_state.errors import MissingProgram, StateDirectory
from llm_orchestrator_state.local.broker import LocalBroker
from llm_orchestrator_state.local.expected import differences, expected_states
from llm_orchestrator_state.local.java import find_java
from llm_orchestrator_state.local.ports import free_ports
from llm_orchestrator_state.local.process import Process, spawn_detached, wait_until

STEP = {"step_id": "a", "status": "completed", "started_at": "2026-01-05T09:30:00.120Z", "outputs": {"n": 1}}
RUN = {"id": "r", "status": "running", "started_at": "2026-01-05T09:30:00Z", "error": None, "steps": {"a": STEP}}


def fake_java(directory: Path, release: str) -> Path:
    program = directory / "bin" / "java"
    program.parent.mkdir(parents=True)
    properties = (
        f"    java.home = {directory}\n    java.specification.version = {release}\n    java.vm.version = {release}+1"
    )
    program.write_text(f"#!/bin/sh\ncat >&2 <<'EOF'\nProperty settings:\n{properties}\nEOF\n")
    program.chmod(0o755)
    return program


def test_java_home_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_java(tmp_path, "21")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java()[:3] == (program, tmp_path, 21)


def test_a_java_that_is_too_old_is_passed_over_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = fake_java(tmp_path / "old", "1.8"), fake_java(tmp_path / "new", "17")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    monkeypatch.setenv("PATH", str(new.parent), prepend=os.pathsep)
    assert find_java().program == new
    new.unlink()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("llm_orchestrator_state.local.java.shutil.which", lambda name, path=None: path and str(old))
    with pytest.raises(MissingProgram, match=f"found Java 8 at {old}"):
        find_java()


def test_free_ports_are_different_below_the_ephemeral_range_and_the_preferred_ones_if_they_can() -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        (free,) = free_ports(1)
        ports = free_ports(3, preferred=[taken, free, free])
    assert ports[0] == free
    assert len({*ports, taken}) == 4
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    limit = int(ephemeral.read_text().split()[0]) if ephemeral.exists() else 49_152
    assert all(1024 <= port < limit for port in ports)


def test_a_detached_process_is_known_again_and_ended_with_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = spawn_detached([sys.executable, "-uc", "print('here'); import time; time.sleep(60)"], log)
    assert wait_until(lambda: log.read_text() == "here\n", 20)
    assert Process.of(process.pid) == process
    assert process.alive()
    assert process.stop(20)
    assert not process.alive()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    process = spawn_detached([sys.executable, "-uc", program], log)
    assert wait_until(lambda: log.read_text() == "deaf\n", 20)
    assert not process.stop(0.1)
    assert not process.alive()


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = Process.of(child.pid)
    assert wait_until(lambda: not process.alive(), 20)
    child.wait()


def test_another_process_with_the_same_pid_is_not_taken_for_it_nor_ended() -> None:
    stranger = Process.of(os.getpid())._replace(birth="another boot/1")
    assert not stranger.alive()
    began = time.monotonic()
    assert stranger.stop(20)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["day.expected.json", "day.expected.json.gz"])
def test_expected_states_lie_beside_the_events(tmp_path: Path, name: str) -> None:
    text = json.dumps({"runs": {"r": RUN}}).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert expected_states(tmp_path / "day.jsonl") == (tmp_path / name, {"r": RUN})
    assert expected_states(tmp_path / "day.jsonl.gz") == (tmp_path / name, {"r": RUN})
    assert expected_states(tmp_path / "night.jsonl") is None


def test_states_are_equal_when_their_instants_are_the_same_however_written_and_more_fields_do_not_count() -> None:
    found = {
        **RUN,
        "started_at": "2026-01-05T10:30:00.000000+01:00",
        "version": 9,
        "steps": {"a": {**STEP, "usage": {}}},
    }
    assert list(differences({"r": RUN}, {"r": found})) == []


@pytest.mark.parametrize(
    ("states", "line"),
    [
        ({}, "run r is missing"),
        ({"r": RUN, "s": RUN}, "run s is not expected"),
        ({"r": {**RUN, "status": "failed"}}, "run r: status is 'failed', expected 'running'"),
        ({"r": {**RUN, "steps": {}}}, "run r: its steps are [], expected ['a']"),
        (
            {"r": {**RUN, "steps": {"a": {**STEP, "outputs": {"n": 2}}}}},
            "run r: step a: outputs is {'n': 2}, expected {'n': 1}",
        ),
        ({"r": {**RUN, "started_at": None}}, "run r: started_at is None, expected '2026-01-05T09:30:00Z'"),
    ],
)
def test_every_difference_is_told(states: dict[str, Any], line: str) -> None:
    assert list(differences({"r": RUN}, states)) == [line]


def test_a_cache_directory_that_cannot_be_made_is_named_with_what_names_another(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    broker = LocalBroker(tmp_path / "cache" / "broker")
    assert not broker.status().running
    with pytest.raises(StateDirectory, match=r"cache is not a directory; name another .* in XDG_CACHE_HOME"):
        broker.start()

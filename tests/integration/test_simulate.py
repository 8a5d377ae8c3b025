"""The command `simulate` on a real broker: its processes crash, hang and are interrupted for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llm_orchestrator_state.local.process import Process
from llm_orchestrator_state.local.simulator.expected import Expected, expected
from llm_orchestrator_state.local.simulator.plan import Plan
from tests.integration.harness import DEADLINE_S, Stage, headers_of, until
from tests.integration.processes import CHECKOUT

START = "2026-01-05T09:30:00Z"


class Simulate:
    """The command as a user starts it, in a process group of its own as a shell's job is."""

    def __init__(self, stage: Stage, directory: Path, *words: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LLM_ORCHESTRATOR_STATE_")}
        self.said = directory / "simulate.stderr"
        with self.said.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "llm_orchestrator_state", "simulate", *words, "--json",
                 "--bootstrap-servers", stage.bootstrap, "--topic-prefix", stage.topics.prefix],
                stdout=subprocess.PIPE, stderr=stderr, env=kept, cwd=CHECKOUT, start_new_session=True,
            )  # fmt: skip

    def ended(self) -> tuple[int, bytes]:
        """Exit code and stdout."""
        out, _ = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out

    def orchestrators(self) -> list[Process]:
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], stdout=subprocess.PIPE, check=True).stdout
        pairs = [map(int, line.split()) for line in listed.splitlines()]
        return [Process.of(pid) for pid, parent in pairs if parent == self.process.pid]

    def under_way(self, stage: Stage, orchestrators: int) -> list[Process]:
        """Its processes, when they publish."""
        until(lambda: sum(stage.ends("events").values()) > 20 or self.process.poll() is not None)
        assert self.process.poll() is None, self.said.read_text()
        found = self.orchestrators()
        assert len(found) == orchestrators
        return found

    def summary(self) -> dict[str, Any]:
        code, out = self.ended()
        assert code == 0, self.said.read_text()
        return dict(json.loads(out.splitlines()[-1]))


@pytest.fixture
def slow(stage: Stage, tmp_path: Path) -> Any:
    """One that would go on for minutes."""
    started = Simulate(stage, tmp_path, "--runs", "2000", "--rate", "200", "--orchestrators", "3", "--seed", "5")
    yield started
    started.process.kill()
    started.process.communicate()


def rejected(stage: Stage) -> dict[str, str]:
    headers = [headers_of(message) for p in stage.partitions for message in stage.records("rejections", p)]
    return {each["event-id"].decode(): each["code"].decode() for each in headers}


def statuses(stage: Stage) -> dict[str, str]:
    values = [value for p in stage.partitions for value in stage.table("state", p).values()]
    states = [stage.codec.decode_state(value) for value in values]
    return {state["id"]: state["status"] for state in states}


@pytest.mark.parametrize(("orchestrators", "rate"), [(1, "max"), (3, "1500")])
def test_crashes_are_resumed_zombies_are_fenced_and_every_run_ends_as_planned(
    stage: Stage, tmp_path: Path, orchestrators: int, rate: str
) -> None:
    plan = Plan(seed=11, runs=120, orchestrators=orchestrators)
    words = ["--runs", "120", "--orchestrators", str(orchestrators), "--seed", "11", "--rate", rate, "--start", START]
    summary = Simulate(stage, tmp_path, *words).summary()
    assert summary["crashed"] == 1
    assert summary["zombie_events"] > 0
    assert summary["runs_resumed"] > 0
    worker = stage.run_to_end()
    planned: Expected = expected(plan)
    assert rejected(stage) == planned.rejections
    assert statuses(stage) == planned.statuses
    codes = Counter(planned.rejections.values())
    assert codes["fenced"] == summary["zombie_events"]
    verdicts = dict(summary["verdicts"])
    counts = worker.progress().counts
    assert counts.applied == verdicts.pop("applied")
    assert counts.duplicate == verdicts.pop("duplicate", 0) == planned.duplicates
    assert verdicts == codes
    assert summary["statuses"] == Counter(planned.statuses.values())
    assert summary["events"] == sum(stage.ends("events").values())
    assert summary["runs"] == len(planned.statuses) == 120


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_all_its_orchestrators(stage: Stage, slow: Simulate, number: signal.Signals) -> None:
    orchestrators = slow.under_way(stage, 3)
    slow.process.send_signal(number)
    assert slow.ended() == (130, b"")
    assert not [each for each in orchestrators if each.alive()]
    assert "Traceback" not in slow.said.read_text()


def test_killed_it_leaves_no_orchestrator_behind(stage: Stage, slow: Simulate) -> None:
    orchestrators = slow.under_way(stage, 3)
    slow.process.kill()
    until(lambda: not [each for each in orchestrators if each.alive()])


def test_an_orchestrator_that_ends_against_the_plan_ends_all_with_one_line(stage: Stage, slow: Simulate) -> None:
    orchestrators = slow.under_way(stage, 3)
    orchestrators[2].kill()
    code, out = slow.ended()
    assert (code, out) == (1, b"")
    assert not [each for each in orchestrators if each.alive()]
    lines = [line for line in slow.said.read_text().splitlines() if not line.startswith("simulating")]
    assert len(lines) == 1
    assert f"process {orchestrators[2].pid}" in lines[0]
    assert "before its work was done" in lines[0]


def test_fewer_runs_than_orchestrators_are_published_all_the_same(stage: Stage, tmp_path: Path) -> None:
    summary = Simulate(stage, tmp_path, "--runs", "2", "--orchestrators", "4", "--seed", "3", "--rate", "max").summary()
    assert summary["runs"] == 2
    assert sum(stage.ends("events").values()) == summary["events"] > 10

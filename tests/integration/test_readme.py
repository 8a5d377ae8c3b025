"""The README's commands and programs do what it says, on a real Kafka."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.readme import CHECKOUT, README, Block, blocks, program

PATIENCE_S = 60.0
RUN = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"


class Stage(NamedTuple):
    """A topic set, and the environment and directory in which a user would type."""

    bootstrap: str
    prefix: str
    directory: Path
    environment: dict[str, str]

    def own(self, text: str) -> str:
        """The text with what is named in it for all of the broker under a name of our own: others run tests too."""
        return text.replace("--into copy", f"--into {self.prefix}-copy").replace('"dashboard"', f'"{self.prefix}"')


class Shown(NamedTuple):
    """A block of commands that was run, what it printed, and what the README says it prints."""

    commands: str
    exit_code: int
    out: str
    err: str
    promised: str | None


@pytest.fixture(scope="module")
def stage(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    directory = tmp_path_factory.mktemp("readme")
    prefix = f"readme-{uuid.uuid4().hex[:12]}"
    own = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LLM_ORCHESTRATOR_STATE_BOOTSTRAP_SERVERS": kafka,
        "LLM_ORCHESTRATOR_STATE_TOPIC_PREFIX": prefix,
        "LLM_ORCHESTRATOR_STATE_STATE_DIR": str(directory / "state"),
        "XDG_CONFIG_HOME": str(directory),
        "XDG_CACHE_HOME": str(directory / "cache"),
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("LLM_ORCHESTRATOR_STATE_")}
    return Stage(kafka, prefix, directory, {**others, **own})


@pytest.fixture(scope="module")
def tour(stage: Stage) -> list[Shown]:
    """All sh blocks of the README in their order; a text block right behind one is what it prints."""
    found = blocks(README.read_text())
    return [
        run(stage, block.text, after.text if after.language == "text" else None)
        for block, after in zip(found, [*found[1:], Block("", "")], strict=True)
        if block.language == "sh"
    ]


def run(stage: Stage, commands: str, promised: str | None) -> Shown:
    shell = ["bash", "-euo", "pipefail", "-c", stage.own(commands)]
    ran = subprocess.run(
        shell, cwd=stage.directory, env=stage.environment, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    return Shown(commands, ran.returncode, ran.stdout, ran.stderr, promised)


def lines(text: str) -> list[str]:
    """How long ago something was is another thing each time."""
    return [re.sub(r" +\d+s ago", " … ago", line.rstrip()) for line in text.splitlines()]


def test_every_command_of_the_tour_succeeds(tour: list[Shown]) -> None:
    assert tour
    assert [(shown.commands, shown.err) for shown in tour if shown.exit_code] == []


def test_what_the_readme_says_a_command_prints_is_what_it_prints(tour: list[Shown]) -> None:
    promised = [shown for shown in tour if shown.promised is not None]
    assert len(promised) == 4
    assert [lines(shown.out) for shown in promised] == [lines(shown.promised or "") for shown in promised]


@pytest.fixture(scope="module")
def published(stage: Stage, tour: list[Shown]) -> str:
    """The run that the README's publisher made on the tour's topics, after a worker has been there."""
    del tour
    ran = subprocess.run(
        [sys.executable, "-c", program("A publisher"), stage.bootstrap, f"{stage.prefix}.events"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=PATIENCE_S,
    )  # fmt: skip
    worked = run(stage, "llm-orchestrator-state worker --until-end", None)
    assert worked.exit_code == 0, worked.err
    return ran.stdout.strip()


def test_the_publisher_in_the_readme_makes_a_run(stage: Stage, published: str) -> None:
    shown = run(stage, f"llm-orchestrator-state get {published}", None)
    assert shown.exit_code == 0, shown.err
    assert "status    running" in shown.out
    assert '{"label": "question"}' in shown.out


@pytest.fixture
def consumer(stage: Stage, published: str) -> Iterator[subprocess.Popen[str]]:
    del published
    command = [sys.executable, "-c", stage.own(program("A consumer")), stage.bootstrap, stage.prefix]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as started:
        patience = threading.Timer(PATIENCE_S, started.kill)  # then its output ends, and what is awaited is missing
        patience.start()
        yield started
        patience.cancel()
        started.kill()


def printed(consumer: subprocess.Popen[str], expected: dict[str, str]) -> bool:
    """Whether its last word about each of these runs comes to hold the text that is expected."""
    assert consumer.stdout
    last: dict[str, str] = {}
    while any(text not in last.get(run_id, "") for run_id, text in expected.items()):
        if not (line := consumer.stdout.readline()):
            return False
        run_id, _, state = line.rstrip("\n").partition(" ")
        last[run_id] = state
    return True


def test_the_consumer_in_the_readme_sees_every_run_and_a_deletion(
    stage: Stage, published: str, consumer: subprocess.Popen[str]
) -> None:
    assert printed(consumer, {RUN: "'status': 'completed'", published: "'context': {'ticket': 8}"})
    event = f'{{"run_id": "{RUN}", "type": "workflow_deleted", "occurred_at": "2026-01-05T10:00:00Z"}}'
    publish, fold = "llm-orchestrator-state publish -", "llm-orchestrator-state worker --until-end"
    shown = run(stage, f"echo '{event}' | {publish}; {fold}", None)
    assert shown.exit_code == 0, shown.err
    assert printed(consumer, {RUN: "None"})


def test_the_programs_in_the_readme_import_nothing_of_this_package_but_in_tests() -> None:
    assert "llm_orchestrator_state" not in program("A consumer") + program("A publisher")


def test_the_consumer_in_the_readme_is_short() -> None:
    code = [line for line in program("A consumer").splitlines() if line and not line.startswith(("import", "from"))]
    assert len(code) <= 36


def test_the_pipeline_in_memory_in_the_readme_does_what_it_asserts(stage: Stage) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program("Tests in memory")],
        cwd=stage.directory, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr

"""The README's Python programs on a real Kafka, beside a worker; the one that resumes is killed, and frozen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from llm_orchestrator_state import Publisher, StateReader, run_id_for
from llm_orchestrator_state.model import WorkflowState
from tests.integration.harness import DEADLINE_S, Stage, headers_of, until
from tests.integration.processes import Processes
from tests.readme import program

PARTS = ("facts", "outline", "draft", "review", "summary")


class Place(NamedTuple):
    """A topic set on which a worker process is at work, a reader of it, and a user's directory."""

    stage: Stage
    reader: StateReader
    directory: Path

    def state(self, run_id: uuid.UUID | str) -> WorkflowState:
        state = self.reader.get(run_id)
        assert state is not None
        return state

    def program(self, section: str) -> list[str]:
        """The command of that section's program, on this topic set."""
        own = f'"{self.stage.bootstrap}", topic_prefix="{self.stage.topics.prefix}"'
        file = self.directory / f"{section.replace(' ', '_')}.py"
        file.write_text(program(section).replace('"127.0.0.1:19092"', own))
        return [sys.executable, "-W", "error", file.name]

    def run(self, section: str) -> str:
        """What it prints. It must end well."""
        ran = subprocess.run(
            self.program(section), cwd=self.directory, capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout


@pytest.fixture(scope="module")
def place(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("programs")
    stage = Stage(kafka, f"readme-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("worker"))
    processes = Processes(stage)
    processes.worker()
    with StateReader(kafka, topic_prefix=stage.topics.prefix, checkpoints=True) as reader:
        yield Place(stage, reader, directory)
    processes.kill()
    stage.close()


# --- programs that run to their end -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(place: Place) -> WorkflowState:
    """The run of the publishing program, when it is over."""
    place.run("Publish")
    return place.reader.wait_for(run_id_for("ticket-7"), lambda run: not run.is_active(), DEADLINE_S)


def test_the_publishing_program_makes_a_run_with_retries_branches_and_a_sub_workflow(
    place: Place, published: WorkflowState
) -> None:
    assert (published.status, published.context) == ("completed", {"ticket": 7, "label": "bug"})
    assert list(published.steps) == ["classify", "search", "compare[0]", "compare[1]", "answer"]
    assert {step.status for step in published.steps.values()} == {"completed"}
    assert (published.steps["search"].attempt, published.steps["search"].retry_count) == (2, 1)
    assert published.usage["gen_ai.usage.input_tokens"] == 812
    until(lambda: place.reader.list(parent=published.id, status="completed"))  # it may be on the other partition
    child = place.reader.list(parent=published.id)[-1]
    assert child.workflow_id == "write"
    assert child.parent is not None
    assert child.parent.step_id == "answer"


def test_a_run_that_is_over_and_reported_once_more_stays_as_it_is(place: Place, published: WorkflowState) -> None:
    place.run("Publish")
    with Publisher(place.stage.bootstrap, topic_prefix=place.stage.topics.prefix) as publisher:
        last = publisher.attach(published.id).checkpoint(
            "answer"
        )  # allowed when a run is over: all before it is judged
    after = place.reader.applied(last, DEADLINE_S)
    assert after is not None
    assert (after.status, after.steps, after.version) == (published.status, published.steps, published.version + 1)


def test_the_asynchronous_program_makes_a_run_of_parallel_steps(place: Place) -> None:
    run_id = place.run("Publish from asyncio").strip()
    state = place.reader.wait_for(run_id, lambda run: run.status == "paused", DEADLINE_S)
    assert {name: step.outputs for name, step in state.steps.items()} == {
        f"fetch[{feed}]": {"feed": feed, "items": 3} for feed in range(5)
    }
    assert state.status_reason == "somebody has to look at it"


def test_the_reading_program_sees_what_was_published_and_what_it_publishes_itself(
    place: Place, published: WorkflowState
) -> None:
    del published
    lines = place.run("Read").splitlines()
    assert lines[0].startswith("completed {'label': 'bug'} {'gen_ai.usage.input_tokens': 812,")
    assert "0 runs hang" in lines
    assert "approval" in lines
    assert any(line.endswith(" paused") for line in lines)
    assert lines[-1] == "illegal_transition WorkflowCompleted while the run is completed"


def test_the_program_of_the_state_store_does_on_kafka_what_it_does_in_memory(place: Place) -> None:
    lines = place.run("A state store").splitlines()
    in_memory, on_kafka = lines[: len(lines) // 2], lines[len(lines) // 2 : -1]
    assert in_memory == on_kafka
    assert in_memory[0].startswith("version_conflict expected version 1, the run has ")
    assert in_memory[1:] == ["{'receipt': 'r-77'}", "['order']"]


def test_the_tests_of_a_users_program_pass_without_a_broker(tmp_path: Path) -> None:
    (tmp_path / "test_triage.py").write_text(program("Test without a broker"))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "--rootdir",
        str(tmp_path),
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout


# --- the program that resumes -----------------------------------------------------------------------------------------


class Writer:
    """A process of the report's program, and who sits at its keyboard."""

    def __init__(self, place: Place, title: str, name: str) -> None:
        self._out, self._err = (place.directory / f"{title}-{name}.{stream}" for stream in ("out", "err"))
        command = place.program("Resume after a crash")
        if shutil.which("setpriv"):  # not even a killed test run leaves it behind
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                [*command, title], cwd=place.directory, stdin=subprocess.PIPE, stdout=out, stderr=err, text=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def asked(self) -> list[str]:
        """The parts that it has asked for."""
        return self._out.read_text().replace(":", "").split()

    def is_asked(self, part: str) -> None:
        """Waits until it asks for this part."""

        def asks() -> bool:
            assert self._process.poll() is None, self._err.read_text()
            return self.asked[-1:] == [part]

        until(asks)

    def answers(self, part: str, text: str) -> None:
        self.is_asked(part)
        self.types(text)

    def types(self, text: str) -> None:
        assert self._process.stdin
        print(text, file=self._process.stdin, flush=True)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        until(lambda: os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT))

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def ended(self) -> tuple[int, str]:
        """Exit code, and what it said on stderr."""
        return self._process.wait(DEADLINE_S), self._err.read_text()


def report(place: Place, title: str) -> list[str]:
    """What the steps have done that everybody can see."""
    return (place.directory / f"{title}.txt").read_text().splitlines()


def attempts(state: WorkflowState) -> dict[str, int]:
    return {name: step.attempt for name, step in state.steps.items()}


def rejections(place: Place, run_id: uuid.UUID) -> list[bytes]:
    """Codes of the run's rejections."""
    found = [message for p in place.stage.partitions for message in place.stage.records("rejections", p)]
    return [headers_of(message)["code"] for message in found if message.key() == str(run_id).encode()]


def test_a_killed_program_is_started_again_and_repeats_no_completed_step(place: Place) -> None:
    with Writer(place, "killed", "first") as first:
        first.answers("facts", "a")
        first.answers("outline", "b")
        first.is_asked("draft")
        first.kill()
    left = place.reader.resume_point(run_id_for("killed"))
    assert (left.state.status, left.done, left.running) == ("running", {"facts": "a", "outline": "b"}, ["draft"])
    with Writer(place, "killed", "second") as second:
        for part, text in zip(PARTS[2:], "cde", strict=True):
            second.answers(part, text)
        assert second.ended() == (0, "")
        assert second.asked == list(PARTS[2:])
    assert report(place, "killed") == ["facts: a", "outline: b", "draft: c", "review: d", "summary: e"]
    state = place.reader.wait_for(run_id_for("killed"), lambda run: not run.is_active(), DEADLINE_S)
    assert (state.status, state.fencing_token) == ("completed", 1)
    assert attempts(state) == {"facts": 1, "outline": 1, "draft": 2, "review": 1, "summary": 1}
    assert [step.outputs for step in state.steps.values()] == list("abcde")
    assert rejections(place, state.id) == []


def test_a_program_that_was_only_thought_dead_is_fenced_when_it_goes_on(place: Place) -> None:
    with Writer(place, "frozen", "zombie") as zombie:
        zombie.answers("facts", "a")
        zombie.answers("outline", "b")
        zombie.is_asked("draft")
        zombie.freeze()
        with Writer(place, "frozen", "successor") as successor:
            successor.answers("draft", "c")
            successor.is_asked("review")
            zombie.thaw()
            zombie.types("from the grave")
            exit_code, said = zombie.ended()
            assert exit_code == 1
            assert said.endswith("was rejected (fenced): fencing token 0, and 1 was seen\n"), said
            successor.answers("review", "d")
            successor.answers("summary", "e")
            assert successor.ended() == (0, "")
    assert report(place, "frozen") == ["facts: a", "outline: b", "draft: c", "review: d", "summary: e"]
    state = place.reader.wait_for(run_id_for("frozen"), lambda run: not run.is_active(), DEADLINE_S)
    assert (state.status, state.error) == ("completed", None)
    assert attempts(state) == {"facts": 1, "outline": 1, "draft": 2, "review": 1, "summary": 1}
    assert rejections(place, state.id) == [b"fenced"]  # it says nothing more when it knows

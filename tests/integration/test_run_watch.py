"""What is told of runs: their history from the event log, and their changes as they happen."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from llm_orchestrator_state.model.records import EventRecord
from tests.integration.commands import Commands
from tests.integration.harness import DEADLINE_S, Stage, event, until, whole_run
from tests.integration.reading import settled, working

pytestmark = pytest.mark.usefixtures("nothing_configured")


@pytest.fixture
def commands(stage: Stage, capfd: pytest.CaptureFixture[str]) -> Iterator[Commands]:
    made = Commands(stage, capfd)
    yield made
    made.close()


# --- history ----------------------------------------------------------------------------------------------------------


def story(run_id: str) -> list[EventRecord]:
    """Two attempts at a step, a duplicate, and an event too late."""
    first: dict[str, object] = {"step_id": "fetch", "attempt": 1}
    second: dict[str, object] = {"step_id": "fetch", "attempt": 2}
    return [
        event(run_id, "workflow_created"),
        event(run_id, "workflow_started", 1),
        event(run_id, "step_started", 2, **first),
        event(run_id, "step_failed", 5, error="\x1b[2Jno answer", **first),
        event(run_id, "step_retried", 6, **first),
        event(run_id, "step_started", 10, **second),
        event(run_id, "step_started", 10, **second),
        event(run_id, "step_completed", 20, outputs={"a": 1}, **second),
        event(run_id, "workflow_completed", 21),
        event(run_id, "workflow_paused", 22),
    ]


def test_every_event_of_a_run_is_told_in_order_with_what_became_of_it(commands: Commands) -> None:
    stage, run_id = commands.stage, str(uuid.uuid4())
    stage.publish(*whole_run(str(uuid.uuid4())))
    events = story(run_id)
    partition = stage.publish(*events)[0][0]
    stage.publish_raw((run_id.encode(), b"no event"), partition=partition)
    stage.run_to_end()
    stage.publish(waiting := event(run_id, "workflow_deleted", 30))
    rows = commands.objects("history", run_id)
    assert [row["event_id"] for row in rows] == [*(each["event_id"] for each in events), None, waiting["event_id"]]
    assert [row["verdict"] for row in rows] == [
        *["applied"] * 6, "duplicate", *["applied"] * 2, "rejected", "rejected", "waiting"
    ]  # fmt: skip
    assert [row["version"] for row in rows] == [1, 2, 3, 4, 5, 6, None, 7, 8, None, None, None]
    assert [row["code"] for row in rows[9:]] == ["illegal_transition", "undecodable", None]
    assert {row["offset"]: row["seconds"] for row in rows if row["seconds"] is not None} == {
        rows[3]["offset"]: 3.0, rows[7]["offset"]: 10.0
    }  # fmt: skip
    assert [row["attempt"] for row in rows[2:8]] == [1, 1, None, 2, None, 2]
    assert rows[7]["event"]["outputs"] == {"a": 1}

    out, err = commands("history", run_id)
    assert err == ""
    assert "\x1b" not in out
    assert "\\x1b[2Jno answer" in out
    assert f"12 events on partition {partition}: 8 applied" in out
    bars = {line.split("  ")[0]: line for line in out.split("\n\n")[2].splitlines()[1:]}
    assert list(bars) == ["run", "fetch", "fetch #2"]
    assert bars["fetch"].endswith("3.000 s  failed")
    assert bars["fetch #2"].endswith("10.000 s  completed")


def test_where_the_log_no_longer_has_the_beginning_only_rejections_are_known_and_it_says_so(commands: Commands) -> None:
    stage, run_id = commands.stage, str(uuid.uuid4())
    places = stage.publish(*story(run_id))
    stage.run_to_end()
    settled(stage)
    partition = places[0][0]
    kept = places[3][1]
    trimmed = stage.log.admin.client.delete_records([TopicPartition(stage.topics.events, partition, kept)])
    [done] = trimmed.values()
    done.result()
    out, err = commands("history", run_id, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["verdict"] for row in rows] == [*["unknown"] * 6, "rejected"]
    assert rows[-1]["code"] == "illegal_transition"
    assert {row["version"] for row in rows} == {None}
    assert f"begins at offset {kept} of partition {partition} and no longer has the run's beginning" in err
    assert f"begins at offset {kept}" in commands("history", str_on(stage, partition), code=9)[1]


def str_on(stage: Stage, partition: int) -> str:
    """An id of no run, whose home is this partition."""
    from llm_orchestrator_state.kafka.partitioner import partition_of

    while partition_of((found := str(uuid.uuid4())).encode(), len(stage.partitions)) != partition:
        pass
    return found


# --- watch ------------------------------------------------------------------------------------------------------------


class Watching:
    """`watch` as a process of its own."""

    def __init__(self, commands: Commands, *words: str) -> None:
        command = [sys.executable, "-m", "llm_orchestrator_state", *commands.flags, "watch", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.stdout, self.stderr = self.process.stdout, self.process.stderr

    def wait_until_it_watches(self) -> None:
        assert self.stderr.readline().startswith("watching ")

    def line(self) -> str:
        """The next; it is there as soon as the change is, and not when a buffer is full."""
        return self.stdout.readline()

    def ended(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        """Exit code, the rest of stdout, and that of stderr."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err


@contextmanager
def watching(commands: Commands, *words: str) -> Iterator[Watching]:
    started = Watching(commands, *words)
    try:
        started.wait_until_it_watches()
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.communicate()


def test_changes_are_told_as_they_happen_complete_as_json_or_in_words(commands: Commands) -> None:
    stage, run_id, other = commands.stage, str(uuid.uuid4()), str(uuid.uuid4())
    first: dict[str, object] = {"step_id": "fetch", "attempt": 1}
    told: list[dict[str, Any]] = []
    with working(stage), watching(commands, "--json", "--active") as states, watching(commands) as words:
        for each in (
            event(run_id, "workflow_created"),
            event(run_id, "workflow_started", 1),
            event(run_id, "step_started", 2, **first),
            event(run_id, "step_completed", 3, usage={"gen_ai.usage.output_tokens": 14}, **first),
            event(run_id, "workflow_completed", 4),
            event(run_id, "workflow_deleted", 5),
        ):
            stage.publish(each)
            lines = words.line()
            assert run_id in lines
            if len(told) < 5:
                told.append(json.loads(states.line()))
        assert [each["version"] for each in told] == [1, 2, 3, 4, 5]
        assert [each["id"] for each in told] == [run_id] * 5
        assert told[-1]["status"] == "completed", "that it is not active any more is told once"
        stage.publish(event(other, "workflow_created"))
        assert json.loads(states.line())["id"] == other, "a run that was not active any more is not told again"
        assert words.line() == f"2026-01-05T00:00:00Z  {other}  pending    created: triage\n"
        assert states.ended(signal.SIGINT) == (130, "", "")
        assert words.ended(signal.SIGTERM) == (0, "", "")


def test_one_run_is_watched_from_how_it_is_on_and_a_reader_that_has_gone_ends_it(commands: Commands) -> None:
    stage, run_id = commands.stage, str(uuid.uuid4())
    stage.publish(*whole_run(run_id, steps=1)[:3])
    with working(stage):
        until(lambda: commands.version(run_id) == 3)
        with watching(commands, run_id) as one:
            assert one.line().split()[1] == "running"
            stage.publish(*whole_run(str(uuid.uuid4())))
            stage.publish(*whole_run(run_id, steps=1)[3:4])
            line = one.line()
            assert line.split("  ")[-1] == "step-0 completed, +7 tokens\n"
            assert run_id not in line
            one.stdout.close()
            assert one.process.wait(DEADLINE_S) == 0
            assert one.stderr.read() == ""

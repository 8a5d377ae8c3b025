"""What an operator does to runs, on a real broker with a real worker."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from llm_orchestrator_state.kafka.topics import create
from llm_orchestrator_state.model.records import EventRecord
from tests.integration.commands import Commands
from tests.integration.harness import Stage, event, until, whole_run
from tests.integration.reading import working

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


pytestmark = pytest.mark.usefixtures("nothing_configured")


@pytest.fixture(scope="module")
def worked_on(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A topic set with a worker, for tests that each have runs of their own."""
    stage = Stage(kafka, f"test-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("worked-on"))
    with working(stage):
        yield stage
    stage.close()


@pytest.fixture
def commands(worked_on: Stage, capfd: pytest.CaptureFixture[str]) -> Iterator[Commands]:
    made = Commands(worked_on, capfd)
    yield made
    made.close()


@pytest.fixture
def unattended(stage: Stage, capfd: pytest.CaptureFixture[str]) -> Iterator[Commands]:
    """A topic set without a worker."""
    made = Commands(stage, capfd)
    yield made
    made.close()


def begun(commands: Commands, *more: EventRecord, run_id: str | None = None) -> str:
    """A run that is running, with these events, when its state can be read."""
    run_id = run_id or str(uuid.uuid4())
    events = [event(run_id, "workflow_created"), event(run_id, "workflow_started", 1), *more]
    commands.stage.publish(*events)
    until(lambda: commands.version(run_id) == len(events))
    return run_id


def last_event(commands: Commands, run_id: str) -> EventRecord:
    stage = commands.stage
    found = [m for number in stage.partitions for m in stage.records("events", number) if m.key() == run_id.encode()]
    return stage.codec.decode_event(found[-1].value())


# --- pause, resume, fail ----------------------------------------------------------------------------------------------


def test_a_run_is_paused_resumed_and_failed_each_on_the_version_just_read(commands: Commands) -> None:
    run_id = begun(commands)
    [paused] = commands.objects("pause", run_id, "--reason", "the vendor is down")
    assert (paused["status"], paused["status_reason"], paused["version"]) == ("paused", "the vendor is down", 3)
    published = last_event(commands, run_id)
    assert (published["expected_version"], published["fencing_token"]) == (2, None)
    out, err = commands("resume", run_id.upper())
    assert err == ""
    assert "was  paused (the vendor is down), version 3" in out
    assert "now  running, version 4" in out
    [failed] = commands.objects("fail", run_id, "--error", "given up", "--error-type", "cancelled")
    assert (failed["status"], failed["error"], failed["error_type"]) == ("failed", "given up", "cancelled")
    assert commands.objects("resume", run_id)[0]["status"] == "running"


def test_a_failed_run_whose_hosts_clock_is_ahead_is_resumed(commands: Commands) -> None:
    run_id = begun(commands)
    end = {**event(run_id, "workflow_failed", error="x"), "occurred_at": time.time_ns() // 1000 + DAY_US}
    commands.stage.publish(end)  # type: ignore[arg-type]
    until(lambda: commands.version(run_id) == 3)
    [resumed] = commands.objects("resume", run_id)
    assert (resumed["status"], resumed["error"]) == ("running", None)


def test_what_the_status_does_not_allow_is_one_line_with_the_code_and_what_it_takes(commands: Commands) -> None:
    run_id = begun(commands)
    commands("pause", run_id)
    told = commands.refusal("pause", run_id, code=2)
    assert (
        "(illegal_transition): WorkflowPaused while the run is paused; it takes a run that is pending or running"
        in told
    )


def test_a_run_that_has_changed_meanwhile_is_left_as_it_is(unattended: Commands) -> None:
    stage, run_id = unattended.stage, str(uuid.uuid4())
    stage.publish(event(run_id, "workflow_created"))
    stage.run_to_end()
    stage.publish(event(run_id, "workflow_started", 1))  # nobody has seen its effect yet
    ends = sum(stage.ends("events").values())
    judging = threading.Thread(target=lambda: judged_when_there_are(stage, ends + 1))
    judging.start()
    told = unattended.refusal("pause", run_id, code=2)
    judging.join()
    assert "(version_conflict): expected version 1, the run has 2; the run has changed meanwhile" in told


def judged_when_there_are(stage: Stage, events: int) -> None:
    until(lambda: sum(stage.ends("events").values()) >= events)
    stage.run_to_end()


def test_without_a_worker_it_is_told_who_is_missing_and_the_exit_code_is_3(unattended: Commands) -> None:
    stage, run_id = unattended.stage, str(uuid.uuid4())
    stage.publish(*whole_run(run_id))
    stage.run_to_end()
    for words in (["delete", run_id, "--yes"], ["purge", "--older-than", "0s", "--yes"]):
        told = unattended.refusal(*words, "--timeout", "100ms", code=3)
        where = f"--topic-prefix {stage.topics.prefix} --bootstrap-servers {stage.bootstrap}"
        worker = f"`llm-orchestrator-state worker {where}`"
        assert f"group {stage.topics.prefix}.processor has no worker, start one with {worker}" in told
        assert "within 0.1 s" in told


@pytest.mark.parametrize(
    "words",
    [["pause"], ["resume"], ["fail", "--error", "x"], ["delete", "--yes"], ["restore"], ["checkpoints"], ["history"], ["watch"]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_a_run_that_is_not_there_is_exit_code_9(commands: Commands, words: list[str]) -> None:
    run_id = str(uuid.uuid4())
    assert run_id in commands.refusal(words[0], run_id, *words[1:], code=9)


def test_text_that_is_none_is_refused_before_anything_is_published(commands: Commands) -> None:
    run_id = begun(commands)
    assert "reason is '\\udcff'; expected text in UTF-8" in commands.refusal(
        "pause", run_id, "--reason", "\udcff", code=2
    )
    assert commands.version(run_id) == 2


# --- delete -----------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_run_is_deleted_only_by_who_has_been_asked(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begun(commands)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert "there is no terminal to ask at; give --yes" in commands.refusal("delete", run_id, code=2)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    out, err = commands("delete", run_id, code=130)
    assert out == ""
    assert "nothing was deleted" in err
    assert commands.version(run_id) == 2
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert commands("delete", run_id)[0].endswith("now  deleted\n")
    assert commands.refusal("get", run_id, code=9)


def test_a_deleted_run_as_json_says_that_it_is(commands: Commands) -> None:
    run_id = begun(commands)
    assert commands.objects("delete", run_id, "--yes") == [{"id": run_id, "deleted": True}]


# --- purge ------------------------------------------------------------------------------------------------------------


def test_only_runs_that_are_over_for_so_long_are_purged(unattended: Commands) -> None:
    stage, now = unattended.stage, time.time_ns() // 1000
    old, failed, fresh, active = (str(uuid.uuid4()) for _ in range(4))

    def at(days: int, *events: EventRecord) -> list[EventRecord]:
        return [{**each, "occurred_at": now - days * DAY_US + n} for n, each in enumerate(events)]

    stage.publish(
        *at(40, *whole_run(old)),
        *at(40, *whole_run(failed)[:2], event(failed, "workflow_failed", error="x")),
        *at(2, *whole_run(fresh)),
        *at(40, *whole_run(active)[:3]),
    )
    with working(stage):
        until(lambda: all(unattended.version(each) for each in (old, failed, fresh, active)))
        matched = unattended.objects("purge", "--older-than", "30d", "--dry-run")
        assert {(each["run_id"], each["status"], each["outcome"]) for each in matched} == {
            (old, "completed", "matched"), (failed, "failed", "matched")
        }  # fmt: skip
        out, err = unattended("purge", "--older-than", "30d", "--status", "failed", "--dry-run")
        assert failed in out
        assert old not in out
        assert err == "1 run (1 failed) would be deleted\n"
        assert "give --yes, or --dry-run" in unattended.refusal("purge", "--older-than", "30d", code=2)
        assert {(each["run_id"], each["outcome"]) for each in unattended.objects("purge", "--older-than", "30d", "--yes")} == {
            (old, "deleted"), (failed, "deleted")
        }  # fmt: skip
        assert {each["id"] for each in unattended.objects("list")} == {fresh, active}
        out, err = unattended("purge", "--older-than", "1d", "--yes")
        assert (out, err) == ("", "1 run deleted\n")
        out, err = unattended("purge", "--older-than", "1d", "--yes")
        assert (out, err) == ("", f"no completed or failed run in {stage.topics.state} was not updated for 1d\n")
        assert last_event(unattended, old)["expected_version"] == 7
    assert "only runs that are over" in unattended.refusal("purge", "--older-than", "1d", "--status", "paused", code=2)


def test_a_run_that_changes_during_a_purge_is_kept(unattended: Commands) -> None:
    stage, run_id = unattended.stage, str(uuid.uuid4())
    stage.publish(*whole_run(run_id, steps=0))
    stage.run_to_end()
    stage.publish(event(run_id, "checkpoint_requested", 9, step_id="s"))
    ends = sum(stage.ends("events").values())
    judging = threading.Thread(target=lambda: judged_when_there_are(stage, ends + 1))
    judging.start()
    [kept] = unattended.objects("purge", "--older-than", "0s", "--yes")
    judging.join()
    assert (kept["outcome"], kept["code"]) == ("kept", "version_conflict")
    until(lambda: unattended.version(run_id) == 4)


# --- checkpoints and restore ------------------------------------------------------------------------------------------


def steps(run_id: str) -> list[EventRecord]:
    """Two steps, whose outputs have digits that a double would lose."""
    return [
        event(run_id, f"step_{what}", second, step_id=step, attempt=1, **more)
        for second, (step, what, more) in enumerate(
            (step, what, {"outputs": {"n": number}} if what == "completed" else {})
            for step, number in (("fetch", 1), ("draft", 2))
            for what in ("started", "completed")
        )
    ]


def test_a_run_goes_back_to_a_checkpoint_and_later_steps_go(commands: Commands) -> None:
    run_id = str(uuid.uuid4())
    begun(commands, *steps(run_id), run_id=run_id)
    first, second = commands.objects("checkpoints", run_id)
    assert [(each["step_id"], each["version"]) for each in (first, second)] == [("fetch", 4), ("draft", 6)]
    assert list(second["snapshot"]["steps"]) == ["fetch", "draft"]
    lines = commands("checkpoints", run_id)[0].splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [[first["id"], "fetch", "4"], [second["id"], "draft", "6"]]

    out, err = commands("restore", run_id, "--checkpoint", first["id"].upper())
    assert err == ""
    assert "gone  steps that came later: draft" in out
    assert f"to    checkpoint {first['id']} of step fetch, version 4" in out
    [state] = commands.objects("get", run_id)
    assert (list(state["steps"]), state["version"]) == (["fetch"], 7)
    [state] = commands.objects("restore", run_id)
    assert (list(state["steps"]), state["version"]) == (["fetch", "draft"], 8)
    absent = str(uuid.uuid4())
    assert f"no checkpoint {absent}" in commands.refusal("restore", run_id, "--checkpoint", absent, code=9)
    assert "checkpoint id 'x' is not a UUID" in commands.refusal("restore", run_id, "--checkpoint", "x", code=2)


def test_a_restored_run_has_the_digits_that_its_numbers_were_given(commands: Commands) -> None:
    run_id, exact = str(uuid.uuid4()), "0.12345678901234567890"
    given = event(run_id, "step_completed", 3, step_id="s", attempt=1, outputs=0)
    given["transition"][1]["outputs"] = exact
    begun(commands, event(run_id, "step_started", 2, step_id="s", attempt=1), given, run_id=run_id)
    assert exact in commands("checkpoints", run_id, "--json")[0]
    assert exact in commands("restore", run_id, "--json")[0]


def test_the_history_of_a_run_from_before_a_rebuild_is_told_to_be_in_the_other_log(commands: Commands) -> None:
    create(commands.stage.log.admin, commands.stage.topics, rebuilt_from="before")
    run_id = str(uuid.uuid4())
    told = commands.refusal("history", run_id, code=9)
    where = f"history {run_id} --topic-prefix before --bootstrap-servers {commands.stage.bootstrap}"
    assert f"was rebuilt from the log of 'before', and `llm-orchestrator-state {where}` shows" in told


def test_a_run_without_checkpoints_is_told(commands: Commands) -> None:
    run_id = begun(commands)
    out, err = commands("checkpoints", run_id)
    assert out == ""
    assert err.startswith(f"run {run_id} has no checkpoints; `llm-orchestrator-state topics describe --topic-prefix ")
    assert err.endswith("` shows when they are made\n")
    assert commands.objects("checkpoints", run_id) == []
    assert "has no checkpoint to go back to" in commands.refusal("restore", run_id, code=9)


def test_what_is_printed_as_json_is_the_state_that_get_prints(commands: Commands) -> None:
    run_id = begun(commands)
    printed = commands("pause", run_id, "--json")[0]
    assert commands("get", run_id, "--json")[0] == printed
    assert json.loads(printed)["id"] == run_id

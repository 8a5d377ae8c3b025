"""The commands about rejections, on a real broker with a real worker."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import TopicPartition

from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.jsonlines import parse_line
from tests.integration.harness import Stage, event, headers_of, until, whole_run
from tests.integration.processes import Processes


class Rejections:
    """`rejections ...` of one topic set, and what is in it."""

    def __init__(self, stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
        self.stage = stage
        self.capfd = capfd

    def __call__(self, *words: str, code: int = 0) -> tuple[str, str]:
        """stdout and stderr of a command that ends with this code."""
        self.capfd.readouterr()
        flags = ["--bootstrap-servers", self.stage.bootstrap, "--topic-prefix", self.stage.topics.prefix]
        found = run([*flags, "rejections", *words])
        out, err = self.capfd.readouterr()
        assert found == code, err
        return out, err

    def objects(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*words, "--json", code=code)[0].splitlines()]


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LLM_ORCHESTRATOR_STATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rejections(stage: Stage, capfd: pytest.CaptureFixture[str]) -> Rejections:
    """Of a topic set without any."""
    return Rejections(stage, capfd)


class Happened(NamedTuple):
    """at, late: place and record of an event that paused a run after its end, and the run went on. other: a run that had
    not begun when it was started. Besides there are bytes that are no event.
    """

    at: str
    late: EventRecord
    other: str


def happened(stage: Stage) -> Happened:
    run_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    late = event(run_id, "workflow_paused", 20, reason="\x1b[2Jtoo late")
    partition, offset = stage.publish(*whole_run(run_id, steps=1), late)[-1]
    stage.publish(event(other, "workflow_started", 1))
    stage.publish_raw((b"no\x1b[31mkey", b"hello \x1b[31m world"))
    stage.run_to_end()
    stage.publish(event(run_id, "checkpoint_requested", 30, step_id="step-0"))
    stage.run_to_end()
    return Happened(f"{partition}:{offset}", late, other)


@pytest.fixture(scope="module")
def past(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Happened]]:
    """For tests that judge nothing."""
    stage = Stage(kafka, f"test-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("past"))
    yield stage, happened(stage)
    stage.close()


@pytest.fixture
def paused(past: tuple[Stage, Happened], capfd: pytest.CaptureFixture[str]) -> tuple[Rejections, Happened]:
    return Rejections(past[0], capfd), past[1]


# --- list -------------------------------------------------------------------------------------------------------------


def test_a_topic_without_rejections_is_told_in_one_line(rejections: Rejections) -> None:
    assert rejections("list") == ("", f"no rejections in {rejections.stage.topics.rejections}\n")
    assert rejections("list", "--json") == ("", "")
    assert "are as asked for" in rejections("list", "--code", "fenced")[1]


def test_the_list_is_filtered_newest_last_with_a_number_for_each_code(
    paused: tuple[Rejections, Happened],
) -> None:
    rejections, (at, late, other) = paused
    found = rejections.objects("list")
    assert {each["code"] for each in found} == {"illegal_transition", "unknown_run", "undecodable"}
    assert [each["rejected_at"] for each in found] == sorted(each["rejected_at"] for each in found)
    [illegal] = rejections.objects("list", "--code", "illegal_transition")
    assert (illegal["at"], illegal["event_id"]) == (at, late["event_id"])
    assert rejections.objects("list", "--run", late["run_id"], "--since", "1h") == [illegal]
    [unknown] = rejections.objects("list", "--run", other.upper())
    assert unknown["code"] == "unknown_run"
    assert rejections.objects("list", "--since", "2999-01-01T00:00:00Z") == []
    assert rejections.objects("list", "--limit", "1") == found[-1:]
    out, err = rejections("list", "--limit", "2")
    assert err.startswith("3 rejections: 1 ")
    assert err.endswith("; the newest 2 are shown\n")
    assert "\x1b" not in out


# --- show -------------------------------------------------------------------------------------------------------------


def test_a_rejection_is_shown_by_place_event_and_run_with_the_run_then_and_now(
    paused: tuple[Rejections, Happened],
) -> None:
    rejections, (at, late, _) = paused
    [shown] = rejections.objects("show", at)
    assert rejections.objects("show", late["event_id"]) == rejections.objects("show", late["run_id"]) == [shown]
    assert (shown["code"], shown["event_id"]) == ("illegal_transition", late["event_id"])
    assert parse_line(json.dumps(shown["event"])) == late  # so `publish` takes it, changed or not
    assert (shown["state_then"]["version"], shown["state_now"]["version"]) == (5, 6)
    assert {each["field"] for each in shown["differences"]} == {
        "version", "updated_at", "last_event_id", "checkpoint_count"
    }  # fmt: skip
    out = rejections("show", at)[0]
    assert "\\u001b[2Jtoo late" in out
    assert "\x1b" not in out
    assert "completed, version 5" in out


def test_bytes_that_are_no_event_are_shown_as_they_are(paused: tuple[Rejections, Happened]) -> None:
    rejections, _ = paused
    [at] = [each["at"] for each in rejections.objects("list", "--code", "undecodable")]
    [shown] = rejections.objects("show", at)
    assert (shown["event"], shown["stopped_at"]) == (None, 0)
    out = rejections("show", at)[0]
    assert "68 65 6c 6c 6f 20 1b 5b" in out
    assert "no\\x1b[31mkey" in out
    assert "\x1b" not in out


def test_a_run_that_did_not_exist_is_told(paused: tuple[Rejections, Happened]) -> None:
    rejections, (_, _, other) = paused
    [shown] = rejections.objects("show", other)
    assert (shown["state_then"], shown["state_then_unknown"], shown["state_now"]) == (None, "", None)


def test_where_the_log_no_longer_reaches_back_the_present_state_is_shown_and_it_says_so(rejections: Rejections) -> None:
    at, late, _ = happened(rejections.stage)
    stage, (partition, offset) = rejections.stage, map(int, at.split(":"))
    trimmed = stage.log.admin.client.delete_records([TopicPartition(stage.topics.events, partition, offset - 1)])
    [done] = trimmed.values()
    done.result()
    [shown] = rejections.objects("show", at)
    assert shown["state_then"] is None
    assert "no longer has all" in shown["state_then_unknown"]
    assert shown["state_now"]["id"] == late["run_id"]
    assert "not known: the event log" in rejections("show", at)[0]


@pytest.mark.parametrize(
    ("which", "code", "text"),
    [("0:99", 9, "no rejection 0:99"), ("9:0", 9, "no rejection 9:0"), ("x", 2, "expected PARTITION:OFFSET")],
)
def test_what_names_no_rejection_is_one_line(rejections: Rejections, which: str, code: int, text: str) -> None:
    for words in (["show", which], ["redrive", which]):
        out, err = rejections(*words, code=code)
        assert (out, err.count("\n")) == ("", 1)
        assert text in err


# --- redrive ----------------------------------------------------------------------------------------------------------


def test_after_a_fix_an_event_is_applied_and_doing_it_again_is_a_duplicate(
    rejections: Rejections, processes: Processes
) -> None:
    stage, other = rejections.stage, str(uuid.uuid4())
    stage.publish(event(other, "workflow_started", 1))
    stage.run_to_end()
    [before] = rejections.objects("redrive", "--code", "unknown_run", "--dry-run")
    assert (before["outcome"], before["new_code"], before["partition"]) == ("rejected", "unknown_run", None)
    processes.worker("other")
    [again] = rejections.objects("redrive", "--code", "unknown_run", "--yes", code=6)
    assert (again["outcome"], again["new_code"]) == ("rejected", "unknown_run")
    # its own rejection is another try of the same, under the same id
    tries = rejections.objects("list", "--code", "unknown_run")
    assert [each["event_id"] for each in tries] == [again["event_id"], again["redriven_as"]]
    assert tries[1]["redriven_from"] == {"at": tries[0]["at"], "event_id": tries[0]["event_id"]}

    stage.publish(event(other, "workflow_created"))
    until(lambda: rejections.objects("redrive", other, "--dry-run", code=9) == [] and _exists(stage, other))
    assert [each["outcome"] for each in rejections.objects("redrive", "--run", other, "--dry-run")] == ["applied"]
    [applied] = rejections.objects("redrive", "--run", other, "--yes")
    assert (applied["outcome"], applied["redriven_as"]) == ("applied", again["redriven_as"])
    [message] = [m for m in stage.records("events", applied["partition"]) if m.offset() == applied["offset"]]
    assert headers_of(message) == {"redriven-from": again["event_id"].encode()}
    assert message.key() == other.encode()
    state = stage.codec.decode_state(stage.table("state", applied["partition"])[other.encode()])
    assert (state["status"], state["version"], state["last_event_id"]) == ("running", 2, applied["redriven_as"])

    [twice] = rejections.objects("redrive", applied["at"], "--yes")
    assert (twice["outcome"], twice["offset"]) == ("duplicate", None)


def _exists(stage: Stage, run_id: str) -> bool:
    return any(run_id.encode() in stage.table("state", partition) for partition in stage.partitions)


def test_what_can_never_be_right_is_refused_and_nothing_is_published(
    paused: tuple[Rejections, Happened],
) -> None:
    rejections, _ = paused
    before = rejections.stage.ends("events")
    [refused] = rejections.objects("redrive", "--code", "undecodable", "--yes", code=6)
    assert refused["outcome"] == "refused"
    assert "cannot be read" in refused["reason"]
    assert rejections.stage.ends("events") == before


def test_without_a_terminal_to_ask_at_it_must_be_told_to_go_on(
    paused: tuple[Rejections, Happened],
) -> None:
    rejections, (at, *_) = paused
    before = rejections.stage.ends("events")
    assert "give --yes" in rejections("redrive", at, code=2)[1]
    assert "which rejections is not said" in rejections("redrive", code=2)[1]
    assert rejections.stage.ends("events") == before


def test_that_no_worker_judges_it_is_exit_code_3_and_doing_it_again_does_no_harm(
    paused: tuple[Rejections, Happened],
) -> None:
    rejections, (at, late, _) = paused
    [waiting] = rejections.objects("redrive", at, "--yes", "--wait", "100ms", code=3)
    assert waiting["outcome"] == "waiting"
    [without] = rejections.objects("redrive", at, "--yes", "--wait", "0")
    assert without["redriven_as"] == waiting["redriven_as"] != late["event_id"]


def test_a_run_given_where_a_rejection_belongs_is_told_how_to_be_given(
    paused: tuple[Rejections, Happened],
) -> None:
    rejections, (_, late, _) = paused
    run_id, stage = late["run_id"], rejections.stage
    _, err = rejections("redrive", run_id, code=9)
    where = f"--topic-prefix {stage.topics.prefix} --bootstrap-servers {stage.bootstrap}"
    assert f"`llm-orchestrator-state rejections redrive --run {run_id} {where}`; nothing was published" in err

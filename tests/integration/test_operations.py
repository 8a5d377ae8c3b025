"""`doctor`, `status` and `topics describe` against a real broker, each with what it is there to find."""

from __future__ import annotations

import json
import os
import socket
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # it has no __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from llm_orchestrator_state import errors
from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.kafka.admin import Admin
from llm_orchestrator_state.kafka.direct import Address, clock, features
from llm_orchestrator_state.kafka.topics import TopicSet, create
from llm_orchestrator_state.local.ports import free_ports
from llm_orchestrator_state.operations.doctor import CHECKS
from tests.cluster import KafkaCluster
from tests.integration.harness import DEADLINE_S, Stage, event, new_runs, until
from tests.integration.processes import Processes
from tests.topic_settings import alter

Findings = dict[str, list[dict[str, Any]]]
NEED_TOPICS = {check.name for check in CHECKS if check.need == "topics"}
NEED_BROKERS = {check.name for check in CHECKS if check.need != "nothing"}


class Operator:
    """The command line on a topic set; `state` is the state directory."""

    def __init__(self, capfd: pytest.CaptureFixture[str], bootstrap: str, prefix: str, state: Path) -> None:
        self._capfd = capfd
        self._flags = ["--bootstrap-servers", bootstrap, "--topic-prefix", prefix, "--state-dir", str(state)]

    def __call__(self, *words: str, code: int = 0) -> str:
        self._capfd.readouterr()
        ended = run([*self._flags, *words])
        out, err = self._capfd.readouterr()
        assert ended == code, (out, err)
        return out

    def doctor(self, *words: str, code: int = 0) -> Findings:
        """By check."""
        found: Findings = {}
        for line in self("doctor", "--json", *words, code=code).splitlines():
            finding = json.loads(line)
            found.setdefault(finding["check"], []).append(finding)
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", "--json"))
        return found


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LLM_ORCHESTRATOR_STATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def operator(stage: Stage, capfd: pytest.CaptureFixture[str]) -> Operator:
    return Operator(capfd, stage.bootstrap, stage.topics.prefix, stage.directory / "state")


def outcome(found: Findings, check: str) -> str:
    """The worst of a check."""
    order = ["skipped", "ok", "warning", "failure"]
    return order[max(order.index(each["outcome"]) for each in found[check])]


def skipped(found: Findings) -> set[str]:
    return {check for check, findings in found.items() if findings[0]["outcome"] == "skipped"}


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_a_deployment_that_works_has_no_failure_and_nothing_is_left_out(stage: Stage, operator: Operator) -> None:
    stage.publish(*new_runs(2))
    stage.run_to_end()
    found = operator.doctor()
    assert {each["outcome"] for findings in found.values() for each in findings} == {"ok", "warning"}
    of_this_machine = {"disk space", "open files"}
    assert {check for check in found if outcome(found, check) == "warning"} - of_this_machine == {"workers"}
    assert "agrees with" in found["clock"][0]["found"]
    assert "metadata.version" in found["broker"][0]["found"]
    assert "no authorizer" in found["access"][0]["found"]
    assert found["stores"][0]["found"] == "partitions 0-1 not open"


def test_what_needs_no_broker_is_checked_without_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
        found = Operator(capfd, nowhere, "p", tmp_path / "state").doctor(code=3)
    assert found["broker"][0]["outcome"] == "failure"
    assert "no Kafka broker answered" in found["broker"][0]["found"]
    assert "start it" in found["broker"][0]["advice"]
    assert skipped(found) == NEED_BROKERS | {"listeners", "open files"}
    assert {outcome(found, check) for check in ("program", "environment", "state directory", "schemas")} == {"ok"}


def test_missing_topics_are_told_with_the_command_that_makes_them(
    kafka: str, topic_prefix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = Operator(capfd, kafka, topic_prefix, tmp_path / "state").doctor(code=4)
    assert f"llm-orchestrator-state topics create --topic-prefix {topic_prefix}" in found["topics"][0]["advice"]
    assert skipped(found) == NEED_TOPICS | {"open files"}
    assert not (tmp_path / "state").exists()


def test_a_wrong_setting_of_a_topic_is_told_with_its_repair_and_the_rest_is_checked(
    stage: Stage, operator: Operator
) -> None:
    alter(stage.log.admin, stage.topics.state, cleanup_policy="delete")
    found = operator.doctor(code=4)
    (problem,) = found["topics"]
    assert problem["found"] == f"{stage.topics.state}: found cleanup.policy=delete, needed compact"
    assert problem["advice"].startswith("repair: kafka-configs ")
    assert outcome(found, "lag") == "ok"


def test_settings_of_ours_that_the_broker_does_not_allow_are_told_with_exit_code_2(operator: Operator) -> None:
    found = operator.doctor("--session-timeout", "1s", code=2)
    assert "ours is 1000" in found["broker settings"][0]["found"]
    assert outcome(found, "topics") == "ok"


def test_a_setting_that_cannot_be_read_is_a_finding_too(operator: Operator) -> None:
    assert set(operator.doctor("--session-timeout", "soon", code=2)) == {"settings", "all others"}


def test_a_misspelt_variable_is_a_warning_and_no_value_is_shown(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_ORCHESTRATOR_STATE_TOPIC_PREFX", "secret")
    monkeypatch.setenv("LLM_ORCHESTRATOR_STATE_PROPERTIES", "sasl.password=secret")
    assert "secret" not in operator("doctor")
    (found,) = operator.doctor()["environment"]
    assert found["outcome"] == "warning"
    assert "LLM_ORCHESTRATOR_STATE_TOPIC_PREFIX" in found["advice"]


def test_a_store_of_another_topic_set_is_a_failure_with_exit_code_5(stage: Stage, operator: Operator) -> None:
    stage.publish(*new_runs(2))
    stage.run_to_end()
    other = Stage(stage.bootstrap, f"{stage.topics.prefix}-other", stage.directory)
    try:
        own = stage.directory / "state" / stage.topics.events / "0"
        own.rename(stage.directory / "state" / "kept")
        other.publish(*new_runs(8))
        other.run_to_end("foreign")
        (stage.directory / "foreign" / other.topics.events / "0").rename(own)
    finally:
        other.close()
    found = operator.doctor(code=5)
    assert [each["outcome"] for each in found["stores"]] == ["failure", "ok"]
    assert "belongs to cluster and topic" in found["stores"][0]["found"]


def test_a_state_directory_that_others_can_read_is_a_warning(stage: Stage, operator: Operator) -> None:
    directory = stage.directory / "state"
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    assert outcome(operator.doctor(), "state directory") == "warning"
    directory.chmod(0o700)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert outcome(operator.doctor(), "state directory") == "ok"


def test_events_that_wait_for_nobody_and_growing_rejections_are_warnings(stage: Stage, operator: Operator) -> None:
    stage.publish(*new_runs(2), event(str(uuid.uuid4()), "workflow_started"))
    found = operator.doctor()
    assert outcome(found, "rejections") == "ok"
    assert outcome(found, "lag") == "warning"
    assert found["lag"][0]["found"].startswith("15 events wait")
    assert "llm-orchestrator-state worker" in found["lag"][0]["advice"]
    stage.run_to_end()
    until(lambda: operator.status()["rejections"]["kept"]["number"])  # its marker comes after the commit's answer
    found = operator.doctor()
    assert outcome(found, "lag") == "ok"
    assert found["rejections"][0]["found"] == "1 in the last hour (unknown_run 1), 1 in all"


def test_brokers_that_advertise_an_address_which_cannot_be_reached_are_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    elsewhere = f"127.0.0.1:{port}"
    advertised: dict[str, Any] = {"advertised.listeners": f"PLAINTEXT://{elsewhere}"}
    with KafkaCluster(tmp_path / "kafka", **advertised) as kafka:
        found = Operator(capfd, kafka.bootstrap, "p", tmp_path / "state").doctor(code=3)
    assert f"Connect to ipv4#{elsewhere} failed" in found["broker"][0]["found"]
    assert f"broker 0 advertises {elsewhere}, which cannot be reached" in found["listeners"][0]["found"]
    assert "advertised.listeners" in found["listeners"][0]["advice"]
    assert skipped(found) == NEED_BROKERS | {"open files"}


def test_rights_that_are_missing_are_told_and_what_is_allowed_is_still_checked(
    tmp_path: Path, topic_prefix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    topics = TopicSet(topic_prefix)

    def rule(kind: ResourceType, name: str, operation: AclOperation, permission: AclPermissionType) -> AclBinding:
        return AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, permission)

    rules: dict[str, Any] = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with KafkaCluster(tmp_path / "kafka", **rules) as kafka:
        admin = Admin(kafka.bootstrap)
        create(admin, topics, partitions=1)
        rights = [
            *(
                rule(ResourceType.TOPIC, topics.state, operation, AclPermissionType.ALLOW)
                for operation in (AclOperation.READ, AclOperation.DESCRIBE_CONFIGS)
            ),
            rule(ResourceType.BROKER, "kafka-cluster", AclOperation.ALL, AclPermissionType.DENY),
        ]
        for made in admin.client.create_acls(rights).values():
            made.result()
        found = Operator(capfd, kafka.bootstrap, topic_prefix, tmp_path / "state").doctor()
    assert outcome(found, "access") == "warning"
    assert f"it lacks WRITE on {topics.state}" in found["access"][0]["found"]
    assert skipped(found) == {"broker settings", "clock", "stores"}
    assert "refuse" in found["clock"][0]["found"]
    assert outcome(found, "lag") == "ok"


# --- status -----------------------------------------------------------------------------------------------------------


def test_status_shows_nothing_done_yet_and_then_all_of_it_without_a_worker(stage: Stage, operator: Operator) -> None:
    stage.publish(*new_runs(3))
    before = operator.status()
    assert before["workers"] == []
    assert sum(each["lag"] for each in before["partitions"]) == 21
    assert {each["committed"] for each in before["partitions"]} == {None}
    assert {each["store_bytes"] for each in before["partitions"]} == {None}
    stage.run_to_end()
    after = operator.status()
    assert {each["lag"] for each in after["partitions"]} == {0}
    assert [each["committed"] for each in after["partitions"]] == [each["end"] for each in after["partitions"]]
    assert all(each["store_bytes"] > 0 for each in after["partitions"])
    shown = operator("status")
    assert shown.startswith(f"{stage.topics.prefix}: no worker, 2 partitions, lag 0, last output ")


def test_status_shows_the_workers_and_doctor_who_has_their_stores_open(
    stage: Stage, operator: Operator, processes: Processes
) -> None:
    child = processes.worker("state", "w-7")
    child.says("partition 1: from offset")
    stage.publish(*new_runs(2))
    until(lambda: sum(each["committed"] or 0 for each in operator.status()["partitions"]) == 14)
    found = operator.status()
    assert {each["lag"] for each in found["partitions"]} == {0}
    assert [(each["instance_id"], each["partitions"]) for each in found["workers"]] == [("w-7", [0, 1])]
    assert {each["owner"] for each in found["partitions"]} == {"w-7"}
    checked = operator.doctor()
    assert outcome(checked, "workers") == "ok"
    assert f"open in process {child.process.pid}" in checked["stores"][0]["found"]


def test_status_shows_an_open_transaction_that_readers_wait_for(stage: Stage, operator: Operator) -> None:
    writer = Producer({"bootstrap.servers": stage.bootstrap, "transactional.id": f"{stage.topics.prefix}.other"})
    writer.init_transactions(DEADLINE_S)
    writer.begin_transaction()
    writer.produce(stage.topics.state, b"value", b"key", 1)
    assert writer.flush(DEADLINE_S) == 0
    try:
        (found,) = operator.status()["open_transactions"]
        assert (found["topic"], found["partition"], found["offset"]) == (stage.topics.state, 1, 0)
        assert found["since"] is not None
        assert f"open transaction: {stage.topics.state}[1] at offset 0" in operator("status")
    finally:
        writer.abort_transaction(DEADLINE_S)


# --- topics describe --------------------------------------------------------------------------------------------------


def test_topics_describe_tells_what_is_kept_and_what_is_recorded(stage: Stage, operator: Operator) -> None:
    stage.publish(*new_runs(4))
    found = json.loads(operator("topics", "describe", "--json"))
    by_role = {each["role"]: each for each in found["topics"]}
    assert list(by_role) == list(stage.topics.names())
    assert by_role["events"]["offsets"] == 28
    assert by_role["events"]["bytes"] > 28 * 16
    assert by_role["events"]["retention_ms"] == -1
    assert by_role["state"]["retention_ms"] is None
    assert by_role["meta"]["partitions"] == 1
    assert found["format"]["checkpoints"] == "step"
    assert found["recorded_at"] is not None
    assert found["missing"] == []
    shown = operator("topics", "describe")
    assert all(name in shown for name in stage.topics.names().values())
    assert "after each completed step" in shown


def test_topics_describe_of_a_set_that_is_not_there_is_told(
    kafka: str, topic_prefix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    operator = Operator(capfd, kafka, topic_prefix, tmp_path / "state")
    for words in (["topics", "describe"], ["status"]):
        assert operator(*words, code=4) == ""


# --- asking brokers directly ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [features, clock])
def test_what_is_no_broker_is_told_within_the_time_given(ask: Callable[[Address, float], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address("127.0.0.1", silent.getsockname()[1])
        with pytest.raises(errors.Connection, match="does not answer"):
            ask(address, 0.2)
    with pytest.raises(errors.Connection, match="does not answer"):
        ask(address, 0.2)

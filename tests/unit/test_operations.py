from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from llm_orchestrator_state.errors import Connection, StateDirectory, TopicMismatch
from llm_orchestrator_state.kafka.acls import rules
from llm_orchestrator_state.kafka.direct import ClockReading
from llm_orchestrator_state.kafka.inspection import PartitionReplicas, assigned_partitions
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.operations.checks.brokers import clock_finding, setting_problems
from llm_orchestrator_state.operations.checks.host import files_needed
from llm_orchestrator_state.operations.checks.protection import access_finding, open_finding, transport_finding
from llm_orchestrator_state.operations.checks.topics import replica_problems
from llm_orchestrator_state.operations.checks.work import (
    lag_findings,
    rejection_findings,
    transaction_findings,
    worker_findings,
)
from llm_orchestrator_state.operations.doctor import exit_code
from llm_orchestrator_state.operations.findings import AGAIN, Finding, failed, ok, skipped, warning
from llm_orchestrator_state.operations.status import (
    Count,
    OpenTransaction,
    PartitionStatus,
    RejectionsStatus,
    Status,
    WorkerStatus,
)
from llm_orchestrator_state.operations.stores import holder, partition_directories, size_on_disk
from llm_orchestrator_state.operations.wording import partitions_text
from llm_orchestrator_state.settings import Settings
from llm_orchestrator_state.units import size_text

NOW = 1_800_000_000.0
TOPICS = TopicSet("p")


def partition(number: int = 0, **changed: object) -> PartitionStatus:
    """One that has judged all of its ten events."""
    level = PartitionStatus(
        partition=number,
        start=0,
        end=10,
        committed=10,
        changing=False,
        lag=0,
        waiting_since=None,
        owner="w0",
        state_start=0,
        state_end=4,
        last_output=NOW - 5,
        store_bytes=None,
    )
    return msgspec.structs.replace(level, **changed)


def status(**changed: object) -> Status:
    """One worker that has done all its work."""
    level = Status(
        prefix="p",
        group="p.processor",
        group_state="Stable",
        at=NOW,
        workers=[WorkerStatus("w0", "10.0.0.1", [0])],
        partitions=[partition()],
        rejections=RejectionsStatus(Count(0, exact=True), Count(0, exact=True), {}),
        open_transactions=[],
    )
    return msgspec.structs.replace(level, **changed)


def outcomes(findings: object) -> list[str]:
    return [finding.outcome for finding in findings]  # type: ignore[attr-defined]


# --- findings ---------------------------------------------------------------------------------------------------------


def test_an_error_says_what_was_found_and_behind_the_semicolon_what_to_do() -> None:
    found = failed("topics", TopicMismatch("p.state: found a, needed b; repair: kafka-configs; then look again"))
    assert found == Finding(
        "topics", "failure", "p.state: found a, needed b", "repair: kafka-configs; then look again", 4
    )
    assert failed("stores", StateDirectory("it is full")).advice is None
    assert failed("topics", Connection("timed out")).advice == AGAIN


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    bad = [failed("broker", Connection("away")), failed("topics", TopicMismatch("gone"))]
    assert exit_code([ok("a", ""), warning("b", "", ""), skipped("c", "")]) == 0
    assert exit_code([warning("b", "", ""), *bad]) == 3
    assert exit_code([*bad[1:], bad[0]]) == 4


# --- brokers ----------------------------------------------------------------------------------------------------------


def test_settings_that_brokers_have_by_default_fit_ours() -> None:
    assert list(setting_problems(Settings(), 3, {})) == []


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("transaction.max.timeout.ms", "9999", "failure"),
        ("transaction.max.timeout.ms", "10000", None),
        ("group.min.session.timeout.ms", "10001", "failure"),
        ("group.max.session.timeout.ms", "9999", "failure"),
        ("group.max.session.timeout.ms", "10000", None),
        ("offsets.retention.minutes", "60", "warning"),
        ("transaction.state.log.replication.factor", "1", "warning"),
        ("offsets.topic.replication.factor", "1", "warning"),
    ],
)
def test_a_broker_setting_that_does_not_fit_ours_is_told(name: str, value: str, outcome: str | None) -> None:
    problems = list(setting_problems(Settings(), 3, {name: value}))
    assert outcomes(problems) == ([outcome] if outcome else [])
    assert all(problem.advice for problem in problems)


def test_one_replica_of_the_internal_topics_is_no_problem_where_there_is_one_broker() -> None:
    assert list(setting_problems(Settings(), 1, {"offsets.topic.replication.factor": "1"})) == []


@pytest.mark.parametrize(
    ("told", "ahead_s"),
    [(99.0, -0.999), (99.9995, 0.0), (100.1, 0.0), (100.2, 0.0), (103.2, 3.0)],
)
def test_a_clock_between_asking_and_hearing_is_no_other_clock(told: float, ahead_s: float) -> None:
    assert ClockReading(sent=100.0, told=told, heard=100.2).ahead_s == pytest.approx(ahead_s)


def test_clocks_that_differ_by_more_than_a_second_are_a_warning_in_the_right_direction() -> None:
    assert clock_finding(ClockReading(100.0, 100.9, 100.001)).outcome == "ok"
    ahead = clock_finding(ClockReading(100.0, 163.0, 100.0))
    assert (ahead.outcome, "63.0 s behind the cluster's" in ahead.found) == ("warning", True)
    assert "59.0 s ahead of the cluster's" in clock_finding(ClockReading(100.0, 40.999, 100.0)).found


def test_the_partitions_of_a_member_are_read_from_its_assignment() -> None:
    def topic(name: bytes, *numbers: int) -> bytes:
        return struct.pack(">h", len(name)) + name + struct.pack(f">i{len(numbers)}i", len(numbers), *numbers)

    assignment = struct.pack(">hi", 1, 2) + topic(b"p.events", 3, 1) + topic(b"other") + struct.pack(">i", -1)
    assert assigned_partitions(assignment) == {"p.events": [1, 3], "other": []}
    assert assigned_partitions(b"") == {}


# --- topics -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "brokers", "outcome"),
    [
        (PartitionReplicas(leader=1, replicas=3, in_sync=3), 3, None),
        (PartitionReplicas(leader=1, replicas=3, in_sync=2), 3, "warning"),
        (PartitionReplicas(leader=1, replicas=3, in_sync=1), 3, "failure"),
        (PartitionReplicas(leader=None, replicas=3, in_sync=2), 3, "failure"),
    ],
)
def test_partitions_are_judged_by_their_leader_and_replicas_in_sync(
    part: PartitionReplicas, brokers: int, outcome: str | None
) -> None:
    found = list(replica_problems({"p.state": [part]}, {"p.state": 2}, brokers))
    assert [each.outcome for each in found][:1] == ([outcome] if outcome else [])
    assert all("partition 0" in each.found for each in found)


def test_a_single_replica_is_a_warning_only_where_there_could_be_more() -> None:
    single = {"p.state": [PartitionReplicas(leader=1, replicas=1, in_sync=1)]}
    assert outcomes(replica_problems(single, {"p.state": 1}, 3)) == ["warning"]
    assert outcomes(replica_problems(single, {"p.state": 1}, 1)) == []


def test_rights_that_a_worker_lacks_are_named_by_topic() -> None:
    allowed: dict[str, frozenset[str]] = {}
    for rule in rules("processor", TOPICS, "g"):
        allowed[rule.name] = allowed.get(rule.name, frozenset({"DESCRIBE"})) | {rule.operation}
    assert access_finding(TOPICS, allowed).outcome == "ok"
    reader = allowed | {"p.state": frozenset({"READ", "DESCRIBE", "DESCRIBE_CONFIGS"})}
    reader["p.rejections"] = frozenset()
    del reader["p.outputs"]
    found = access_finding(TOPICS, reader)
    assert found.outcome == "warning"
    assert found.found.endswith("it lacks WRITE on p.state; WRITE, DESCRIBE_CONFIGS on p.rejections")
    assert "has no role" in found.found
    assert found.advice
    assert "llm-orchestrator-state topics acls --role processor " in found.advice
    publisher = {name: frozenset({"WRITE"} if name == "p.events" else ()) for name in TOPICS.names().values()}
    assert "what a publisher does, and is no worker" in access_finding(TOPICS, publisher).found


@pytest.mark.parametrize(
    ("properties", "host", "outcome", "told"),
    [
        ({}, "127.0.0.1", "ok", "no broker is on another machine"),
        ({}, "localhost", "ok", "no broker is on another machine"),
        ({}, "kafka-1", "warning", "no TLS and no login"),
        ({"security.protocol": "sasl_plaintext"}, "10.0.0.7", "warning", "a login without TLS"),
        ({"security.protocol": "SSL"}, "127.0.0.1", "warning", "TLS without a login"),
        ({"security.protocol": "SSL", "ssl.certificate.location": "/c"}, "kafka-1", "ok", "by a certificate"),
        ({"security.protocol": "SASL_SSL"}, "kafka-1", "ok", "by a password"),
    ],
)
def test_what_is_missing_of_tls_and_login_is_told_in_one_line(
    properties: dict[str, str], host: str, outcome: str, told: str
) -> None:
    found = transport_finding(properties, ["127.0.0.1", host])
    assert (found.outcome, told in found.found) == (outcome, True)
    assert (found.advice is None) == (outcome == "ok")


def test_brokers_elsewhere_that_ask_no_acls_are_a_warning_with_what_to_do() -> None:
    assert open_finding(["127.0.0.1", "::1"]).outcome == "ok"
    found = open_finding(["127.0.0.1", "kafka-2"])
    assert found.outcome == "warning"
    assert found.advice
    assert "authorizer.class.name=" in found.advice


def test_the_files_needed_grow_with_the_partitions() -> None:
    assert files_needed(32) - files_needed(31) == files_needed(2) - files_needed(1) > 128


# --- work -------------------------------------------------------------------------------------------------------------


def test_a_deployment_that_works_has_nothing_to_warn_of() -> None:
    level = status()
    findings = [
        *worker_findings(level),
        *lag_findings(level),
        *transaction_findings(level, 20),
        *rejection_findings(level),
    ]
    assert set(outcomes(findings)) == {"ok"}


def test_no_worker_and_a_partition_without_one_are_warnings() -> None:
    assert outcomes(worker_findings(status(workers=[]))) == ["warning"]
    ownerless = list(worker_findings(status(partitions=[partition(0), partition(1, owner=None)])))
    assert outcomes(ownerless) == ["ok", "warning"]
    assert "partition 1" in ownerless[1].found


def test_owners_are_not_asked_for_in_the_middle_of_a_rebalance() -> None:
    found = list(worker_findings(status(group_state="PreparingRebalance", partitions=[partition(owner=None)])))
    assert [each.found for each in found[1:]] == ["the group is in state PreparingRebalance"]


@pytest.mark.parametrize(
    ("waited_s", "workers", "outcome"),
    [(1, True, "ok"), (59, True, "ok"), (61, True, "warning"), (1, False, "warning")],
)
def test_lag_is_a_warning_when_events_wait_long_or_for_nobody(waited_s: float, workers: bool, outcome: str) -> None:
    late = status(partitions=[partition(lag=3, committed=7, waiting_since=NOW - waited_s), partition(1)])
    found = list(lag_findings(late if workers else msgspec.structs.replace(late, workers=[])))
    assert outcomes(found) == [outcome]
    assert "3 events wait" in found[0].found


@pytest.mark.parametrize("committed", [4, 11])
def test_an_offset_outside_the_log_is_a_failure_with_the_exit_code_of_workers(committed: int) -> None:
    (found, *_) = lag_findings(status(partitions=[partition(start=5, committed=committed)]))
    assert (found.outcome, found.exit_code) == ("failure", 8)


def test_a_transaction_hangs_when_the_brokers_should_have_ended_it() -> None:
    def opened(since: float | None) -> Status:
        return status(open_transactions=[OpenTransaction("p.state", 1, 42, since)])

    assert outcomes(transaction_findings(opened(NOW - 19), 20)) == ["ok"]
    assert outcomes(transaction_findings(opened(None), 20)) == ["ok"]
    (found,) = transaction_findings(opened(NOW - 21), 20)
    assert found.outcome == "failure"
    assert "p.state[1]: open at offset 42 for 21s" in found.found


def test_rejections_are_told_only_while_they_grow() -> None:
    old = status(rejections=RejectionsStatus(Count(7, exact=True), Count(0, exact=True), {}))
    assert [(each.outcome, each.found) for each in rejection_findings(old)] == [
        ("ok", "none in the last hour, 7 in all")
    ]
    growing = RejectionsStatus(Count(1_007, exact=False), Count(3, exact=True), {"fenced": 2, "unknown_run": 1})
    (found,) = rejection_findings(status(rejections=growing))
    assert found.outcome == "warning"
    assert found.found == "3 in the last hour (fenced 2, unknown_run 1), at most 1,007 in all"


# --- the local stores -------------------------------------------------------------------------------------------------


def test_the_size_of_a_store_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "0" / "deeper").mkdir(parents=True)
    before = size_on_disk(tmp_path / "0") or 0
    (tmp_path / "0" / "deeper" / "file").write_bytes(b"x" * 1000)
    assert (size_on_disk(tmp_path / "0") or 0) - before == 1000
    assert size_on_disk(tmp_path / "1") is None


def test_only_numbered_directories_are_stores(tmp_path: Path) -> None:
    for name in ("10", "2", "0.damaged"):
        (tmp_path / name).mkdir()
    (tmp_path / "3").touch()
    assert partition_directories(tmp_path) == [2, 10]
    assert partition_directories(tmp_path / "none") == partition_directories(tmp_path / "3") == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose a lock is")
def test_the_process_that_has_a_store_open_is_told_without_touching_its_lock(tmp_path: Path) -> None:
    lock = tmp_path / "LOCK"
    lock.touch()
    assert holder(tmp_path) is None
    program = (
        "import fcntl, sys; file = open(sys.argv[1], 'r+'); fcntl.lockf(file, fcntl.LOCK_EX); print('held', flush=True); "
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdin
        assert other.stdout.readline() == b"held\n"
        assert holder(tmp_path) == holder(tmp_path) == other.pid
        other.stdin.close()
    assert holder(tmp_path) is None
    assert holder(tmp_path / "none") is None


def test_sizes_are_written_as_people_say_them() -> None:
    assert [size_text(count) for count in (0, 1023, 1536, 20 * 2**20, 3.25 * 2**30)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "20.0 MiB",
        "3.2 GiB",
    ]


def test_partitions_in_a_row_are_written_as_a_range() -> None:
    assert partitions_text([3]) == "partition 3"
    assert partitions_text([7, 0, 1, 2, 9, 8]) == "partitions 0-2, 7-9"
    assert partitions_text([]) == "no partition"

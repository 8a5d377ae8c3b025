from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # it has no __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.local.ports import free_ports
from tests.cluster import KafkaCluster

DEADLINE_S = 30.0


class Command:
    """The command line on a topic set of its own."""

    def __init__(self, bootstrap: str, prefix: str, directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.flags = [
            "--bootstrap-servers",
            bootstrap,
            "--topic-prefix",
            prefix,
            "--state-dir",
            str(directory / "state"),
        ]
        self.capfd = capfd

    def __call__(self, *words: str, code: int = 0) -> tuple[str, str]:
        """stdout and stderr of a command that ends with this code."""
        self.capfd.readouterr()
        found = run([*self.flags, *words])
        out, err = self.capfd.readouterr()
        assert found == code, err
        return out, err

    def objects(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*words, "--json")[0].splitlines()]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "llm_orchestrator_state", *self.flags, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def command(
    kafka: str, topic_prefix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    for name in [name for name in os.environ if name.startswith("LLM_ORCHESTRATOR_STATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    # a worker of several is another test's matter (test_supervisor.py), and starts later
    monkeypatch.setenv("LLM_ORCHESTRATOR_STATE_PROCESSES", "1")
    # not by the environment: Kafka's own files are in the user's cache too, and are not fetched again for each test
    monkeypatch.setattr("llm_orchestrator_state.cli.reading.xdg_directory", lambda _: tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return Command(kafka, topic_prefix, tmp_path, capfd)


@pytest.fixture
def topics(command: Command) -> Command:
    command("topics", "create", "--partitions", "3")
    return command


def event(run_id: str, kind: str, minute: int, **fields: object) -> dict[str, object]:
    instant = f"2026-01-05T09:{minute:02}:00Z"
    return {"event_id": str(uuid.uuid4()), "run_id": run_id, "type": kind, "occurred_at": instant, **fields}


def created(run_id: str, minute: int, workflow_id: str = "triage") -> dict[str, object]:
    return event(
        run_id, "workflow_created", minute, workflow_id=workflow_id, workflow_name="Triage", context={"a": 1.50}
    )


def publish(command: Command, directory: Path, *events: dict[str, object]) -> None:
    path = directory / "events.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in events))
    command("publish", str(path))


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def records(command: Command, role: str) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": command.bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    topic = f"{command.prefix}.{role}"
    found: list[Any] = []
    try:
        for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            where = TopicPartition(topic, partition, 0)
            _, end = consumer.get_watermark_offsets(where, timeout=10)
            consumer.assign([where])
            # the position of a partition that is never fetched from is unknown, which counts as below zero
            while end > 0 and consumer.position([where])[0].offset < end:
                found += consumer.consume(1000, 0.1)
    finally:
        consumer.close()
    return found


# --- topics -----------------------------------------------------------------------------------------------------------


def test_topics_are_created_once_and_checked(command: Command) -> None:
    made = command.objects("topics", "create", "--partitions", "2", "--checkpoints", "requested")
    assert made[0]["partitions"] == 2
    assert made[0]["checkpoints"] == "requested"
    assert command.objects("topics", "create") == command.objects("topics", "check") == made
    assert re.search(r"(?m)^inline_limit +16384 *$", command("topics", "check")[0])


def test_missing_topics_are_exit_code_4_with_the_command_that_makes_them(command: Command) -> None:
    readers = (["list"], ["get", str(uuid.uuid4())], ["rejections", "list"])
    for words in (["topics", "check"], *readers, ["worker", "--log-level", "error"], ["verify"], ["rebuild"]):
        out, err = command(*words, code=4)
        assert out == ""
        assert err.startswith("error: ")
        assert "topics create" in err
        assert f"no topic set has the prefix '{command.prefix}'" in err
        assert "give another topic prefix" in err
        assert err.count("\n") == 1


def test_a_topic_that_is_not_as_it_must_be_stops_check_and_worker_with_exit_code_4(topics: Command) -> None:
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    name = f"{topics.prefix}.state"
    admin.delete_topics([name])[name].result()
    wait_until(lambda: name not in admin.list_topics(timeout=10).topics)
    admin.create_topics([NewTopic(name, 5)])[name].result()
    wait_until(lambda: name in admin.list_topics(timeout=10).topics)
    for words in (["topics", "check"], ["worker"]):
        err = topics(*words, code=4)[1]
        assert f"{name}: found 5 partitions, needed 3" in err
        assert "cleanup.policy" in err
        assert "Traceback" not in err


# --- publish ----------------------------------------------------------------------------------------------------------


def test_events_are_published_under_their_run_id_to_murmur2_partitions(topics: Command, tmp_path: Path) -> None:
    runs = [str(uuid.uuid4()) for _ in range(20)]
    publish(topics, tmp_path, *(created(run_id.upper(), 0) for run_id in runs))
    found = records(topics, "events")
    assert sorted(message.key().decode() for message in found) == sorted(runs)
    assert all(message.partition() == partition_of(message.key(), 3) for message in found)


def test_bad_lines_are_reported_by_number_and_the_good_ones_published(topics: Command, tmp_path: Path) -> None:
    good = json.dumps(created(str(uuid.uuid4()), 0)).encode()
    path = tmp_path / "mixed.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join([good, b"{", b"", b'{"type": "step_flown"}', b"\xff\xfe", good])))
    out, err = topics("publish", str(path), code=6)
    assert out == ""
    lines = err.splitlines()
    assert [line.split(": ")[0] for line in lines[:3]] == [f"{path}:{number}" for number in (2, 4, 5)]
    assert lines[3] == f"published 2 events to {topics.prefix}.events"
    assert lines[4].startswith("error: 3 lines")
    assert len(records(topics, "events")) == 2


def test_of_a_file_that_holds_no_events_twenty_lines_are_told_one_by_one_and_as_json_all(
    topics: Command, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no event\n" * 500)
    err = topics("publish", str(path), code=6)[1].splitlines()
    assert [line.partition(": ")[0] for line in err[:20]] == [f"{path}:{number}" for number in range(1, 21)]
    assert err[20] == f"{path}: and 480 more bad lines (--json tells all)"
    assert len(err) == 23
    out = topics("publish", str(path), "--json", code=6)[0]
    assert [json.loads(line)["line"] for line in out.splitlines()] == list(range(1, 501))


def test_what_precedes_the_damage_of_a_file_is_published_and_counted(topics: Command, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    events = "".join(f"{json.dumps(created(str(uuid.uuid4()), 0))}\n" for _ in range(2000))
    path.write_bytes(gzip.compress(events.encode())[:-2000])
    told, error = topics("publish", str(path), code=6)[1].splitlines()
    number = int(told.split()[1])
    assert 0 < number < 2000
    assert error.startswith(f"error: {path} is cut off after line {number}: ")
    assert len(records(topics, "events")) == number


def test_one_bad_line_is_one_line(topics: Command, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(f"{{\n{json.dumps(created(str(uuid.uuid4()), 0))}\n")
    err = topics("publish", str(path), code=6)[1]
    assert f"published 1 event to {topics.prefix}.events" in err
    assert f"error: 1 line of {path} is not an event and was left out" in err


def test_where_each_delivered_event_is_can_be_read_as_json(topics: Command, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = [created(str(uuid.uuid4()), 0) for _ in range(20)]
    path.write_text("{\n" + "".join(f"{json.dumps(each)}\n" for each in events))
    out, err = topics("publish", str(path), "--json", code=6)
    assert "published 20 events" in err
    bad, *told = [json.loads(line) for line in out.splitlines()]
    assert bad["line"] == 1
    assert bad["error"].startswith("not JSON")
    assert {(each["event_id"], each["run_id"]) for each in told} == {(e["event_id"], e["run_id"]) for e in events}
    there = {(m.partition(), m.offset()): m.key().decode() for m in records(topics, "events")}
    assert {(each["partition"], each["offset"]): each["run_id"] for each in told} == there


def test_a_reader_of_publish_that_goes_away_does_not_stop_it(topics: Command, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{json.dumps(created(str(uuid.uuid4()), 0))}\n" for _ in range(1000)))
    publishing = topics.start("publish", str(path), "--json")
    assert publishing.stdout
    assert publishing.stderr
    publishing.stdout.close()
    assert publishing.wait(DEADLINE_S) == 0
    assert publishing.stderr.read() == f"published 1000 events to {topics.prefix}.events\n"
    publishing.stderr.close()


def test_standard_input_is_published(topics: Command) -> None:
    lines = "".join(f"{json.dumps(created(str(uuid.uuid4()), 0))}\n" for _ in range(100))
    done = subprocess.run(
        [sys.executable, "-m", "llm_orchestrator_state", "publish", "-", *topics.flags],
        input=lines,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(records(topics, "events")) == 100


def test_an_event_larger_than_the_topic_allows_is_a_bad_line(topics: Command, tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    large = {**created(str(uuid.uuid4()), 0), "context": {"text": "x" * 9_000_000}}
    path.write_text(f"{json.dumps(large)}\n{json.dumps(created(str(uuid.uuid4()), 0))}\n")
    err = topics("publish", str(path), code=6)[1]
    assert f"{path}:1: the event is 9000" in err
    assert len(records(topics, "events")) == 1


def test_more_events_than_the_queue_holds_are_all_delivered(topics: Command, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    text = os.urandom(3000).hex()
    with path.open("w") as file:
        for _ in range(1500):
            file.write(f"{json.dumps({**created(str(uuid.uuid4()), 0), 'context': {'text': text}})}\n")
    err = topics("publish", str(path), "-X", "queue.buffering.max.kbytes=1024")[1]
    assert "published 1500 events" in err


def test_wrong_credentials_are_one_line_and_exit_code_3(topics: Command) -> None:
    err = topics("list", "-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=PLAIN",
                 "-X", "sasl.username=a", "-X", "sasl.password=secret", code=3)[1]  # fmt: skip
    assert err.count("\n") == 1
    assert "secret" not in err


@pytest.fixture
def without_groups(command: Command, tmp_path: Path) -> Iterator[Command]:
    """On brokers that allow everything but what concerns a group."""
    rules: dict[str, Any] = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with KafkaCluster(tmp_path / "kafka", **rules) as brokers:
        denied = AclBinding(
            ResourceType.GROUP,
            "*",
            ResourcePatternType.LITERAL,
            "User:*",
            "*",
            AclOperation.ALL,
            AclPermissionType.DENY,
        )
        admin = AdminClient({"bootstrap.servers": brokers.bootstrap})
        [made] = admin.create_acls([denied]).values()
        made.result()
        yield Command(brokers.bootstrap, command.prefix, tmp_path, command.capfd)


def test_readers_need_no_right_on_a_group_and_who_does_is_told_its_name_with_exit_code_3(
    without_groups: Command,
) -> None:
    without_groups("topics", "create")
    for words in (["topics", "check"], ["list"], ["rejections", "list"]):
        without_groups(*words)
    without_groups("get", str(uuid.uuid4()), code=9)
    assert f"group {without_groups.prefix}.processor: " in without_groups("verify", code=3)[1]
    assert "not allowed" in without_groups("worker", code=3)[1]


# --- the state topic as a table -----------------------------------------------------------------------------------------


@pytest.fixture
def folded(topics: Command, tmp_path: Path) -> tuple[Command, list[str]]:
    """Three runs after the worker: the first failed, the second is running, the third paused long after them."""
    runs = [str(uuid.uuid4()) for _ in range(3)]
    publish(
        topics,
        tmp_path,
        *(created(run_id, minute, f"flow-{minute % 2}") for minute, run_id in enumerate(runs)),
        *(event(run_id, "workflow_started", 10 + minute) for minute, run_id in enumerate(runs)),
        event(runs[1], "step_started", 20, step_id="fetch", attempt=1),
        event(runs[1], "step_completed", 21, step_id="fetch", attempt=1, outputs={"rows": 3}, usage={"tokens": 7}),
        event(runs[0], "workflow_failed", 15, error="no \x1b[31mluck", error_type="timed_out"),
        event(runs[2], "workflow_paused", 30, reason="waits"),
        event(runs[2], "workflow_completed", 12),
        event(str(uuid.uuid4()), "workflow_started", 1),
    )
    topics("worker", "--until-end")
    return topics, runs


def test_list_shows_all_runs_the_most_recently_updated_first(folded: tuple[Command, list[str]]) -> None:
    command, runs = folded
    states = command.objects("list")
    assert {state["id"] for state in states} == set(runs)
    updated = [state["updated_at"] for state in states]
    assert updated == sorted(updated, reverse=True)
    assert states[0]["context"] == {"a": 1.5}


def test_list_filters_by_status_activity_workflow_age_and_number(folded: tuple[Command, list[str]]) -> None:
    command, runs = folded

    def listed(*words: str) -> set[str]:
        return {state["id"] for state in command.objects("list", *words)}

    assert listed("--status", "Failed") == {runs[0]}
    assert listed("--active") == {runs[1]}
    assert listed("--workflow-id", "flow-1") == {runs[1]}
    assert listed("--stale-for", "1m") == {runs[1]}
    assert listed("--stale-for", "1m", "--status", "failed") == {runs[0]}
    assert listed("--stale-for", "5000w") == set()
    assert len(listed("--limit", "2")) == 2
    assert len(listed("--limit", "9")) == 3


def test_get_shows_one_complete_state(folded: tuple[Command, list[str]]) -> None:
    command, runs = folded
    [state] = command.objects("get", runs[1].upper())
    assert state["id"] == runs[1]
    assert state["version"] == 4
    assert state["steps"]["fetch"]["outputs"] == {"rows": 3}


def test_a_table_escapes_foreign_control_characters(folded: tuple[Command, list[str]]) -> None:
    command, runs = folded
    for words in (["list"], ["get", runs[0]]):
        out = command(*words)[0]
        assert "timed_out: no \\x1b[31mluck" in out
        assert "\x1b" not in out


def test_that_nothing_is_as_asked_for_is_told_in_one_line(folded: tuple[Command, list[str]]) -> None:
    command, _ = folded
    assert command("list", "--status", "pending") == ("", f"no runs in {command.prefix}.state are as asked for\n")
    assert command("list", "--status", "pending", "--json") == ("", "")


def test_an_unknown_run_is_exit_code_9(folded: tuple[Command, list[str]]) -> None:
    command, _ = folded
    run_id = str(uuid.uuid4())
    out, err = command("get", run_id, code=9)
    assert out == ""
    assert err.startswith(f"error: no run {run_id}")


def test_rejections_are_listed_with_code_and_source(folded: tuple[Command, list[str]]) -> None:
    command, _ = folded
    found = command.objects("rejections", "list")
    assert {rejection["code"] for rejection in found} == {"unknown_run"} | {each["code"] for each in found}
    [unknown] = [each for each in found if each["code"] == "unknown_run"]
    sources = {
        (message.partition(), message.offset()): message.key().decode() for message in records(command, "events")
    }
    assert sources[unknown["source_partition"], unknown["source_offset"]] == unknown["run_id"]
    assert str(uuid.UUID(unknown["event_id"])) == unknown["event_id"]
    assert unknown["detail"]
    assert "unknown_run" in command("rejections", "list")[0]


def test_tombstones_remove_a_run_and_aborted_records_are_not_seen(folded: tuple[Command, list[str]]) -> None:
    command, runs = folded
    topic = f"{command.prefix}.state"
    producer = Producer({"bootstrap.servers": command.bootstrap, "transactional.id": f"{command.prefix}.test"})
    producer.init_transactions(10)
    for run_id, commits in ((runs[0], True), (runs[1], False)):
        producer.begin_transaction()
        producer.produce(topic, None, run_id.encode(), partition_of(run_id.encode(), 3))
        producer.flush(10)
        if commits:
            producer.commit_transaction(10)
        else:
            producer.abort_transaction(10)
    assert {state["id"] for state in command.objects("list")} == {runs[1], runs[2]}
    command("get", runs[0], code=9)
    command("get", runs[1])


def test_a_reader_that_goes_away_is_no_error(folded: tuple[Command, list[str]]) -> None:
    command, _ = folded
    listing = command.start("list", "--json")
    assert listing.stdout
    assert listing.stderr
    listing.stdout.close()
    assert listing.wait(DEADLINE_S) == 0
    assert listing.stderr.read() == ""
    listing.stderr.close()


# --- worker -----------------------------------------------------------------------------------------------------------


def test_a_worker_ends_with_0_on_sigterm_within_5_seconds(topics: Command) -> None:
    worker = topics.start("worker")
    assert worker.stderr
    for line in worker.stderr:
        if "from offset" in line:
            break
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    err = worker.communicate(timeout=DEADLINE_S)[1]
    assert worker.returncode == 0, err
    assert time.monotonic() - began < 5


def test_a_state_directory_that_cannot_be_made_is_one_line_and_exit_code_5(topics: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    err = topics("worker", "--log-level", "error", "--state-dir", str(tmp_path / "file" / "state"), code=5)[1]
    assert err == (f"error: {tmp_path / 'file'} is not a directory; use another directory, or move that file away\n")


def test_a_worker_serves_its_figures_to_prometheus(topics: Command, tmp_path: Path) -> None:
    [port] = free_ports(1)
    publish(topics, tmp_path, created(str(uuid.uuid4()), 0))
    worker = topics.start("worker", "--metrics-port", str(port))
    try:
        expected = r'llm_orchestrator_state_events_total\{code="",verdict="applied",worker=".+-0"\} 1\.0\n'
        wait_until(lambda: bool(re.search(expected, metrics(port))))
        with socket.socket() as neighbour:  # only loopback is taken: by default nobody else may read them
            neighbour.bind(("127.0.0.2", port))
    finally:
        worker.terminate()
        worker.communicate(timeout=DEADLINE_S)


def metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except (ConnectionError, urllib.error.URLError):  # not there yet
        return ""


# --- verify and rebuild -----------------------------------------------------------------------------------------------


def test_verify_is_clean_after_a_worker_and_says_what_differs_when_the_state_topic_was_tampered_with(
    folded: tuple[Command, list[str]],
) -> None:
    command, runs = folded
    reports = command.objects("verify")
    assert [report["different"] for report in reports] == [0, 0, 0]
    assert sum(report["runs"] for report in reports) == 3
    assert {report["store"] for report in reports} == {"level"}
    assert [report["not_judged"] for report in reports] == [0, 0, 0]
    producer = Producer({"bootstrap.servers": command.bootstrap})
    key = runs[0].encode()
    producer.produce(f"{command.prefix}.state", None, key, partition_of(key, 3))
    assert producer.flush(10) == 0
    out, err = command("verify", code=7)
    assert f"run {runs[0]}: state topic: missing there" in out
    assert f"run {runs[0]}: local store: there, and" in out
    assert err.startswith("error: 1 run is not the same in ")
    assert err.count("\n") == 1


def test_verify_counts_the_events_that_no_worker_has_judged(folded: tuple[Command, list[str]], tmp_path: Path) -> None:
    command, runs = folded
    publish(command, tmp_path, *(event(runs[1], "step_heartbeat", 40, step_id="fetch") for _ in range(4)))
    assert sum(report["not_judged"] for report in command.objects("verify")) == 4
    assert [line.split()[2] for line in command("verify")[0].splitlines() if line.strip().startswith("all")] == ["4"]


def test_verify_does_not_need_a_local_store(folded: tuple[Command, list[str]], tmp_path: Path) -> None:
    command, _ = folded
    reports = command.objects("verify", "--state-dir", str(tmp_path / "elsewhere"))
    assert {report["store"] for report in reports} == {"none here"}
    assert not (tmp_path / "elsewhere").exists()


def test_rebuild_into_a_fresh_topic_set_gives_the_same_states(
    folded: tuple[Command, list[str]], tmp_path: Path
) -> None:
    command, _ = folded
    done = command.objects("rebuild", "--into", f"{command.prefix}-again")
    assert sum(each["applied"] for each in done) == sum(each["applied"] for each in command.objects("verify"))
    again = Command(command.bootstrap, f"{command.prefix}-again", tmp_path, command.capfd)
    assert again.objects("list") == command.objects("list")
    command("rebuild", "--into", f"{command.prefix}-again", "--directory", str(tmp_path / "other"), code=4)
    assert not list((tmp_path / "other").glob("*.events"))


def test_a_worker_goes_on_in_a_rebuilt_set_whose_first_runs_are_not_verifiable(
    folded: tuple[Command, list[str]], tmp_path: Path
) -> None:
    command, runs = folded
    command("rebuild", "--into", f"{command.prefix}-again")
    again = Command(command.bootstrap, f"{command.prefix}-again", tmp_path, command.capfd)
    publish(again, tmp_path, event(runs[1], "workflow_completed", 40), created(str(uuid.uuid4()), 41))
    again("worker", "--until-end", "--log-level", "error")
    assert again.objects("get", runs[1])[0]["status"] == "completed"
    reports = again.objects("verify")
    assert sum(report["different"] for report in reports) == 0
    assert sum(report["not_verifiable"] for report in reports) == 3
    assert sum(report["runs"] for report in reports) == 4


def test_a_worker_refuses_rebuilt_stores_and_touches_nothing(folded: tuple[Command, list[str]], tmp_path: Path) -> None:
    command, _ = folded
    rebuilt = tmp_path / "rebuilt"
    command("rebuild", "--directory", str(rebuilt))
    assert [path.name for path in rebuilt.iterdir()] == [f"{command.prefix}.events"]
    publish(command, tmp_path, created(str(uuid.uuid4()), 0))

    def there() -> dict[Path, bytes]:
        databases = (rebuilt / f"{command.prefix}.events").glob("*/*")
        # RocksDB begins a new LOG, its diary, whenever anybody looks
        return {path: path.read_bytes() for path in databases if not path.name.startswith("LOG")}

    before = there(), len(records(command, "state"))
    for words in (["worker", "--log-level", "error"], ["verify"]):
        err = command(*words, "--state-dir", str(rebuilt), code=5)[1]
        assert err.count("\n") == 1
        assert "rebuilt from the event log" in err
        assert "use another state directory" in err
    assert (there(), len(records(command, "state"))) == before
    assert sum(report["not_judged"] for report in command.objects("verify")) == 1


def test_a_directory_that_cannot_be_made_is_named_with_what_names_another(
    folded: tuple[Command, list[str]], tmp_path: Path
) -> None:
    command, _ = folded
    (tmp_path / "file").write_text("")
    given = str(tmp_path / "file" / "x")
    assert "give another --directory" in command("rebuild", "--directory", given, code=5)[1]
    assert "give another --state-dir" in command("rebuild", "--state-dir", given, code=5)[1]


def test_rebuilt_stores_are_kept_only_where_somebody_asks_for_them(
    folded: tuple[Command, list[str]], tmp_path: Path
) -> None:
    command, _ = folded
    before = set((tmp_path / "state").iterdir())
    out, err = command("rebuild")
    assert "the stores were removed" in err
    assert set((tmp_path / "state").iterdir()) == before
    kept, err = command("rebuild", "--directory", str(tmp_path / "kept"))
    assert kept == out
    assert err == f"the stores are in {tmp_path / 'kept'}\n"
    assert list((tmp_path / "kept").rglob("CURRENT"))


def test_rebuild_refuses_a_directory_that_has_stores(folded: tuple[Command, list[str]], tmp_path: Path) -> None:
    command, _ = folded
    err = command("rebuild", "--directory", str(tmp_path / "state"), code=5)[1]
    assert "exists already" in err
    assert [report["different"] for report in command.objects("verify")] == [0, 0, 0]


def test_rebuild_of_a_trimmed_log_refuses_with_exit_code_10_unless_it_may_be_partial(
    folded: tuple[Command, list[str]], tmp_path: Path
) -> None:
    command, _ = folded
    topic = f"{command.prefix}.events"
    partition = next(message.partition() for message in records(command, "events"))
    admin = AdminClient({"bootstrap.servers": command.bootstrap})
    [trimmed] = admin.delete_records([TopicPartition(topic, partition, 1)]).values()
    trimmed.result()
    out, err = command("rebuild", code=10)
    assert out == ""
    assert f"{topic}[{partition}] begins at offset 1" in err
    assert not list((tmp_path / "state").glob("rebuilt-*"))
    done = command.objects("rebuild", "--partial")
    assert {each["partition"]: each["missing"] for each in done}[partition] == 1

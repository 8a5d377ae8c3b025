"""With a real schema registry: what is registered there, what is written and read by its ids, and what waits for it."""

from __future__ import annotations

import json
import shlex
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("confluent_kafka.schema_registry", reason="the extra `registry` is not installed")

from confluent_kafka.schema_registry import Schema as Registered
from confluent_kafka.schema_registry import SchemaRegistryClient

from llm_orchestrator_state import Publisher, StateReader
from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.errors import TopicMismatch
from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.kafka.registry import ConfluentRegistry, Mode, _as_text
from llm_orchestrator_state.kafka.topics import check, create
from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.codec import Codec
from tests.integration.agreement import assert_agreement
from tests.integration.harness import Stage, event, headers_of, step_until, until, whole_run
from tests.integration.registry import SchemaRegistry
from tests.unit.versions import confluent, newer_event, written

Connect = Callable[..., ConfluentRegistry]


@pytest.fixture
def connect(schema_registry: SchemaRegistry, stage: Stage) -> Connect:
    """A client of the registry for the stage's topic set; each of them knows nothing yet."""

    def connected(mode: Mode = "register") -> ConfluentRegistry:
        return ConfluentRegistry(schema_registry.url, stage.topics, mode=mode)

    return connected


@pytest.fixture
def client(schema_registry: SchemaRegistry) -> Iterator[SchemaRegistryClient]:
    """Somebody else's."""
    with SchemaRegistryClient({"url": schema_registry.url}) as others:
        yield others


def problems(stage: Stage, registry: ConfluentRegistry) -> list[str]:
    with pytest.raises(TopicMismatch) as mismatch:
        check(stage.log.admin, stage.topics, registry)
    return str(mismatch.value).splitlines()[1:]


def run_id_on(partition: int) -> str:
    return next(i for _ in range(1000) if partition_of((i := str(uuid.uuid4())).encode(), 2) == partition)


def codes(stage: Stage) -> list[str]:
    found = [headers_of(message) for p in stage.partitions for message in stage.records("rejections", p)]
    return [headers["code"].decode() for headers in found]


def test_a_topic_set_is_made_with_its_schemas_and_their_levels_and_the_check_finds_what_is_missing(
    stage: Stage, connect: Connect, client: SchemaRegistryClient
) -> None:
    subjects = connect().subjects
    repair = f"repair: llm-orchestrator-state topics create --topic-prefix {stage.topics.prefix} --schema-registry-mode"
    missing = problems(stage, connect())
    assert [line.partition(":")[0] for line in missing] == list(subjects.values())
    assert all(line.endswith(f"{repair} register") for line in missing)

    made = create(stage.log.admin, stage.topics, registry=connect())
    assert create(stage.log.admin, stage.topics, registry=connect()) == check(
        stage.log.admin, stage.topics, connect("lookup")
    )
    assert made == stage.format
    assert [client.get_compatibility(subject) for subject in subjects.values()] == [
        "BACKWARD_TRANSITIVE", "FULL_TRANSITIVE", "FULL_TRANSITIVE",
    ]  # fmt: skip
    for message, subject in subjects.items():
        registered = client.get_latest_version(subject).schema.schema_str
        assert schemas.same(json.loads(registered or ""), schemas.current(message))


def test_the_check_finds_a_level_that_is_not_as_it_must_be_and_its_command_repairs_it(
    stage: Stage, connect: Connect, client: SchemaRegistryClient
) -> None:
    create(stage.log.admin, stage.topics, registry=connect())
    subject = f"{stage.topics.state}-value"
    client.set_compatibility(subject, "BACKWARD")
    (problem,) = problems(stage, connect())
    told, _, command = problem.partition("; repair: ")
    assert told == f"{subject}: found compatibility BACKWARD, needed FULL_TRANSITIVE"
    with pytest.raises(TopicMismatch, match="found compatibility BACKWARD"):  # somebody has chosen it
        create(stage.log.admin, stage.topics, registry=connect())
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    assert check(stage.log.admin, stage.topics, connect()) == stage.format


def test_what_only_looks_up_registers_nothing_and_writes_with_what_others_have_registered(
    stage: Stage, connect: Connect, client: SchemaRegistryClient
) -> None:
    with pytest.raises(TopicMismatch, match="does not have this version's schema of WorkflowState"):
        Codec(connect("lookup")).prepare()
    assert not [subject for subject in client.get_subjects() if subject.startswith(stage.topics.prefix)]
    one = event(str(uuid.uuid4()), "workflow_created")
    message = Codec(connect()).encode_event(one)
    assert Codec(connect("lookup")).encode_event(one) == message
    assert message[0] == 0
    assert Codec(connect("lookup")).decode_event(message) == one


def test_a_publisher_that_only_looks_up_needs_a_schema_that_is_there_and_a_reader_reads_what_it_sent(
    stage: Stage, schema_registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    def publish(mode: Mode) -> UUID:
        with Publisher(
            stage.bootstrap,
            topic_prefix=stage.topics.prefix,
            schema_registry_url=schema_registry.url,
            schema_registry_mode=mode,
        ) as publisher, publisher.workflow("triage") as run:  # fmt: skip
            return run.run_id

    with pytest.raises(TopicMismatch, match="does not have this version's schema of TransitionEvent"):
        publish("lookup")
    publish("register")
    assert f"{stage.topics.events}-value" in client.get_subjects()
    run_id = publish("lookup")
    stage.codec = Codec(ConfluentRegistry(schema_registry.url, stage.topics))
    stage.codec.prepare()
    stage.run_to_end()
    with StateReader(
        stage.bootstrap, topic_prefix=stage.topics.prefix, schema_registry_url=schema_registry.url
    ) as reader:
        state = reader.get(run_id)
    assert state is not None
    assert state.status == "completed"


def test_a_schema_that_does_not_go_with_what_others_have_registered_is_a_mismatch(
    stage: Stage, connect: Connect, client: SchemaRegistryClient
) -> None:
    subject = f"{stage.topics.state}-value"
    client.set_compatibility(subject, "FULL_TRANSITIVE")
    client.register_schema(subject, Registered('{"type": "record", "name": "Other", "fields": []}', "AVRO"))
    with pytest.raises(TopicMismatch, match=r"refuses .*state-value.*does not go with one that is registered there"):
        Codec(connect()).prepare()


def test_commands_write_and_read_by_the_registrys_ids(
    kafka: str, topic_prefix: str, schema_registry: SchemaRegistry, client: SchemaRegistryClient, tmp_path: Path,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLM_ORCHESTRATOR_STATE_SCHEMA_REGISTRY_URL", schema_registry.url)
    flags = ["--bootstrap-servers", kafka, "--topic-prefix", topic_prefix, "--state-dir", str(tmp_path / "state")]
    run_id = str(uuid.uuid4())
    line = {"run_id": run_id, "type": "workflow_created", "occurred_at": "2026-01-05T09:30:00Z"}
    Path("events.jsonl").write_text(json.dumps({**line, "workflow_id": "w", "workflow_name": "W"}))
    for words in (
        ("topics", "create", "--partitions", "2"), ("publish", "events.jsonl"), ("worker", "--until-end"), ("verify",),
    ):  # fmt: skip
        assert run([*flags, *words]) == 0, capfd.readouterr().err
    capfd.readouterr()
    monkeypatch.setenv("LLM_ORCHESTRATOR_STATE_SCHEMA_REGISTRY_MODE", "lookup")
    assert run([*flags, "get", run_id, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["status"] == "pending"
    stage = Stage(kafka, topic_prefix, tmp_path)
    (state,) = stage.table("state", partition_of(run_id.encode(), 2)).values()
    assert state[0] == 0
    assert int.from_bytes(state[1:5], "big") == client.get_latest_version(f"{stage.topics.state}-value").schema_id
    stage.close()


def test_an_event_of_a_newer_schema_that_somebody_else_has_registered_is_folded(
    stage: Stage, connect: Connect, client: SchemaRegistryClient
) -> None:
    create(stage.log.admin, stage.topics, registry=connect())
    newer = newer_event()
    newer_id = client.register_schema(f"{stage.topics.events}-value", _as_text(newer))
    run_id = str(uuid.uuid4())
    teleported: Any = {**event(run_id, "workflow_started"), "transition": ("WorkflowTeleported", {})}
    sent = [event(run_id, "workflow_created"), event(run_id, "workflow_started"), teleported]
    stage.publish_raw(*((run_id.encode(), confluent(newer_id, written(newer, each))) for each in sent))
    stage.codec = Codec(connect())
    stage.run_to_end()
    assert codes(stage) == ["unknown_schema"]  # the kind that is newer than the worker
    (state,) = stage.table("state", partition_of(run_id.encode(), 2)).values()
    assert stage.codec.decode_state(state)["status"] == "running"


def test_an_id_that_the_registry_does_not_have_is_rejected_with_its_bytes(stage: Stage, connect: Connect) -> None:
    run_id = str(uuid.uuid4())
    unknown = confluent(2**31 - 1, b"body")
    stage.publish_raw((run_id.encode(), unknown))
    stage.codec = Codec(connect())
    stage.codec.prepare()
    stage.run_to_end()
    (rejected,) = [message for p in stage.partitions for message in stage.records("rejections", p)]
    assert rejected.value() == unknown
    assert headers_of(rejected)["code"] == b"unknown_schema"
    assert headers_of(rejected)["detail"] == b"the schema registry has no Avro schema with id 2147483647"


def test_while_the_registry_is_away_the_partition_that_needs_it_waits_and_the_others_go_on(
    stage: Stage, connect: Connect, schema_registry: SchemaRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Codec(connect())
    waiting, going_on = run_id_on(0), run_id_on(1)
    framed = [(waiting.encode(), publisher.encode_event(each)) for each in whole_run(waiting)]
    stage.codec = Codec(connect())
    stage.codec.prepare()
    with stage.worker() as worker:
        step_until(worker, lambda: len(worker.progress().partitions) == 2)
        schema_registry.kill()
        try:
            stage.publish_raw(*framed)
            plain = Codec()
            stage.publish_raw(*((going_on.encode(), plain.encode_event(each)) for each in whole_run(going_on)))
            step_until(worker, lambda: stage.committed()[1] == stage.ends("events")[1])
            step_until(worker, lambda: "partition 0 waits: schema registry" in caplog.text)
            assert stage.committed()[0] == 0
            assert worker.progress().counts.all_rejected == 0
        finally:
            schema_registry.start()
        step_until(worker, lambda: stage.committed() == stage.ends("events"))
    assert codes(stage) == []
    stage.codec = Codec(connect())  # reads all of it by the ids of before the restart
    assert_agreement(stage, stage.stores())
    until(lambda: len(stage.table("state", 0)) == 1)
    assert stage.codec.decode_state(stage.table("state", 0)[waiting.encode()])["status"] == "completed"

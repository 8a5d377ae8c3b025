"""The contract as programs keep it that share no code with ours: a publisher and a consumer in Java."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from llm_orchestrator_state.errors import MissingProgram
from llm_orchestrator_state.kafka.registry import ConfluentRegistry
from llm_orchestrator_state.kafka.topics import create
from llm_orchestrator_state.model.kinds import KINDS
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.codec import Codec
from tests.integration.agreement import assert_agreement
from tests.integration.harness import Stage, headers_of, whole_run
from tests.integration.outputs import Hand, referring
from tests.integration.reading import settled
from tests.integration.registry import SchemaRegistry
from tests.interop.programs import Programs, avro_json
from tests.unit.records import event, state, step

ROLES = {"events": "TransitionEvent", "state": "WorkflowState", "checkpoints": "Checkpoint"}
JSON_TEXT = '{"größe":1.50,"emoji":"🦀","nul":"\\u0000","big":123456789012345678901234567890}'


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    try:
        return Programs(tmp_path_factory.mktemp("java"))
    except MissingProgram as missing:
        pytest.skip(f"a publisher and a consumer in Java: {missing}")


def every_kind() -> list[EventRecord]:
    """Three runs' events, all of them legal, with every kind among them; the last run is deleted in the end."""
    first, second, third = (str(uuid.uuid4()) for _ in range(3))
    a: dict[str, Any] = {"step_id": "plan[ü]"}
    saved = state("running", step("a", "running", started_at=-1, attempt=2), id=second, started_at=-(10**15))
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        (first, "WorkflowCreated", {"context": JSON_TEXT, "labels": {"team": "ä", "x.y": ""}, "user_id": "me",
                                    "parent": {"id": second, "step_id": "call"}}),
        (first, "WorkflowStarted", {}), (first, "StepCreated", a), (first, "StepStarted", {**a, "attempt": 1}),
        (first, "StepHeartbeat", {**a, "attempt": 1}),
        (first, "StepFailed", {**a, "attempt": 1, "error": "busy", "error_type": "timed_out", "usage": {"in": 2**40}}),
        (first, "StepRetried", {**a, "attempt": 1}), (first, "StepStarted", {**a, "attempt": 2, "inputs": "[]"}),
        (first, "StepCompleted", {**a, "attempt": 2, "outputs": JSON_TEXT, "usage": {"in": 1, "out": 300}}),
        (first, "StepSkipped", {"step_id": "b", "reason": "no need"}), (first, "WorkflowPaused", {"reason": "ask"}),
        (first, "ContextUpdated", {"patch": '{"b":null,"c":1e3}'}), (first, "WorkflowResumed", {}),
        (first, "CheckpointRequested", {**a, "snapshot": state("paused", id=first)}),
        (first, "CheckpointsTrimmed", {"keep": 1}), (first, "WorkflowFailed", {"error": "e", "error_type": "cancelled"}),
        (first, "WorkflowResumed", {}), (first, "WorkflowCompleted", {}),
        (second, "WorkflowSaved", {"state": saved}),
        (second, "WorkflowRestored", {"checkpoint_id": str(uuid.uuid4()), "snapshot": saved}),
        (third, "WorkflowCreated", {}), (third, "WorkflowDeleted", {}),
    ]  # fmt: skip
    assert {kind for _, kind, _ in kinds} == set(KINDS)
    return [
        event(kind, run=run, id=str(uuid.uuid4()), at=1_767_605_400_000_000 + number, **fields)
        for number, (run, kind, fields) in enumerate(kinds)
    ]


def python_reads(stage: Stage) -> dict[tuple[str, int, int], Any]:
    """By topic, partition and offset: key, headers and value of every record."""
    decode = {
        "events": stage.codec.decode_event, "state": stage.codec.decode_state,
        "checkpoints": stage.codec.decode_checkpoint,
    }  # fmt: skip
    return {
        (stage.name(role), partition, message.offset()): (
            (message.key() or b"").decode(),
            {name: value.decode() for name, value in headers_of(message).items()},
            None if message.value() is None else avro_json(name_of, decode[role](message.value())),
        )
        for role, name_of in ROLES.items()
        for partition in stage.partitions
        for message in stage.records(role, partition)
    }


def java_reads(stage: Stage, java: Programs, registry: str | None = None) -> dict[tuple[str, int, int], Any]:
    found = java.read(stage.bootstrap, *map(stage.name, ROLES), registry=registry)
    return {(r["topic"], r["partition"], r["offset"]): (r["key"], r["headers"], r["value"]) for r in found}


def exchange(stage: Stage, java: Programs, schema_id: int | None = None, registry: str | None = None) -> None:
    """Events of both languages are folded, and both read the same of them and of what they led to."""
    sent = every_kind()
    java.publish(stage.bootstrap, stage.name("events"), sent, schema_id)
    ours = whole_run(str(uuid.uuid4()))
    stage.publish(*ours)
    assert not stage.run_to_end().progress().counts.all_rejected
    read = python_reads(stage)
    events = [value for (topic, _, _), (_, _, value) in read.items() if topic == stage.name("events")]
    assert sorted(events, key=str) == sorted((avro_json("TransitionEvent", each) for each in [*sent, *ours]), key=str)
    assert java_reads(stage, java, registry) == read
    deleted = [key for (topic, _, _), (key, _, value) in read.items() if topic == stage.name("state") and value is None]
    assert deleted == [sent[-1]["run_id"]]
    assert_agreement(stage, stage.stores())


def test_java_and_python_read_each_others_events_and_the_same_states(stage: Stage, java: Programs) -> None:
    exchange(stage, java)


def test_java_resolves_what_is_too_large_for_a_state_and_checks_what_it_finds(stage: Stage, java: Programs) -> None:
    run_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    texts = [(n, json.dumps({"n": n, "text": "ä" * 20_000}, ensure_ascii=False).encode()) for n in (1, 2)]
    hand = Hand(stage)
    hand.run(referring(run_id, texts[:1]), dict(texts[:1]))
    hand.run(referring(run_id, texts[1:], version=2), {2: texts[1][1], 1: None})
    hand.run(referring(other, []), {})
    settled(stage)
    found = {each["id"]: each for each in java.states(stage.bootstrap, stage.topics.prefix)}
    assert found[run_id] == {
        "id": run_id, "version": 2, "context": {}, "outputs": {"step-2": {"n": 2, "text": "ä" * 20_000}}
    }  # fmt: skip
    assert found[other] == {"id": other, "version": 1, "context": {}, "outputs": {}}
    hand.run(referring(run_id, [(3, b"3")], version=3), {3: b"4"})
    with pytest.raises(AssertionError, match=f"output {run_id}/3 is not what the run refers to"):
        java.states(stage.bootstrap, stage.topics.prefix)


def test_java_and_python_understand_each_other_by_a_registrys_ids(
    stage: Stage, java: Programs, schema_registry: SchemaRegistry
) -> None:
    registry = ConfluentRegistry(schema_registry.url, stage.topics)
    create(stage.log.admin, stage.topics, registry=registry)
    stage.codec = Codec(registry)
    schema_id = int.from_bytes(stage.codec.encode_event(every_kind()[0])[1:5], "big")
    exchange(stage, java, schema_id, schema_registry.url)

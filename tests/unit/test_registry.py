"""The schema registry as the codec sees it, with the client library's own in-memory registry and without any."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("confluent_kafka.schema_registry", reason="the extra `registry` is not installed")

from confluent_kafka.schema_registry import Schema as Registered

from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.kafka.registry import MAX_REFUSED, ConfluentRegistry
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.framing import UnknownSchema

EVENT = {
    "event_id": "0b9e6a3e-8f1f-4b38-8f0f-0a3a6a7a1a11", "run_id": "5e4b1c52-3c1e-4b11-9a63-111111111111",
    "occurred_at": 1_767_605_400_000_000, "expected_version": None, "fencing_token": None,
    "transition": ("WorkflowStarted", {}),
}  # fmt: skip


def registry() -> ConfluentRegistry:
    return ConfluentRegistry("mock://registry", TopicSet("t"))


def test_with_a_registry_messages_have_confluents_framing() -> None:
    message = Codec(registry()).encode_event(EVENT)
    assert message[0] == 0
    assert int.from_bytes(message[1:5], "big") > 0


def test_both_framings_are_read_where_a_registry_is_configured() -> None:
    codec = Codec(registry())
    assert codec.decode_event(codec.encode_event(EVENT)) == EVENT
    assert codec.decode_event(Codec().encode_event(EVENT)) == EVENT


def test_an_id_that_the_registry_does_not_have_is_an_unknown_schema() -> None:
    codec = Codec(registry())
    with pytest.raises(UnknownSchema, match="id 99"):
        codec.decode_event(b"\x00\x00\x00\x00\x63" + b"body")


class Counting:
    """A registry's client that counts how often it was asked."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.asked: list[int] = []

    def get_schema(self, schema_id: int) -> Any:
        self.asked.append(schema_id)
        return self.client.get_schema(schema_id)


def counted(now: list[float]) -> tuple[ConfluentRegistry, Counting]:
    made = ConfluentRegistry("mock://registry", TopicSet("t"), monotonic=lambda: now[0])
    counting = Counting(made._client)
    made._client = counting  # type: ignore[assignment]
    return made, counting


def refuse(made: ConfluentRegistry, schema_id: int) -> None:
    with pytest.raises(UnknownSchema):
        made.schema_of(schema_id)


def test_an_id_that_the_registry_does_not_have_is_asked_for_once_a_minute() -> None:
    now = [100.0]
    made, counting = counted(now)
    for now[0] in (100.0, 101.0, 159.9, 160.0, 170.0):
        refuse(made, 99)
    assert counting.asked == [99, 99]


def test_an_id_that_is_registered_meanwhile_is_known_after_a_minute() -> None:
    now = [100.0]
    made, counting = counted(now)
    refuse(made, 1)
    schema = Registered('"string"', "AVRO")
    schema_id = counting.client.register_schema("s", schema)
    assert schema_id == 1
    now[0] = 160.0
    assert made.schema_of(1) == "string"


def test_no_more_than_a_thousand_unknown_ids_are_remembered() -> None:
    made, counting = counted([100.0])
    for schema_id in range(1, MAX_REFUSED + 2):
        refuse(made, schema_id)
    refuse(made, 2)
    assert len(counting.asked) == MAX_REFUSED + 1
    refuse(made, 1)
    assert len(counting.asked) == MAX_REFUSED + 2
    assert len(made._refused) == MAX_REFUSED


def test_a_registry_that_does_not_answer_is_no_verdict_on_the_event() -> None:
    away = ConfluentRegistry("http://127.0.0.1:1", TopicSet("t"))
    with pytest.raises(Connection, match="does not answer"):
        away.schema_of(1)

"""The schema registry as the codec sees it, with the client library's own in-memory registry and without any."""

from __future__ import annotations

import pytest

pytest.importorskip("confluent_kafka.schema_registry", reason="the extra `registry` is not installed")

from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.kafka.registry import ConfluentRegistry
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


def test_a_registry_that_does_not_answer_is_no_verdict_on_the_event() -> None:
    away = ConfluentRegistry("http://127.0.0.1:1", TopicSet("t"))
    with pytest.raises(Connection, match="does not answer"):
        away.schema_of(1)

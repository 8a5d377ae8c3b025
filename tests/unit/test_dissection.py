from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orchestrator_state.errors import Serialization
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.dissection import Dissection, dissect_event
from llm_orchestrator_state.wire.framing import UnknownSchema
from llm_orchestrator_state.wire.jsonlines import parse_line
from tests.unit.strategies import events

CODEC = Codec()
RUN = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
COMPLETED = CODEC.encode_event(
    parse_line(
        json.dumps(
            {
                "event_id": "2c7d3a52-6f0e-4d0b-9a8e-3b1f5c6d7e8f", "run_id": RUN, "type": "step_completed",
                "occurred_at": "2026-01-05T09:30:00Z", "step_id": "fetch[1]", "attempt": 1, "outputs": {"rows": 3},
                "usage": {"tokens": 7},
            }
        )
    )
)  # fmt: skip
STEP = {"step_id": "fetch[1]", "attempt": 1, "outputs": '{"rows": 3}', "usage": {"tokens": 7}}


def test_a_whole_event_is_read_to_its_end() -> None:
    found = dissect_event(COMPLETED)
    assert found.stopped_at is None
    assert found.framing == "Avro single-object encoding"
    assert "TransitionEvent version 1, the current one" in found.schema
    assert found.fields["run_id"] == RUN
    assert found.fields["occurred_at"] == "2026-01-05T09:30:00Z"
    assert found.fields["transition"] == {"StepCompleted": STEP}


@given(events)
def test_what_the_codec_reads_is_read_here_too(event: Any) -> None:
    record: EventRecord = event.to_record()
    found = dissect_event(CODEC.encode_event(record))
    assert found.stopped_at is None
    assert (found.fields["event_id"], found.fields["run_id"]) == (record["event_id"], record["run_id"])
    ((kind, fields),) = found.fields["transition"].items()
    assert kind == record["transition"][0]
    assert fields.keys() == record["transition"][1].keys()


@pytest.mark.parametrize("length", range(1, len(COMPLETED)))
def test_of_a_truncated_event_all_that_is_there_is_read_and_where_it_ends_is_told(length: int) -> None:
    found = dissect_event(COMPLETED[:length])
    assert found.stopped_at is not None
    assert found.stopped_at <= length
    assert found.reason
    whole = dissect_event(COMPLETED).fields
    assert list(found.fields) == list(whole)[: len(found.fields)]


def test_the_place_where_it_ends_is_named() -> None:
    found = dissect_event(COMPLETED[: COMPLETED.index(b"tokens") + 3])
    assert found.fields["transition"] == {"StepCompleted": {**STEP, "usage": {}}}
    assert found.where == "transition.usage"
    assert found.stopped_at == COMPLETED.index(b"tokens") - 1


def test_bytes_behind_the_event_are_told() -> None:
    found = dissect_event(COMPLETED + b"more")
    assert found.stopped_at == len(COMPLETED)
    assert found.reason == "the event ends here, and 4 bytes follow"
    assert found.fields["transition"] == {"StepCompleted": STEP}


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_and_it_stops_where_the_codec_refuses(body: bytes) -> None:
    for message in (body, COMPLETED[:10] + body, COMPLETED[:60] + body):
        found = dissect_event(message)
        try:
            CODEC.decode_event(message)
        except Serialization:
            assert found.stopped_at is not None
        else:
            assert found.stopped_at is None


def test_what_has_no_framing_is_shown_as_it_begins() -> None:
    assert dissect_event(b"hello") == Dissection(
        "unknown", "", {}, 0, reason="neither Avro single-object encoding nor a registry's: 68 65 6c 6c 6f"
    )
    assert dissect_event(None).reason == dissect_event(b"").reason == "the value is empty"


def test_an_unknown_fingerprint_and_one_of_another_message_are_told_apart() -> None:
    assert dissect_event(b"\xc3\x01" + b"12345678").schema == "fingerprint 3132333435363738 (not known here)"
    other = b"\xc3\x01" + schemas.fingerprint(schemas.current("WorkflowState")) + b"x"
    assert "that of a WorkflowState, which is no event" in dissect_event(other).schema


class Registered:
    def schema_of(self, schema_id: int) -> Any:
        if schema_id == 7:
            return schemas.current("TransitionEvent")
        raise UnknownSchema(f"the registry has no schema {schema_id}")

    def id_of(self, message: str, schema: Any) -> int:
        raise AssertionError((message, schema))


def test_a_schema_of_the_registry_is_asked_for() -> None:
    body = COMPLETED[10:]
    found = dissect_event(b"\0\0\0\0\x07" + body, Registered())
    assert (found.schema, found.stopped_at) == ("id 7 in the registry", None)
    assert found.fields["transition"] == {"StepCompleted": STEP}
    assert dissect_event(b"\0\0\0\0\x08" + body, Registered()).reason == "the registry has no schema 8"
    assert "no schema registry is configured" in dissect_event(b"\0\0\0\0\x07" + body).reason

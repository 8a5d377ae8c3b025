"""Whatever bytes are on a topic: a record, or an error of ours; in work and memory that their length bounds."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orchestrator_state.client.reading.run import RunReader, read_head
from llm_orchestrator_state.errors import Serialization
from llm_orchestrator_state.model.payload import payload_problem
from llm_orchestrator_state.wire.avro import AvroError, decode, write_long
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.dissection import dissect_event
from llm_orchestrator_state.wire.framing import Framing, Undecodable, UnknownSchema
from tests.unit.fuzz import CHECKPOINTS, EVENTS, HUGE, STATES, bounded, damaged, fuzzed
from tests.unit.records import event
from tests.unit.versions import FakeRegistry, confluent, newer_event, older_event, older_state, written

CODEC = Codec()


# --- our own schemas -------------------------------------------------------------------------------------------------


@fuzzed
@given(damaged(EVENTS))
def test_fuzz_an_event_is_read_and_means_the_same_when_it_is_written_again_or_it_is_refused(message: bytes) -> None:
    try:
        found = bounded(len(message), lambda: CODEC.decode_event(message))
    except Serialization:
        return
    assert CODEC.decode_event(CODEC.encode_event(found)) == found
    payload_problem(found)


@fuzzed
@given(damaged(STATES))
def test_fuzz_a_state_is_read_alike_by_who_reads_it_and_by_who_goes_on_with_it_or_refused_by_both(
    message: bytes,
) -> None:
    try:
        found = bounded(len(message), lambda: CODEC.decode_state(message))
    except Serialization:
        with pytest.raises(Serialization):
            CODEC.keep_state(message)
        return
    kept = bounded(len(message), lambda: CODEC.keep_state(message))
    assert kept.record == found
    assert CODEC.decode_state(CODEC.frame_state(kept.encode())) == found


@fuzzed
@given(damaged(CHECKPOINTS))
def test_fuzz_a_checkpoint_is_read_or_refused(message: bytes) -> None:
    with suppress(Serialization):
        bounded(len(message), lambda: CODEC.decode_checkpoint(message))


@fuzzed
@given(damaged(STATES))
def test_fuzz_a_readers_index_takes_any_state(message: bytes) -> None:
    bounded(len(message), lambda: RunReader(None).read(b"key", 0, 7, message))
    with suppress(AvroError):
        bounded(len(message), lambda: decode(read_head, message, 10))


@fuzzed
@given(damaged(EVENTS))
def test_fuzz_any_event_can_be_dissected(message: bytes) -> None:
    found = bounded(len(message), lambda: dissect_event(message))
    try:
        CODEC.decode_event(message)
    except Serialization:
        assert found.stopped_at is not None
    else:
        assert found.stopped_at is None


# --- schemas of others -----------------------------------------------------------------------------------------------

TYPES: list[Any] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string", [], ["null"], ["null", "string"],
    ["string", "null"], ["long", "string", "bytes"], {"type": "array", "items": "null"}, {"type": "array", "items": "long"},
    {"type": "map", "values": "null"}, {"type": "map", "values": "string"}, {"type": "fixed", "name": "None0", "size": 0},
    {"type": "fixed", "name": "Huge", "size": 2**62}, {"type": "enum", "name": "Odd", "symbols": ["a", "b"]},
    {"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}},
    {"type": "record", "name": "Endless", "fields": [{"name": "next", "type": "Endless"}]},
    {"type": "record", "name": "List", "fields": [{"name": "next", "type": ["null", "List"]}]},
    {"type": "long", "logicalType": "timestamp-millis"}, {"type": "string", "logicalType": "uuid"},
    {"type": "bytes", "logicalType": "decimal", "precision": 4}, {"type": "nonsense"}, 7, None, {},
]  # fmt: skip


def _changed(schema: Any, changes: list[tuple[int, Any, bool]]) -> Any:
    """With some fields' types replaced, or fields of such types put before them."""
    for number, shared, before in changes:
        kind = copy.deepcopy(shared)
        records: list[list[Any]] = []
        _collect(schema, records)
        fields = records[number % len(records)]
        at = number // len(records) % (len(fields) or 1)
        if before or not fields:
            fields.insert(at, {"name": f"more{number}", "type": kind})
        else:
            fields[at]["type"] = kind
    return schema


def _collect(schema: Any, records: list[list[Any]]) -> None:
    for inner in schema if isinstance(schema, list) else schema.values() if isinstance(schema, dict) else ():
        _collect(inner, records)
    if isinstance(schema, dict) and isinstance(schema.get("fields"), list):
        records.append(schema["fields"])


changes = st.lists(st.tuples(st.integers(0, 5000), st.sampled_from(TYPES), st.booleans()), max_size=3)
NEWER = [written(newer_event(), event("StepCompleted", attempt=1, usage={"in": 1})), *(each[10:] for each in EVENTS)]


def read_with(message: str, schema: Any, body: bytes) -> Any:
    return Framing(message, FakeRegistry({7: schema})).decode(confluent(7, body))


@fuzzed
@given(st.sampled_from([newer_event, older_event]), changes, damaged(NEWER))
def test_fuzz_an_event_of_any_schema_is_one_of_ours_or_refused(base: Callable[[], Any], how: Any, body: bytes) -> None:
    schema = _changed(base(), how)
    began = time.process_time()
    try:
        found = read_with("TransitionEvent", schema, body)
    except Serialization:
        return
    finally:
        assert time.process_time() - began < 5
    if payload_problem(found) is None:
        assert CODEC.decode_event(CODEC.encode_event(found)) == found


@fuzzed
@given(changes, damaged([state[10:] for state in STATES]))
def test_fuzz_a_state_of_any_schema_is_one_of_ours_or_refused(how: Any, body: bytes) -> None:
    with suppress(Serialization):
        found = read_with("WorkflowState", _changed(older_state(), how), body)
        assert found.keys() == CODEC.decode_state(STATES[0]).keys()


def _with(kind: Any) -> Any:
    schema = newer_event()
    schema["fields"].insert(0, {"name": "x", "type": kind})
    return schema


def _doubled(depth: int) -> Any:
    """A record of two records of two records, and so on: without any bytes, and 2^depth of them."""
    kind: Any = {"type": "record", "name": "R0", "fields": []}
    for level in range(1, depth):
        kind = {"type": "record", "name": f"R{level}", "fields": [{"name": "a", "type": kind},
                                                                 {"name": "b", "type": f"R{level - 1}"}]}  # fmt: skip
    return kind


EMPTY = {"type": "record", "name": "Empty", "fields": []}
UNBOUNDED = {
    "an array of nulls": ({"type": "array", "items": "null"}, "takes no bytes"),
    "an array of nulls, spelt out": ({"type": "array", "items": {"type": "null"}}, "takes no bytes"),
    "a map of nulls": ({"type": "map", "values": "null"}, "takes no bytes"),
    "an array of empty records": ({"type": "array", "items": EMPTY}, "takes no bytes"),
    "an array of what was named as a branch": (
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", EMPTY]},
                                                   {"name": "b", "type": {"type": "array", "items": "Empty"}}]},
        "takes no bytes",
    ),
    "an array of fixed of no size": (
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, "takes no bytes",
    ),
    "records of records": (_doubled(60), "takes no bytes"),
    "a record that holds itself": (
        {"type": "record", "name": "L", "fields": [{"name": "next", "type": "L"}]}, "holds itself",
    ),
    "a list by itself": (
        {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}, "holds itself",
    ),
    "a tree": (
        {"type": "record", "name": "T", "fields": [{"name": "of", "type": {"type": "array", "items": "T"}}]}, "holds itself",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNBOUNDED)
def test_a_schema_by_which_a_few_bytes_could_cost_anything_is_not_read(name: str) -> None:
    kind, reason = UNBOUNDED[name]
    for body in (write_long(10**9) + b"\0", b"\2" * 2_000_000, b"\0" * 100):
        with pytest.raises(UnknownSchema, match=reason):
            bounded(len(body) + 100_000, partial(read_with, "TransitionEvent", _with(kind), body))


def test_a_schema_is_not_nested_without_end() -> None:
    for depth in (100, 400):
        kind: Any = "long"
        for _ in range(depth):
            kind = {"type": "array", "items": kind}
        with pytest.raises(UnknownSchema):
            read_with("TransitionEvent", _with(kind), b"\2" * 3000)


def test_a_schema_that_was_refused_is_not_looked_at_again() -> None:
    registry = FakeRegistry({7: _with({"type": "array", "items": "null"})})
    framing = Framing("TransitionEvent", registry)
    for _ in range(3):
        with pytest.raises(UnknownSchema, match="takes no bytes"):
            framing.decode(confluent(7, b"\0" * 9))
    assert registry.asked == 1


@pytest.mark.parametrize("claim", HUGE[:5])
@pytest.mark.parametrize(
    "kind", ["string", "bytes", {"type": "array", "items": "long"}, {"type": "map", "values": "long"}]
)
def test_a_claim_in_a_schema_of_others_costs_nothing_either(kind: Any, claim: int) -> None:
    framing = Framing("TransitionEvent", FakeRegistry({7: _with(kind)}))
    for body in (
        b"",
        write_long(claim),
        write_long(claim) + b"\0" * 5000,
        write_long(-1) + write_long(claim) + b"\0" * 50,
    ):
        with pytest.raises(Undecodable):  # the schema is parsed for the first
            bounded(len(body) or 100_000, partial(framing.decode, confluent(7, body)))

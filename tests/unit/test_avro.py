"""Avro binary encoding: the same as fastavro's, and an error for whatever is none."""

from __future__ import annotations

import io
import random
import time
import tracemalloc
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orchestrator_state.wire.avro import AvroError, decode, reader, write_long, writer
from llm_orchestrator_state.wire.schemas import NAMESPACE, current, plain
from tests.unit.records import FIELDS, event, state, step
from tests.unit.strategies import data_of, edges

NAMES = ("StepState", "WorkflowState", "Checkpoint", "TransitionEvent")
SCHEMAS = {name: current(name) for name in NAMES}
THEIRS = {name: fastavro.parse_schema(plain(schema)) for name, schema in SCHEMAS.items()}
DATA = {name: data_of(schema) for name, schema in SCHEMAS.items()}
READ = {name: reader(schema) for name, schema in SCHEMAS.items()}
WRITE = {name: writer(schema) for name, schema in SCHEMAS.items()}


def fastavro_bytes(name: str, datum: Any) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, THEIRS[name], datum, strict=True)
    return buffer.getvalue()


def fastavro_datum(name: str, data: bytes) -> Any:
    buffer = io.BytesIO(data)
    datum = fastavro.schemaless_reader(
        buffer, THEIRS[name], None, return_record_name=True, return_record_name_override=True
    )
    assert buffer.tell() == len(data)
    return datum


def for_fastavro(datum: Any) -> Any:
    """It wants the full name of a union's record, and gives it."""
    if isinstance(datum, dict) and "transition" in datum:
        kind, fields = datum["transition"]
        return {**datum, "transition": (f"{NAMESPACE}.{kind}", fields)}
    return datum


SAMPLE_STATE = state(
    "running", step("é" * 70, "failed", error="broke", usage={"in": 300}, started_at=-1), step("b", outputs="[" * 9000),
    labels={"a": "b", "c": ""}, parent={"id": "x", "step_id": "y"}, recent_event_ids=bytes(range(256)),
    released_outputs=[{"n": 1, "released": -(2**63)}], fencing_token=2**63 - 1,
    context_ref={"n": 1, "bytes": 2, "sha256": b"\0", "born": 3},
)  # fmt: skip
SAMPLES: list[tuple[str, Any]] = [
    ("WorkflowState", SAMPLE_STATE),
    *(("TransitionEvent", event(kind)) for kind in FIELDS),
    ("TransitionEvent", event("CheckpointRequested", snapshot=SAMPLE_STATE, timestamp=7)),
]


# --- the same as fastavro's ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_what_fastavro_writes(name: str) -> None:
    @settings(max_examples=40)
    @given(DATA[name])
    def check(datum: Any) -> None:
        assert WRITE[name](datum) == fastavro_bytes(name, for_fastavro(datum))

    check()


@pytest.mark.parametrize("name", NAMES)
def test_what_fastavro_writes_is_read_as_it_was(name: str) -> None:
    @settings(max_examples=40)
    @given(DATA[name])
    def check(datum: Any) -> None:
        data = fastavro_bytes(name, for_fastavro(datum))
        read = decode(READ[name], data, 0)
        assert read == datum
        assert WRITE[name](read) == data, "maps keep their order"

    check()


@pytest.mark.parametrize(("name", "datum"), SAMPLES)
def test_both_read_and_write_the_samples_alike(name: str, datum: Any) -> None:
    data = WRITE[name](datum)
    assert data == fastavro_bytes(name, for_fastavro(datum))
    assert decode(READ[name], data, 0) == datum
    assert fastavro_datum(name, data) == for_fastavro(datum)


@given(st.integers(-(2**63), 2**63 - 1) | edges)
def test_every_long_is_written_and_read_like_fastavros(number: int) -> None:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, "long", number)
    assert write_long(number) == buffer.getvalue()
    assert decode(reader("long"), buffer.getvalue(), 0) == number


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**70])
def test_a_number_beyond_64_bits_is_never_written(number: int) -> None:
    with pytest.raises(AvroError, match="beyond 64 bits"):
        write_long(number)


def test_blocks_of_maps_and_arrays_may_be_many_and_may_carry_their_size() -> None:
    labels = {"type": "map", "values": "long"}
    assert decode(reader(labels), b"\x02\x02a\x02\x01\x06\x02b\x04\x00", 0) == {"a": 1, "b": 2}
    numbers = {"type": "array", "items": "long"}
    assert decode(reader(numbers), b"\x02\x02\x03\x04\x04\x06\x00", 0) == [1, 2, 3]


def test_a_datum_is_read_from_where_it_begins() -> None:
    assert decode(reader("string"), b"head\x04ab", 4) == "ab"


# --- bytes that are none ---------------------------------------------------------------------------------------------


def outcome(name: str, data: bytes) -> Any:
    """What is read, or None for an AvroError; any other exception is a failure."""
    try:
        return decode(READ[name], data, 0)
    except AvroError:
        return None


@pytest.mark.parametrize(("name", "datum"), SAMPLES)
def test_a_datum_that_is_cut_off_anywhere_is_an_error(name: str, datum: Any) -> None:
    data = WRITE[name](datum)
    for end in range(0, len(data), max(1, len(data) // 2000)):
        with pytest.raises(AvroError):
            decode(READ[name], data[:end], 0)


@pytest.mark.parametrize(("name", "datum"), SAMPLES)
def test_bytes_behind_a_datum_are_an_error(name: str, datum: Any) -> None:
    with pytest.raises(AvroError, match="1 bytes follow"):
        decode(READ[name], WRITE[name](datum) + b"\0", 0)


@pytest.mark.parametrize("name", ["WorkflowState", "TransitionEvent"])
def test_damaged_bytes_are_an_error_or_what_fastavro_makes_of_them(name: str) -> None:
    rng = random.Random(7)
    originals = [WRITE[of](datum) for of, datum in SAMPLES if of == name]
    read = 0
    for _ in range(4000):
        data = bytearray(rng.choice(originals))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(min(len(data), 600))
            if rng.random() < 0.5:
                data[at] = rng.choice((0, 1, 2, 3, 127, 128, 255, rng.randrange(256)))
            elif rng.random() < 0.5:
                del data[at : at + rng.randrange(1, 9)]
            else:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
        datum = outcome(name, bytes(data))
        if datum is not None:
            read += 1
            assert fastavro_datum(name, bytes(data)) == for_fastavro(datum)
    assert read > 100, "some damage only changes a value"


@given(st.binary(max_size=60))
def test_random_bytes_are_an_error_or_a_datum(data: bytes) -> None:
    for name in NAMES:
        outcome(name, data)


HUGE = [write_long(number) for number in (2**60, 2**31, -(2**60), -(2**63), 2**63 - 1)]


@pytest.mark.parametrize("claim", HUGE)
@pytest.mark.parametrize("rest", [b"", b"\0" * 5000, b"\x02a" * 2500])
@pytest.mark.parametrize(
    "schema",
    ["string", "bytes", {"type": "map", "values": "long"}, {"type": "array", "items": "long"},
     {"type": "map", "values": {"type": "map", "values": "string"}}],
)  # fmt: skip
def test_a_claim_of_more_than_there_is_costs_nothing(schema: Any, rest: bytes, claim: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(AvroError):
        decode(reader(schema), claim + rest, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("schema", ["int", "long", "string", "bytes", {"type": "map", "values": "long"}])
def test_a_number_without_an_end_is_not_read_to_the_end(schema: Any) -> None:
    data = b"\xff" * 4_000_000
    begin = time.process_time()
    with pytest.raises(AvroError, match="longer than 10 bytes"):
        decode(reader(schema), data, 0)
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize(
    ("schema", "data", "reason"),
    [
        ("long", b"\xff" * 9 + b"\x03", "beyond 64 bits"),
        ("int", write_long(2**31), "beyond 32 bits"),
        ("int", write_long(-(2**31) - 1), "beyond 32 bits"),
        ("string", b"\x01", "negative"),
        ("bytes", b"\xff\x01", "negative"),
        ("string", b"\x04\xff\xff", "not UTF-8"),
        ("string", b"\x06\xed\xa0\x80", "not UTF-8"),
        ("string", b"\x04a", "truncated"),
        ("string", b"", "truncated"),
        (["null", "string"], b"\x04", "no such branch"),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, b"\x02", "no symbol number 1"),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, b"\x01", "no symbol number -1"),
        ({"type": "map", "values": "long"}, b"\x80\x00\x02\x02a\x02\x00", "no items"),
        ([{"type": "record", "name": name, "fields": []} for name in "ABC"], b"\x06", "no branch number 3"),
        ([{"type": "record", "name": name, "fields": []} for name in "ABC"], b"\x01", "no branch number -1"),
    ],
)
def test_the_reason_is_said(schema: Any, data: bytes, reason: str) -> None:
    with pytest.raises(AvroError, match=reason):
        decode(reader(schema), data, 0)


def test_the_largest_event_full_of_tiny_items_is_read_in_bounded_time() -> None:
    items = 300_000
    body = write_long(items) + b"".join(write_long(3) + b"%03x" % (n % 4096) + b"\0" for n in range(items)) + b"\0"
    begin = time.process_time()
    decoded = decode(reader({"type": "map", "values": "string"}), body, 0)
    assert len(decoded) == 4096
    assert time.process_time() - begin < 5

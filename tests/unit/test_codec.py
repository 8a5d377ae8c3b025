from __future__ import annotations

import copy
import io
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.model.records import StateRecord
from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.codec import Codec, KeptState
from llm_orchestrator_state.wire.schemas import current, fingerprint, plain
from tests.unit.records import FIELDS, RUN, T0, event, state, step
from tests.unit.strategies import data_of, data_of_field
from tests.unit.versions import FakeRegistry, older_state, written

STATES = data_of(current("WorkflowState"))
STEPS = data_of(current("StepState"))
THEIRS = {name: fastavro.parse_schema(plain(current(name))) for name in ("WorkflowState", "Checkpoint")}


def fastavro_bytes(name: str, datum: Any) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, THEIRS[name], datum, strict=True)
    return buffer.getvalue()


def from_scratch(record: StateRecord) -> bytes:
    return KeptState(copy.deepcopy(record), 0).encode()


@pytest.mark.parametrize("kind", FIELDS)
def test_every_kind_of_event_survives(kind: str) -> None:
    one = event(kind, expected=3, token=-7)
    assert Codec().decode_event(Codec().encode_event(one)) == one


@given(STATES)
@settings(max_examples=50)
def test_a_state_is_written_as_fastavro_writes_it(record: StateRecord) -> None:
    assert from_scratch(record) == fastavro_bytes("WorkflowState", record)


@given(STATES)
@settings(max_examples=50)
def test_a_state_that_is_kept_is_the_one_that_was_written(record: StateRecord) -> None:
    codec = Codec()
    message = codec.encode_state(record)
    kept = codec.keep_state(message)
    assert kept.record == codec.decode_state(message) == record
    assert list(kept.record["steps"]) == list(record["steps"])
    assert kept.encode() == from_scratch(record)
    assert kept.bound == len(kept.encode())


@given(
    STATES,
    st.lists(
        st.tuples(st.just("step"), st.integers(0, 4), STEPS)
        | st.tuples(st.sampled_from(["status", "usage", "version", "error"]), st.just(0), st.just(None))
        | st.tuples(st.sampled_from(["context", "labels"]), st.just(0), st.just(None)),
        max_size=6,
    ),
    st.data(),
)
@settings(max_examples=60)
def test_what_is_written_again_part_by_part_is_what_would_be_written_at_once(
    record: StateRecord, edits: list[tuple[str, int, Any]], data: st.DataObject
) -> None:
    codec = Codec()
    kept = codec.keep_state(codec.encode_state(record)) if data.draw(st.booleans()) else KeptState(record, 0)
    for name, number, given_step in edits:
        if name == "step":
            step_id = f"step-{number}"
            kept.record["steps"][step_id] = given_step
            kept.step_changed(step_id)
        else:
            kept.record[name] = data.draw(data_of_field("WorkflowState", name))  # type: ignore[literal-required]
            if name in ("context", "labels"):
                kept.head_changed()
        if data.draw(st.booleans()):
            assert kept.encode() == from_scratch(kept.record)
    assert kept.encode() == from_scratch(kept.record)


@given(STATES, STATES)
@settings(max_examples=30)
def test_when_all_has_changed_all_is_written(before: StateRecord, after: StateRecord) -> None:
    kept = KeptState(before, 0)
    kept.encode()
    kept.record = after
    kept.all_changed()
    assert kept.encode() == from_scratch(after)


def test_steps_are_written_in_the_order_of_their_first_appearance() -> None:
    kept = KeptState(state("running", step("b"), step("a")), 0)
    kept.encode()
    kept.record["steps"]["c"] = step("c")
    for step_id in ("c", "a", "b"):
        kept.step_changed(step_id)
    read: Any = fastavro.schemaless_reader(io.BytesIO(kept.encode()), THEIRS["WorkflowState"], None)
    assert list(read["steps"]) == ["b", "a", "c"]


@given(STATES, st.integers(0, 2**63 - 1))
@settings(max_examples=30)
def test_a_checkpoint_is_written_as_fastavro_writes_it(record: StateRecord, version: int) -> None:
    head = {"id": RUN, "workflow_state_id": RUN, "step_id": "é", "timestamp": T0, "version": version}
    codec = Codec()
    message = codec.encode_checkpoint(head, from_scratch(record))
    whole = {**head, "snapshot": record}
    assert message == b"\xc3\x01" + fingerprint(current("Checkpoint")) + fastavro_bytes("Checkpoint", whole)
    assert codec.decode_checkpoint(message) == whole
    assert codec.checkpoint_size(head, from_scratch(record)) == len(message) - 10


def test_a_state_that_another_framing_wrote_is_kept_and_written_in_ours() -> None:
    one = state("running", step())
    registered = Codec(FakeRegistry({2: current("WorkflowState")}))
    kept = registered.keep_state(Codec().encode_state(one))
    assert registered.frame_state(kept.encode()) == registered.encode_state(one)
    assert registered.keep_state(registered.encode_state(one)).record == one


def test_a_state_of_an_older_schema_is_kept_with_its_size_as_it_will_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = older_state()
    monkeypatch.setattr(schemas, "history", lambda name: (older, current(name)) if "State" in name else ())
    one = state("running", *(step(str(n)) for n in range(100)))
    kept = Codec().keep_state(b"\xc3\x01" + fingerprint(older) + written(older, one))
    assert kept.record == one
    assert kept.bound == len(from_scratch(one))
    assert kept.encode() == from_scratch(one)


def test_what_is_prepared_is_written_while_the_registry_is_away() -> None:
    registry = FakeRegistry({})
    codec = Codec(registry)
    codec.prepare()

    def away(message: str, schema: Any) -> int:
        raise Connection("away")

    registry.id_of = away  # type: ignore[method-assign]
    one = state("running", step())
    assert codec.encode_state(one)[:5] == b"\0\0\0\0\2"
    assert codec._checkpoints.header == b"\0\0\0\0\3"
    with pytest.raises(Connection):
        codec.encode_event(event("WorkflowStarted"))

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given

from llm_orchestrator_state.errors import Serialization
from llm_orchestrator_state.model import KINDS, TransitionEvent, WorkflowState
from llm_orchestrator_state.model.kinds import KIND_OF_WORD
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.jsonlines import parse_line
from llm_orchestrator_state.wire.line_writing import format_record
from llm_orchestrator_state.wire.schemas import directory
from tests.unit.strategies import events

RUN = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
SAMPLE = Path(__file__).parents[1] / "data" / "sample.jsonl"
SCHEMA = json.loads((directory() / "transition-event.schema.json").read_text())


def line(word: str, more: str = "", **envelope: Any) -> bytes:
    head = {"run_id": RUN, "type": word, "occurred_at": "2026-01-05T09:30:00.123Z", **envelope}
    return (json.dumps(head)[:-1] + more + "}").encode()


def fields(record: EventRecord) -> dict[str, Any]:
    return record["transition"][1]


def test_the_designs_example_is_read() -> None:
    text = (
        '{"run_id":"%s","type":"workflow_created","occurred_at":"2026-01-05T09:30:00.123Z",'
        '"workflow_id":"triage","workflow_name":"Ticket triage","context":{"ticket":1.50}}'
    )
    record = parse_line((text % RUN.upper()).encode())
    assert UUID(record["event_id"]).version == 4
    assert record == {
        "event_id": record["event_id"],
        "run_id": RUN,
        "occurred_at": 1_767_605_400_123_000,
        "expected_version": None,
        "fencing_token": None,
        "transition": (
            "WorkflowCreated",
            {
                "workflow_id": "triage",
                "workflow_name": "Ticket triage",
                "user_id": None,
                "context": '{"ticket":1.50}',
                "labels": {},
                "parent": None,
            },
        ),
    }


@given(events)
def test_an_event_survives_its_line(event: TransitionEvent) -> None:
    record = event.to_record()
    text = format_record(record)
    assert b"\n" not in text
    assert parse_line(text) == record
    assert format_record(parse_line(text)) == text


def test_numbers_keep_the_digits_they_were_written_with() -> None:
    value = '{"a":1.50,"b":1e400,"c":12345678901234567890123,"d":0.1000000000000000055511151231257827}'
    record = parse_line(line("step_completed", f', "step_id": "a", "outputs": {value}'))
    assert fields(record)["outputs"] == value
    assert value.encode() in format_record(record)


def test_numbers_inside_a_saved_state_keep_their_digits_too() -> None:
    state = WorkflowState.new("w", "n").to_json().replace('"context":{}', '"context":{"a":1.50,"b":1e400}')
    record = parse_line(line("workflow_saved", f', "state": {state}'))
    assert fields(record)["state"]["context"] == '{"a":1.50,"b":1e400}'


def test_what_is_left_out_of_a_line_has_its_default() -> None:
    assert fields(parse_line(line("step_completed", ',"step_id":"a"'))) == {
        "step_id": "a",
        "attempt": None,
        "outputs": None,
        "usage": {},
    }
    assert fields(parse_line(line("checkpoint_requested", ',"step_id":"a"'))) == {
        "step_id": "a",
        "checkpoint_id": None,
        "timestamp": None,
        "snapshot": None,
    }


def test_null_outputs_are_no_outputs_and_a_null_patch_is_a_patch() -> None:
    assert fields(parse_line(line("step_completed", ',"step_id":"a","outputs":null')))["outputs"] is None
    assert fields(parse_line(line("context_updated", ',"patch":null')))["patch"] == "null"


def test_ids_are_written_in_their_canonical_form() -> None:
    record = parse_line(line("workflow_started", run_id="{" + RUN.upper() + "}", event_id=RUN.replace("-", "")))
    assert (record["run_id"], record["event_id"]) == (RUN, RUN)


def test_a_saved_state_may_be_the_crates_json() -> None:
    state = {
        "id": RUN.upper(),
        "workflow_id": "w",
        "workflow_name": "n",
        "status": "Paused",
        "started_at": "2025-01-02T03:04:05Z",
        "updated_at": "2025-01-02T03:04:05.120Z",
        "context": {},
    }
    saved = fields(parse_line(line("workflow_saved", f',"state":{json.dumps(state)}')))["state"]
    assert (saved["id"], saved["status"], saved["steps"], saved["version"]) == (RUN, "paused", {}, 0)


def test_line_breaks_inside_a_json_value_do_not_break_the_line() -> None:
    record = parse_line(line("step_completed", ',"step_id":"a","outputs":{"a":\n1,\r\n"b":2}'))
    text = format_record(record)
    assert b"\n" not in text
    assert json.loads(text)["outputs"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (line("step_finished"), "unknown type 'step_finished', expected one of workflow_created, "),
        (line("step\nfinished"), r"unknown type 'step\nfinished', expected"),
        (line("StepCompleted"), "unknown type 'StepCompleted', expected one of"),
        (line("step_completed"), "missing required field `step_id`"),
        (line("workflow_started", ',"steps":1'), "contains unknown field `steps`"),
        (line("step_started", ',"step_id":"a","atempt":1'), "contains unknown field `atempt`"),
        (line("step_started", ',"step_id":"a","attempt":0'), "Expected `int` >= 1 - at `$.attempt`"),
        (line("step_started", ',"step_id":"a","attempt":1.5'), "Expected `int | null`, got `float` - at `$.attempt`"),
        (line("step_started", ',"step_id":"a","attempt":2147483648'), "Expected `int` <= 2147483647 - at `$.attempt`"),
        (line("step_started", ',"step_id":7'), "Expected `str`, got `int` - at `$.step_id`"),
        (line("step_completed", ',"step_id":"a","usage":{"n":-1}'), "Expected `int` >= 0 - at `$.usage[...]`"),
        (line("step_completed", ',"step_id":"a","usage":null'), "Expected `object`, got `null` - at `$.usage`"),
        (line("step_completed", f',"step_id":"a","outputs":{"[" * 129}{"]" * 129}'), "outputs: nested deeper than 128"),
        (line("step_completed", f',"step_id":"a","outputs":{"[" * 9000}{"]" * 9000}'), "nested deeper than 128"),
        (line("context_updated", r',"patch":{"a":"\ud800"}'), "a string holds half a surrogate pair"),
        (line("context_updated", ',"patch":{"a":NaN}'), "not JSON: "),
        (line("workflow_started", expected_version=-1), "Expected `int` >= 0 - at `$.expected_version`"),
        (line("workflow_started", fencing_token=2**63), "- at `$.fencing_token`"),
        (line("workflow_started", run_id="run-1"), "run_id: 'run-1' is no UUID, expected one such as "),
        (line("workflow_started", event_id="1"), "event_id: '1' is no UUID, expected one such as "),
        (line("workflow_started", occurred_at="2026-01-05T09:30:00"), "has no time zone, expected Z or an offset"),
        (line("workflow_started", occurred_at="yesterday"), "occurred_at: 'yesterday' is no instant, expected one"),
        (line("workflow_started", occurred_at="0000-01-01T00:00:00Z"), "occurred_at: '0000-01-01T00:00:00Z' is no instant"),
        (line("workflow_started", occurred_at=1767605400), "Expected `str`, got `int` - at `$.occurred_at`"),
        (line("checkpoint_requested", ',"step_id":"a","checkpoint_id":"x"'), "checkpoint_id: 'x' is no UUID"),
        (line("workflow_created", ',"workflow_id":"w","workflow_name":"n","parent":{"id":"x","step_id":"a"}'), "parent.id: 'x'"),
        (line("workflow_saved", ',"state":{"id":"x"}'), "missing required field `workflow_id` - at `$.state`"),
        (b'{"type":"workflow_started"}', "missing required field `run_id`"),
        (b'{"run_id":"x"}', "missing required field `type`"),
        (b"[]", "Expected `object`, got `array`"),
        (b"", "not JSON: Input data was truncated"),
        (b"\x00\x01", "not JSON: "),
        (line("workflow_paused", ',"reason":"x"').replace(b'"x"', b'"\xff"'), "not UTF-8: "),
        (line("workflow_started") + b"{}", "not JSON: JSON is malformed: trailing characters"),
    ],
)  # fmt: skip
def test_a_bad_line_is_refused_with_a_reason_on_one_line(text: bytes, reason: str) -> None:
    with pytest.raises(Serialization) as caught:
        parse_line(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- the JSON Schema


def test_the_json_schema_describes_every_kind() -> None:
    assert [each["$ref"] for each in SCHEMA["oneOf"]] == [f"#/$defs/{word}" for word in KIND_OF_WORD]


@pytest.mark.parametrize("word", list(KIND_OF_WORD))
def test_the_json_schema_has_a_kinds_fields_and_the_same_ones_are_required(word: str) -> None:
    described = SCHEMA["$defs"][word]
    kind = msgspec.structs.fields(KINDS[KIND_OF_WORD[word]])
    assert list(described["properties"]) == ["type", *(field.name for field in kind)]
    assert described["properties"]["type"] == {"const": word}
    assert described.get("required", []) == [field.name for field in kind if field.required]
    assert described["unevaluatedProperties"] is False
    assert described["$ref"] == "#/$defs/envelope"


def test_the_json_schema_has_the_envelope_and_the_states_fields() -> None:
    envelope = [*EventRecord.__annotations__]
    envelope[envelope.index("transition")] = "type"
    assert set(SCHEMA["$defs"]["envelope"]["properties"]) == set(envelope)
    assert list(SCHEMA["$defs"]["workflow_state"]["properties"]) == list(WorkflowState.__struct_fields__)


# ---- the sample that ships


def test_every_line_of_the_sample_is_read() -> None:
    lines = SAMPLE.read_bytes().splitlines()
    records = [parse_line(each) for each in lines]
    assert len(records) > 200
    assert {record["transition"][0] for record in records} == set(KINDS)

from __future__ import annotations

import copy
import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings

from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.schemas import MESSAGES, NAMESPACE, Schema, current, fingerprint, history, plain, same
from tests.unit.compatibility import obstacles
from tests.unit.strategies import data_of
from tests.unit.versions import newer_event, older_event, older_state, written

FINGERPRINTS = {
    # message: its versions' CRC-64-AVRO, as on the wire, oldest first. Never changed, only added to: logs hold them.
    "TransitionEvent": ["936955f84e1eda31"],
    "WorkflowState": ["ed15d4a202a69481"],
    "Checkpoint": ["47570a4f0de2b00a"],
}
FULL = ("WorkflowState", "Checkpoint")
"""Read by programs that are older than the processor: every version must read every other one."""

PAIRS = [
    (message, one, other)
    for message in MESSAGES
    for one in range(len(history(message)))
    for other in range(len(history(message)))
    if one <= other or message in FULL
]


def crc_64_avro(data: bytes) -> int:
    """Avro 1.12, "Schema Fingerprints"."""
    empty = 0xC15D213AA4D7A795
    crc = empty
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (empty & -(crc & 1))
    return crc


def resolved(writer: Schema, reader: Schema, datum: Any) -> Any:
    data = written(writer, datum)
    theirs, ours = fastavro.parse_schema(plain(writer)), fastavro.parse_schema(plain(reader))
    return fastavro.schemaless_reader(io.BytesIO(data), theirs, ours)


# --- history ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", MESSAGES)
def test_the_last_version_in_the_history_is_the_current_one(message: str) -> None:
    assert same(history(message)[-1], current(message))
    assert fingerprint(history(message)[-1]) == fingerprint(current(message))


@pytest.mark.parametrize("message", MESSAGES)
def test_versions_are_numbered_from_1_without_a_gap(message: str) -> None:
    files = sorted(int(path.stem) for path in (schemas.directory() / "history" / message).iterdir())
    assert files == list(range(1, len(history(message)) + 1))


def test_every_message_and_nothing_else_has_a_history() -> None:
    assert {path.name for path in (schemas.directory() / "history").iterdir()} == set(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES)
def test_no_version_that_was_ever_shipped_changes(message: str) -> None:
    assert [fingerprint(version).hex() for version in history(message)] == FINGERPRINTS[message]


def test_a_fingerprint_is_that_of_the_avro_specification() -> None:
    assert crc_64_avro(b'"int"') == 0x7275D51A3F395C8F
    for message in MESSAGES:
        canonical = fastavro.schema.to_parsing_canonical_form(fastavro.parse_schema(copy.deepcopy(current(message))))
        assert fingerprint(current(message)) == crc_64_avro(canonical.encode()).to_bytes(8, "little")


def test_documentation_and_defaults_do_not_change_a_fingerprint_but_order_does() -> None:
    schema = copy.deepcopy(current("StepState"))
    schema["doc"] = "other"
    assert same(schema, current("StepState"))
    schema["fields"].reverse()
    assert not same(schema, current("StepState"))


# --- compatibility ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("message", "writer", "reader"), PAIRS)
def test_every_version_is_readable_by_the_later_ones_and_states_by_the_earlier_ones_too(
    message: str, writer: int, reader: int
) -> None:
    assert obstacles(history(message)[writer], history(message)[reader]) == []


@pytest.mark.parametrize(("message", "writer", "reader"), PAIRS)
def test_data_of_every_version_are_read_by_the_later_ones_and_states_by_the_earlier_ones_too(
    message: str, writer: int, reader: int
) -> None:
    theirs, ours = history(message)[writer], history(message)[reader]

    @settings(max_examples=10)
    @given(data_of(theirs))
    def check(datum: Any) -> None:
        resolved(theirs, ours, datum)

    check()


@pytest.mark.parametrize(
    ("field", "fine"), [("user_id", True), ("labels", True), ("error", True), ("workflow_id", False), ("id", False)]
)
def test_the_check_notices_a_field_that_comes_without_a_default(field: str, fine: bool) -> None:
    without = copy.deepcopy(current("WorkflowState"))
    without["fields"] = [each for each in without["fields"] if each["name"] != field]
    assert (obstacles(without, current("WorkflowState")) == []) is fine


def test_the_check_knows_a_compatible_successor() -> None:
    assert obstacles(older_event(), current("TransitionEvent")) == []
    assert obstacles(older_state(), current("WorkflowState")) == []
    assert obstacles(current("WorkflowState"), older_state()) == []


def test_the_check_notices_a_kind_that_a_reader_does_not_know() -> None:
    assert obstacles(newer_event(), current("TransitionEvent")) == [
        ".transition: no branch for WorkflowTeleported", ".transition: no branch for StepTeleported",
    ]  # fmt: skip


def _enum_without_default(schema: Schema) -> Schema:
    status = next(field for field in schema["fields"] if field["name"] == "status")["type"]
    status["symbols"].remove("paused")
    del status["default"]
    return schema


def _narrower(schema: Schema) -> Schema:
    next(field for field in schema["fields"] if field["name"] == "version")["type"] = "int"
    return schema


def _renamed(schema: Schema) -> Schema:
    return {**schema, "name": "State"}


def _not_null(schema: Schema) -> Schema:
    next(field for field in schema["fields"] if field["name"] == "error")["type"] = "string"
    return schema


@pytest.mark.parametrize("change", [_enum_without_default, _narrower, _renamed, _not_null])
def test_the_check_notices_an_incompatible_successor(change: Any) -> None:
    assert obstacles(current("WorkflowState"), change(copy.deepcopy(current("WorkflowState"))))


# --- what the schemas must be like -----------------------------------------------------------------------------------


def _parts(schema: Schema) -> list[Schema]:
    if isinstance(schema, list):
        return [part for branch in schema for part in _parts(branch)]
    if not isinstance(schema, dict):
        return []
    inner = [field["type"] for field in schema.get("fields", ())]
    inner += [schema[name] for name in ("type", "items", "values") if isinstance(schema.get(name), dict | list | str)]
    return [schema, *(part for each in inner for part in _parts(each))]


@pytest.mark.parametrize("message", MESSAGES)
def test_statuses_can_be_added_because_every_enum_has_a_default_symbol(message: str) -> None:
    enums = [part for part in _parts(current(message)) if part["type"] == "enum"]
    assert {enum["name"] for enum in enums} == {"WorkflowStatus", "StepStatus"}
    assert {(enum["default"], enum["symbols"][-1]) for enum in enums} == {("unknown", "unknown")}


@pytest.mark.parametrize("message", MESSAGES)
def test_every_field_that_may_be_null_is_null_by_default(message: str) -> None:
    for part in _parts(current(message)):
        for field in part.get("fields", ()):
            if isinstance(field["type"], list) and "null" in field["type"]:
                assert (field["type"][0], field["default"]) == ("null", None), field["name"]


def test_the_namespace_has_no_version() -> None:
    assert {current(message)["namespace"] for message in MESSAGES} == {NAMESPACE}


def test_a_state_ends_with_its_steps_and_a_checkpoint_with_its_snapshot() -> None:
    assert current("WorkflowState")["fields"][-1]["name"] == "steps"
    assert current("Checkpoint")["fields"][-1]["name"] == "snapshot"


@pytest.mark.parametrize("path", sorted(schemas.directory().glob("*.avsc")), ids=lambda path: path.stem)
def test_there_is_one_file_for_each_record_under_its_name(path: Any) -> None:
    schema = json.loads(path.read_text())
    assert (schema["type"], schema["name"], schema["namespace"]) == ("record", path.stem, NAMESPACE)

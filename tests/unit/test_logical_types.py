"""Events of publishers whose schema gives numbers another meaning than ours."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import fastavro
import pytest

from llm_orchestrator_state.wire.framing import Framing, UnknownSchema
from llm_orchestrator_state.wire.schemas import NAMESPACE, Schema, current, same
from tests.unit.records import RUN, event, state, step
from tests.unit.versions import FakeRegistry, confluent

AT = 1_767_605_400_123_000
EVENTS = current("TransitionEvent")


def with_every(logical_type: str, schema: Schema) -> Schema:
    """The schema with another logical type of all instants."""
    if isinstance(schema, list):
        return [with_every(logical_type, branch) for branch in schema]
    if isinstance(schema, dict):
        return {
            key: logical_type if key == "logicalType" else with_every(logical_type, value)
            for key, value in schema.items()
        }
    return schema


def changed(field: str, of_type: Schema) -> Schema:
    schema = copy.deepcopy(EVENTS)
    next(each for each in schema["fields"] if each["name"] == field)["type"] = of_type
    return schema


def read(schema: Schema, record: Any) -> Any:
    kind, fields = record["transition"]
    data = io.BytesIO()
    fastavro.schemaless_writer(
        data, fastavro.parse_schema(copy.deepcopy(schema)), {**record, "transition": (f"{NAMESPACE}.{kind}", fields)}
    )
    return Framing("TransitionEvent", FakeRegistry({7: schema})).decode(confluent(7, data.getvalue()))


def saved(instant: Callable[[int], int]) -> Any:
    """An event with instants at every depth: its own, a nullable one, and those of a map of records."""
    whole = state(
        "running", step("a", started_at=instant(AT), completed_at=instant(AT + 1000)),
        started_at=instant(AT), updated_at=instant(AT + 2000), completed_at=None,
    )  # fmt: skip
    return event("WorkflowSaved", id=RUN, at=instant(AT), state=whole)


@pytest.mark.parametrize(
    ("logical_type", "instant"),
    [("timestamp-millis", lambda micros: micros // 1000), ("timestamp-nanos", lambda micros: micros * 1000 + 999)],
)
def test_instants_in_other_units_are_read_as_microseconds(logical_type: str, instant: Callable[[int], int]) -> None:
    theirs = with_every(logical_type, EVENTS)
    assert same(theirs, EVENTS), "a fingerprint does not tell them apart"
    assert read(theirs, saved(instant)) == saved(lambda micros: micros)


def test_an_instant_before_1970_in_nanoseconds_is_the_microsecond_that_it_is_in() -> None:
    theirs = with_every("timestamp-nanos", EVENTS)
    assert read(theirs, event("WorkflowStarted", at=-1))["occurred_at"] == -1


def test_an_instant_beyond_the_calendar_is_left_for_the_check_of_the_payload() -> None:
    theirs = with_every("timestamp-millis", EVENTS)
    assert read(theirs, event("WorkflowStarted", at=2**62))["occurred_at"] == 2**62 * 1000


def test_a_number_without_a_logical_type_is_what_our_schema_says() -> None:
    one = event("WorkflowStarted", at=AT)
    assert read(changed("occurred_at", "long"), one) == one


@pytest.mark.parametrize("logical_type", ["local-timestamp-micros", "local-timestamp-millis", "time-micros"])
def test_an_instant_that_is_none_is_an_unknown_schema_with_what_to_correct(logical_type: str) -> None:
    theirs = changed("occurred_at", {"type": "long", "logicalType": logical_type})
    expected = rf"^TransitionEvent\.occurred_at is a {logical_type}, and expected is timestamp-micros: correct"
    with pytest.raises(UnknownSchema, match=expected):
        read(theirs, event("WorkflowStarted", at=AT))


def test_a_date_where_an_instant_belongs_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema, match=r"occurred_at is a date"):
        read(changed("occurred_at", {"type": "int", "logicalType": "date"}), event("WorkflowStarted", at=20_000))


def test_an_instant_where_a_plain_number_belongs_is_an_unknown_schema() -> None:
    theirs = changed("expected_version", ["null", {"type": "long", "logicalType": "timestamp-millis"}])
    with pytest.raises(UnknownSchema, match=r"expected_version is a timestamp-millis, and expected is a plain number"):
        read(theirs, event("WorkflowStarted"))


def test_a_text_is_itself_whatever_its_logical_type() -> None:
    one = event("WorkflowStarted", at=AT)
    assert read(changed("event_id", {"type": "string", "logicalType": "uuid"}), one) == one


def test_a_field_that_we_do_not_have_may_be_anything() -> None:
    theirs = copy.deepcopy(EVENTS)
    theirs["fields"].insert(0, {"name": "born", "type": {"type": "int", "logicalType": "date"}, "default": 0})
    one = event("WorkflowStarted", at=AT)
    assert read(theirs, one) == one

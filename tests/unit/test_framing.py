from __future__ import annotations

import contextlib
import copy
import io
from typing import Any

import fastavro
import pytest

from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.avro import writer
from llm_orchestrator_state.wire.framing import CONFLUENT, SINGLE_OBJECT, Framing, Undecodable, UnknownSchema
from llm_orchestrator_state.wire.schemas import current, fingerprint
from tests.unit.records import FIELDS, RUN, event, state, step
from tests.unit.versions import FakeRegistry, confluent, newer_event, older_event, older_state, written

EVENT = event("StepCompleted", attempt=1, outputs="[1]", usage={"in": 1})
BODY = writer(current("TransitionEvent"))(EVENT)
OWN = SINGLE_OBJECT + fingerprint(current("TransitionEvent"))


def framing(registered: dict[int, Any] | None = None) -> Framing:
    return Framing("TransitionEvent", None if registered is None else FakeRegistry(registered))


def from_other(schema: Any, datum: Any) -> Any:
    """What is read of a datum that was written with another version, known to a registry."""
    return framing({7: schema}).decode(confluent(7, written(schema, datum)))


# --- which framing ---------------------------------------------------------------------------------------------------


def test_without_a_registry_a_message_begins_with_the_fingerprint_of_the_current_schema() -> None:
    assert framing().header == OWN
    assert framing().decode(OWN + BODY) == EVENT


def test_with_a_registry_a_message_begins_with_the_schemas_id() -> None:
    assert framing({}).header == CONFLUENT + (1).to_bytes(4, "big")


def test_a_registry_is_not_asked_for_an_id_before_something_is_written() -> None:
    class Unwritable(FakeRegistry):
        def id_of(self, message: str, schema: Any) -> int:
            raise Connection("away")

    registry = Unwritable({9: current("TransitionEvent")})
    reading = Framing("TransitionEvent", registry)
    assert reading.decode(OWN + BODY) == reading.decode(confluent(9, BODY)) == EVENT
    with pytest.raises(Connection):
        _ = reading.header


def test_with_a_registry_both_framings_are_read() -> None:
    registry = FakeRegistry({1: current("TransitionEvent"), 9: current("TransitionEvent")})
    both = Framing("TransitionEvent", registry)
    assert both.decode(OWN + BODY) == both.decode(confluent(1, BODY)) == both.decode(confluent(9, BODY)) == EVENT


def test_a_registry_is_asked_once_for_each_schema() -> None:
    registry = FakeRegistry({9: current("TransitionEvent")})
    both = Framing("TransitionEvent", registry)
    for _ in range(3):
        both.decode(confluent(9, BODY))
    assert registry.asked == 1


def test_a_registry_that_is_away_is_asked_again() -> None:
    registry = FakeRegistry({9: current("TransitionEvent")})
    answer, asked = registry.schema_of, []

    def away(schema_id: int) -> Any:
        asked.append(schema_id)
        if len(asked) == 1:
            raise Connection("away")
        return answer(schema_id)

    registry.schema_of = away  # type: ignore[method-assign]
    both = Framing("TransitionEvent", registry)
    with pytest.raises(Connection):
        both.decode(confluent(9, BODY))
    assert both.decode(confluent(9, BODY)) == EVENT


def test_a_registrys_framing_without_a_registry_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema, match="schema_registry_url"):
        framing().decode(confluent(1, BODY))


def test_an_unknown_fingerprint_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema, match="fingerprint 0102030405060708"):
        framing().decode(SINGLE_OBJECT + bytes(range(1, 9)) + BODY)


def test_an_id_that_the_registry_does_not_have_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema):
        framing({}).decode(confluent(404, BODY))


def test_another_messages_fingerprint_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema):
        framing().decode(SINGLE_OBJECT + fingerprint(current("WorkflowState")) + BODY)


@pytest.mark.parametrize(
    "message",
    [None, b"", b"\0", b"\0\0\0\1", b"\xc3", b"\xc3\x01", OWN[:9], b"\xc3\x02" + OWN[2:] + BODY, b"{}", b"\x01" * 99],
)
def test_what_has_neither_framing_is_undecodable(message: bytes | None) -> None:
    with pytest.raises(Undecodable):
        framing({}).decode(message)


def test_a_message_without_a_body_is_undecodable() -> None:
    for header in (OWN, confluent(1, b"")):
        with pytest.raises(Undecodable, match="truncated"):
            framing({1: current("TransitionEvent")}).decode(header)


# --- other versions --------------------------------------------------------------------------------------------------


def test_an_older_schemas_event_is_read_as_todays_with_the_defaults_of_what_it_lacks() -> None:
    older = older_event()
    full = event("StepCompleted", outputs="1")
    assert from_other(older, full) == {**full, "fencing_token": None}
    created = event("WorkflowCreated", labels={"not": "there"})
    assert from_other(older, created)["transition"] == event("WorkflowCreated", labels={})["transition"]


@pytest.mark.parametrize("kind", sorted(FIELDS.keys() - {"StepHeartbeat"}))
def test_every_kind_of_an_older_schema_is_read_as_the_same_kind(kind: str) -> None:
    one = event(kind)
    assert from_other(older_event(), one) == one


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_every_known_kind_of_a_newer_schema_is_read_as_the_same_kind(kind: str) -> None:
    one = event(kind)
    assert from_other(newer_event(), one) == one


@pytest.mark.parametrize(("kind", "fields"), [("WorkflowTeleported", {}), ("StepTeleported", {"step_id": "a"})])
def test_an_unknown_kind_of_a_newer_publisher_is_named(kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(UnknownSchema, match=f"^{kind} is newer than this program") as raised:
        from_other(newer_event(), {**EVENT, "transition": (kind, fields)})
    assert len(str(raised.value)) < 200


def test_a_status_of_a_newer_publisher_is_read_as_unknown() -> None:
    record = from_other(newer_event(), event("WorkflowSaved", state=state("cancelled")))
    assert record["transition"][1]["state"]["status"] == "unknown"


def test_a_past_version_is_read_without_a_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    older = older_event()
    monkeypatch.setattr(schemas, "history", lambda message: (older, current(message)))
    full = event("StepCompleted", outputs="1")
    message = SINGLE_OBJECT + fingerprint(older) + written(older, full)
    assert Framing("TransitionEvent").decode(message) == {**full, "fencing_token": None}


def test_a_past_state_is_read_into_todays() -> None:
    given = state("running", step(status="failed", error="e", usage={"in": 1}), context='{"a":1.0}', labels={"l": "v"})
    decoded = Framing("WorkflowState", FakeRegistry({7: older_state()})).decode(
        confluent(7, written(older_state(), given))
    )
    assert decoded == state("running", step(status="failed", error="e"), context='{"a":1.0}')


@pytest.mark.parametrize("end", [5, 6, 20, -1])
def test_another_versions_event_that_is_cut_off_is_undecodable(end: int) -> None:
    older = older_event()
    message = confluent(7, written(older, event("StepCompleted")))
    with pytest.raises(Undecodable):
        framing({7: older}).decode(message[:end])


def test_an_unknown_kind_that_is_cut_off_is_undecodable() -> None:
    newer = newer_event()
    message = confluent(7, written(newer, {**EVENT, "transition": ("StepTeleported", {"step_id": "abc"})}))
    with pytest.raises(Undecodable):
        framing({7: newer}).decode(message[:-1])


def test_bytes_behind_another_versions_event_are_undecodable() -> None:
    older = older_event()
    with pytest.raises(Undecodable, match="1 bytes follow"):
        framing({7: older}).decode(confluent(7, written(older, event("StepCompleted")) + b"\0"))


@pytest.mark.parametrize(
    "broken",
    [None, 5, {}, {"type": "record"}, {"type": "nope"}, "Unknown",
     {"type": "record", "name": "X", "fields": [{"name": "a", "type": "Unknown"}]}],
)  # fmt: skip
def test_a_registered_schema_that_is_broken_is_an_unknown_schema(broken: Any) -> None:
    with pytest.raises(UnknownSchema, match="its schema cannot be used"):
        framing({7: broken}).decode(confluent(7, BODY))


@pytest.mark.parametrize(
    "foreign",
    ["string", [], ["null", "string"], {"type": "record", "name": "Other", "fields": []},
     {"type": "record", "name": "TransitionEvent", "fields": [{"name": "event_id", "type": "string"}]}],
)  # fmt: skip
def test_a_registered_schema_of_something_else_is_a_rejection_too(foreign: Any) -> None:
    with pytest.raises((UnknownSchema, Undecodable)):
        framing({7: foreign}).decode(confluent(7, b"\x06" + RUN.encode()))


def narrowed(transition: Any) -> Any:
    """Our schema of events with another type of the transition."""
    schema = older_event()
    schema["fields"][-1]["type"] = transition(schema["fields"][-1]["type"])
    return schema


def one_kind(kinds: Any) -> Any:
    return next(kind for kind in kinds if kind["name"] == "WorkflowStarted")


def event_of_one_kind(schema: Any) -> bytes:
    """An event written with a schema whose transition has one kind."""
    record = {**EVENT, "transition": {}}
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schemas.plain(copy.deepcopy(schema))), record)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("shape", "reason"),
    [(lambda kinds: [one_kind(kinds)], "does not tell the kinds"), (one_kind, r"transition takes no bytes")],
    ids=["a union of one", "no union"],
)
def test_a_schema_whose_transition_has_one_kind_is_an_unknown_schema(shape: Any, reason: str) -> None:
    schema = narrowed(shape)
    with pytest.raises(UnknownSchema, match=reason):
        framing({7: schema}).decode(confluent(7, event_of_one_kind(schema)))


def test_a_schema_that_is_a_union_of_messages_is_an_unknown_schema() -> None:
    other = {"type": "record", "name": "Other", "fields": []}
    with pytest.raises(UnknownSchema):
        framing({7: [other, newer_event()]}).decode(confluent(7, b"\2" + written(newer_event(), EVENT)))


def test_an_optional_message_is_read_and_its_absence_is_an_unknown_schema() -> None:
    optional = framing({7: ["null", newer_event()]})
    assert optional.decode(confluent(7, b"\2" + written(newer_event(), EVENT))) == EVENT
    with pytest.raises(UnknownSchema):
        optional.decode(confluent(7, b"\0"))


def test_a_field_that_could_have_been_another_record_is_read_as_ours() -> None:
    schema = newer_event()
    (created,) = [kind for kind in schema["fields"][-1]["type"] if kind["name"] == "WorkflowCreated"]
    (parent,) = [field for field in created["fields"] if field["name"] == "parent"]
    parent["type"].append({"type": "record", "name": "Other", "fields": []})
    one = event("WorkflowCreated", parent={"id": RUN, "step_id": "a"})
    assert from_other(schema, one) == one


def test_damaged_bytes_of_another_version_are_a_rejection_too() -> None:
    older = older_event()
    data = written(older, event("WorkflowSaved", state=state("running", step("a"), step("b"))))
    other = framing({7: older})
    for at in range(len(data)):
        for damage in (b"\0", b"\x03", b"\x7f", b"\xff", b"\xff" * 9 + b"\1", b"\xfe\xff\xff\xff\xff\x0f"):
            with contextlib.suppress(UnknownSchema, Undecodable):
                other.decode(confluent(7, data[:at] + damage + data[at + 1 :]))

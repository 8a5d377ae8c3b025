"""The schema registry as the codec sees it, with the client library's own in-memory registry and without any."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytest.importorskip("confluent_kafka.schema_registry", reason="the extra `registry` is not installed")

from confluent_kafka.schema_registry import Schema as Registered
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # httpx2 where that is what the client has

from llm_orchestrator_state.errors import Configuration, Connection, TopicMismatch
from llm_orchestrator_state.kafka.registry import MAX_REFUSED, ConfluentRegistry, Mode, _as_text
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.framing import UnknownSchema
from llm_orchestrator_state.wire.schemas import current

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
    counting = made._client._client = Counting(made._client._client)
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


# --- what a registry, or a proxy in front of it, may answer -------------------------------------------------------------


class Answers:
    """The registry's side of HTTP: an answer for each request, the last one again and again."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str]] = []

    def __call__(self, request: Any) -> Any:
        self.requests.append((request.method, request.url.path))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(body, Exception):
            raise body
        return httpx.Response(status, content=body if isinstance(body, str) else json.dumps(body))


def answering(
    answers: Answers, url: str = "http://registry:8081", mode: Mode = "register", now: list[float] | None = None
) -> ConfluentRegistry:
    made = ConfluentRegistry(url, TopicSet("t"), mode=mode, monotonic=lambda: now[0] if now else 0.0)
    rest = made._client._client._rest_client
    rest.session.close()
    rest.session = httpx.Client(transport=httpx.MockTransport(answers))
    return made


EVENTS = current("TransitionEvent")


@pytest.mark.parametrize("code", [40401, 40402, 40403])
def test_only_the_registrys_own_404_says_that_there_is_no_such_schema(code: int) -> None:
    absent = {"error_code": code, "message": "not found"}
    with pytest.raises(UnknownSchema, match="no Avro schema with id 7"):
        answering(Answers((404, absent))).schema_of(7)
    assert answering(Answers((404, absent))).registered("TransitionEvent", EVENTS) is None


@pytest.mark.parametrize(
    "body", ["", "<html>404</html>", {"error_code": 404, "message": "HTTP 404 Not Found"}, {"status": 404}]
)
def test_a_404_of_a_wrong_address_is_no_verdict_on_the_event(body: object) -> None:
    with pytest.raises(Connection, match=r"no Confluent REST API at this address.*correct schema_registry_url"):
        answering(Answers((404, body))).schema_of(7)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_told_with_the_setting_to_correct(status: int) -> None:
    with pytest.raises(Connection, match=rf"refused the credentials \(HTTP {status}.*basic.auth.user.info"):
        answering(Answers((status, {"message": "no"}))).id_of("TransitionEvent", EVENTS)


@pytest.mark.parametrize(("status", "body"), [(500, {"error_code": 50001, "message": "oops"}), (503, "x"), (429, {})])
def test_a_registry_in_trouble_is_asked_again_later(status: int, body: object) -> None:
    with pytest.raises(Connection, match=f"HTTP {status}"):
        answering(Answers((status, body))).schema_of(7)


def test_a_page_where_json_is_expected_is_no_verdict_on_the_event() -> None:
    with pytest.raises(Connection, match="not of Confluent's REST API"):
        answering(Answers((200, "<html>Sign in</html>"))).schema_of(7)


def test_an_incompatible_schema_is_a_mismatch_that_says_what_to_do() -> None:
    told = {"error_code": 409, "message": "Schema being registered is incompatible " + "{...}" * 200}
    with pytest.raises(
        TopicMismatch, match=r"refuses t\.events-value: Schema being.* …; .*delete the subject"
    ) as raised:
        answering(Answers((409, told))).id_of("TransitionEvent", EVENTS)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 800


def test_a_registry_that_registers_nothing_is_told_with_the_setting_that_looks_up() -> None:
    told = {"error_code": 42205, "message": "Subject t.events-value is in read-only mode"}
    with pytest.raises(Configuration, match=r"read-only mode; .*set schema_registry_mode to lookup"):
        answering(Answers((422, told))).id_of("TransitionEvent", EVENTS)


def test_looking_up_registers_nothing() -> None:
    found = Answers((200, {"subject": "t.events-value", "id": 5, "version": 1, "schema": json.dumps(EVENTS)}))
    assert answering(found, mode="lookup").id_of("TransitionEvent", EVENTS) == 5
    absent = Answers((404, {"error_code": 40401, "message": "Subject not found"}))
    with pytest.raises(TopicMismatch, match=r"topics create --topic-prefix t --schema-registry-mode register"):
        answering(absent, mode="lookup").id_of("TransitionEvent", EVENTS)
    assert found.requests == absent.requests == [("POST", "/subjects/t.events-value")]


def test_a_text_of_braces_is_registered_so_that_apicurio_takes_the_schema_for_what_it_is() -> None:
    text = _as_text(EVENTS).schema_str
    assert not re.search(r': *"\{\}"', text)
    assert json.loads(text) == EVENTS


def test_a_question_without_an_answer_is_put_off_for_four_times_as_long_as_it_took() -> None:
    now = [100.0]

    class Slow(Answers):
        def __call__(self, request: Any) -> Any:
            now[0] += 5.0
            return super().__call__(request)

    slow = Slow((200, httpx.ReadTimeout("timed out")), (200, {"schema": '"string"'}))
    registry = answering(slow, now=now)
    for now[0] in (100.0, 105.0, 124.9):
        with pytest.raises(Connection, match="timed out"):
            registry.schema_of(7)
    assert len(slow.requests) == 1
    now[0] = 125.0
    assert registry.schema_of(7) == "string"


# --- settings ----------------------------------------------------------------------------------------------------------


def test_credentials_in_the_address_are_sent_and_not_shown() -> None:
    registry = ConfluentRegistry("https://me:s%40cret@a:1/x,https://me:s%40cret@b:2", TopicSet("t"))
    assert registry._client._client._rest_client.auth == ("me", "s@cret")
    assert registry.url == "https://a:1/x,https://b:2"
    with pytest.raises(Connection) as raised:
        answering(Answers((500, "")), "http://me:secret@a:1").schema_of(1)
    assert "secret" not in str(raised.value)


def test_credentials_may_be_a_property() -> None:
    registry = ConfluentRegistry("http://a:1", TopicSet("t"), {"basic.auth.user.info": "me:sec:ret"})
    assert registry._client._client._rest_client.auth == ("me", "sec:ret")


def test_numbers_among_the_properties_are_numbers() -> None:
    registry = ConfluentRegistry("http://a:1", TopicSet("t"), {"timeout": "1.5", "max.retries": "2"})
    rest = registry._client._client._rest_client
    assert (rest.timeout, rest.max_retries) == (1.5, 2)


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"timeout": "soon"}, "timeout is 'soon'; expected a number"),
        ({"no.such": "1"}, "no.such"),
        ({"basic.auth.user.info": "me"}, "basic.auth.user.info"),
        ({"ssl.ca.location": "/no/such/ca.pem"}, "No such file"),
    ],
)
def test_a_property_that_cannot_work_is_told(properties: dict[str, str], told: str) -> None:
    with pytest.raises(Configuration, match=told):
        ConfluentRegistry("http://a:1", TopicSet("t"), properties)


def test_credentials_given_twice_are_told_without_showing_them() -> None:
    with pytest.raises(Configuration, match="correct them") as raised:
        ConfluentRegistry("http://me:secret@a:1", TopicSet("t"), {"basic.auth.user.info": "you:other"})
    assert "secret" not in str(raised.value)
    assert "other" not in str(raised.value)

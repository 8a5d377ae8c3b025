"""Whatever others wrote into headers and keys, and whatever a registry answers: told, and never another error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any

import pytest

pytest.importorskip("confluent_kafka.schema_registry", reason="the extra `registry` is not installed")

from confluent_kafka import TIMESTAMP_CREATE_TIME
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # httpx2 where that is what the client has
from hypothesis import given
from hypothesis import strategies as st

from llm_orchestrator_state.client.reading.rejections import rejected_in
from llm_orchestrator_state.client.rejections.reading import parse_address
from llm_orchestrator_state.client.rejections.record import redriven_id, rejection_of
from llm_orchestrator_state.errors import Configuration, Connection, StateError, TopicMismatch
from llm_orchestrator_state.kafka.headers import number, source_offset
from llm_orchestrator_state.kafka.registry import ConfluentRegistry
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.wire.framing import UnknownSchema
from llm_orchestrator_state.wire.schemas import current
from tests.unit.fuzz import fuzzed
from tests.unit.strategies import json_values

# --- headers and keys ------------------------------------------------------------------------------------------------

NAMES = ["code", "detail", "source-topic", "source-partition", "source-offset", "event-id", "sha256", "other"]
header_values = (
    st.none()
    | st.binary(max_size=20)
    | st.integers(-(2**70), 2**70).map(lambda n: b"%d" % n)
    | st.sampled_from([b"1" * 5000, "١٢".encode(), "²".encode(), b"+1", b" 1", b"1_0", b"\xff", b"applied", b"fenced"])
)
headers = st.none() | st.lists(st.tuples(st.sampled_from(NAMES), header_values), max_size=9)


class Told:
    """A record as the client gives it."""

    def __init__(self, key: bytes | None, value: bytes | None, given: Any) -> None:
        self._key, self._value, self._headers = key, value, given

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Any:
        return self._headers

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_CREATE_TIME, 5

    def topic(self) -> str:
        return "t.rejections"

    def error(self) -> None:
        return None

    def __len__(self) -> int:
        return len(self._value or b"")


@fuzzed
@given(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=40), headers)
def test_fuzz_any_headers_make_a_rejection_that_can_be_shown(
    key: bytes | None, value: bytes | None, given: Any
) -> None:
    told = Told(key, value, given)
    found = rejection_of(told)
    redriven_id(found)
    assert found.address is None or min(found.address) >= 0
    assert min(rejected_in([told])) >= -1
    assert source_offset(given) >= -1


@pytest.mark.parametrize("text", ["", "-1", "1_0", " 1", "²", "\u0661", "9" * 20, "9" * 5000])
def test_what_is_no_number_as_we_write_them_is_none(text: str) -> None:
    assert number(text) is None
    assert parse_address(f"{text}:1") is parse_address(f"1:{text}") is None


# --- answers of a registry -------------------------------------------------------------------------------------------

ids: st.SearchStrategy[Any] = st.integers(-(2**40), 2**40) | st.sampled_from(
    ["1", None, 1.5, True, [], {}, 2**32, 2**32 - 1]
)
schema_texts = json_values.map(json.dumps) | st.sampled_from(
    ["", "{", "[" * 5000, "nonsense", '"string"', json.dumps(current("TransitionEvent"))]
)
replies = (
    st.fixed_dictionaries(
        {},
        optional={"id": ids, "schema": schema_texts | json_values, "schemaType": st.sampled_from(["AVRO", "JSON", None, 7]),
                  "version": ids, "subject": json_values, "references": json_values, "compatibilityLevel": json_values,
                  "error_code": ids, "message": json_values, "metadata": json_values, "ruleSet": json_values, "guid": json_values},
    )
    | json_values
).map(json.dumps)  # fmt: skip
bodies = replies | st.sampled_from(["", "<html>", "[" * 5000, "nul", "\ud83d\ude00"]) | st.text(max_size=20)


@cache
def asked() -> tuple[ConfluentRegistry, dict[str, Any], Iterator[int]]:
    """A registry, the answer that it gets to everything, and ids that it was not asked for."""
    made = ConfluentRegistry("http://registry:8081", TopicSet("t"), monotonic=lambda: 0.0)
    answer: dict[str, Any] = {}
    rest = made._client._client._rest_client
    rest.session.close()
    rest.session = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(**answer)))
    return made, answer, count(1)


@fuzzed
@given(st.sampled_from([200, 200, 200, 204, 401, 404, 409, 422, 500]), bodies)
def test_fuzz_whatever_a_registry_answers_it_is_a_schema_an_id_or_an_error_of_ours(status: int, body: str) -> None:
    registry, answer, fresh = asked()
    answer |= {"status_code": status, "content": body.encode(errors="replace")}
    with suppress(UnknownSchema, Connection, Configuration):
        registry.schema_of(next(fresh))
    with suppress(Connection, Configuration, TopicMismatch):
        schema = {"type": "record", "name": f"R{next(fresh)}", "fields": []}
        assert 0 <= registry.id_of("TransitionEvent", schema) < 2**32
    with suppress(StateError):
        registry.registered("WorkflowState", schema)
    with suppress(StateError):
        registry.level("Checkpoint")

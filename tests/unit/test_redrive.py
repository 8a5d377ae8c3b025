from __future__ import annotations

import json
import uuid
from typing import Any, NamedTuple

import pytest

from llm_orchestrator_state.client.rejections.differences import differences
from llm_orchestrator_state.client.rejections.explanations import explanation
from llm_orchestrator_state.client.rejections.outlook import Outlook, Planned, plan
from llm_orchestrator_state.client.rejections.present import Present
from llm_orchestrator_state.client.rejections.reading import Wanted, _linked, parse_address
from llm_orchestrator_state.client.rejections.record import Address, Origin, Rejection, redriven_id, rejection_of
from llm_orchestrator_state.engine.outputs import rejection_record
from llm_orchestrator_state.model.records import StateRecord
from llm_orchestrator_state.model.verdicts import Code
from llm_orchestrator_state.model.verdicts import Rejection as Why
from llm_orchestrator_state.testing import InMemoryPipeline
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.jsonlines import parse_line

CODEC = Codec()
RUN = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"


def line(kind: str, run_id: str = RUN, **fields: object) -> dict[str, object]:
    if kind == "workflow_created":
        fields = {"workflow_id": "triage", "workflow_name": "Triage", **fields}
    return {
        "run_id": run_id,
        "type": kind,
        "occurred_at": "2026-01-05T09:30:00Z",
        "event_id": str(uuid.uuid4()),
        **fields,
    }


def rejected(event: dict[str, object], offset: int = 5, code: Code = Code.ILLEGAL_TRANSITION) -> Rejection:
    record = parse_line(json.dumps(event))
    return Rejection(
        code=code, detail="", address=Address(0, offset), record=Address(0, offset), source_topic="llm.events",
        event_id=record["event_id"], run_id=record["run_id"], key=record["run_id"].encode(), rejected_at=0,
        body=CODEC.encode_event(record), sha256=None,
    )  # fmt: skip


def state_after(*events: dict[str, object]) -> StateRecord | None:
    pipeline = InMemoryPipeline()
    for each in events:
        pipeline.publish(each)
    state = pipeline.state(RUN)
    return None if state is None else state.to_record()


def planned(*chosen: Rejection, after: tuple[dict[str, object], ...] = ()) -> list[Planned]:
    return list(plan(chosen, CODEC, {RUN.encode(): Present(state_after(*after), 4)}, "step"))


BEGUN = (line("workflow_created"), line("workflow_started"))
RETRIED = (
    *BEGUN,
    line("step_started", step_id="a", attempt=1),
    line("step_failed", step_id="a", attempt=1, error="no"),
    line("step_started", step_id="a", attempt=2),
)


# --- the id -----------------------------------------------------------------------------------------------------------


def test_a_rejection_is_always_published_again_under_the_same_id_and_every_one_under_another() -> None:
    event = line("workflow_paused")
    again = redriven_id(rejected(event, 5))
    assert again == redriven_id(rejected(event, 5))
    assert str(uuid.UUID(again)) == again
    assert len({again, redriven_id(rejected(event, 6)), redriven_id(rejected(line("workflow_paused"), 5))}) == 3


def test_a_try_that_was_rejected_too_is_the_same_event_as_the_first() -> None:
    first = rejected(line("workflow_paused"), 5)
    again = redriven_id(first)
    second = first._replace(event_id=again, address=Address(0, 9))
    linked = _linked([first, second, second._replace(address=Address(0, 12))])
    assert [each.redriven_from for each in linked] == [None, *[Origin(Address(0, 5), first.event_id or "")] * 2]
    assert {redriven_id(each) for each in linked} == {again}


def test_what_is_chosen_with_its_later_try_is_published_once() -> None:
    first = rejected(line("workflow_paused"), 5)
    second = first._replace(event_id=redriven_id(first), redriven_from=Origin(Address(0, 5), first.event_id or ""))
    assert len(planned(first, second, after=BEGUN)) == 1


# --- the outlook ------------------------------------------------------------------------------------------------------


def test_what_the_run_allows_now_would_be_applied_under_the_new_id() -> None:
    rejection = rejected(line("workflow_paused"))
    assert planned(rejection, after=BEGUN) == [
        Planned(rejection._replace(body=None), Outlook.APPLIED, redriven_id(rejection))
    ]


def test_one_event_makes_way_for_the_next() -> None:
    chosen = [rejected(each, n) for n, each in enumerate([*BEGUN, line("workflow_paused"), line("workflow_paused")])]
    assert [each.outlook for each in planned(*chosen)] == [*[Outlook.APPLIED] * 3, Outlook.REJECTED]


@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [
        (line("workflow_paused", fencing_token=3), Code.FENCED, "only grows"),
        (line("step_completed", step_id="a", attempt=1), Code.STALE_ATTEMPT, "judged by its attempt, whatever its id"),
        (line("workflow_paused", expected_version=1), Code.VERSION_CONFLICT, "versions only grow"),
    ],
    ids=["fenced", "stale attempt", "version conflict"],
)
def test_what_the_run_can_never_take_any_more_is_refused(event: dict[str, object], code: Code, reason: str) -> None:
    [found] = planned(rejected(event), after=(*RETRIED, line("step_heartbeat", step_id="a", fencing_token=4)))
    assert (found.outlook, found.code, found.event_id) == (Outlook.REFUSED, code, None)
    assert reason in found.reason


def test_a_version_that_the_run_may_still_reach_is_not_refused() -> None:
    [found] = planned(rejected(line("workflow_paused", expected_version=9)), after=BEGUN)
    assert (found.outlook, found.code) == (Outlook.REJECTED, Code.VERSION_CONFLICT)


def test_what_has_been_applied_since_is_a_duplicate_under_either_id() -> None:
    event = line("context_updated", patch={"a": 1})
    rejection = rejected(event)
    redriven = {**event, "event_id": redriven_id(rejection)}
    assert [each.outlook for each in planned(rejection, after=(*BEGUN, event))] == [Outlook.DUPLICATE]
    assert [each.outlook for each in planned(rejection, after=(*BEGUN, redriven))] == [Outlook.DUPLICATE]


def test_a_step_event_is_a_duplicate_by_its_attempt_whatever_its_id() -> None:
    failed = line("step_failed", step_id="a", attempt=1, error="no")
    [found] = planned(rejected({**failed, "event_id": str(uuid.uuid4())}), after=RETRIED[:4])
    assert found.outlook is Outlook.DUPLICATE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body": b"no event"}, "still cannot be read"),
        ({"body": b"\xc3\x01" + b"12345678"}, "its schema is still unknown"),
        ({"body": None}, "still cannot be read"),
        ({"body": None, "sha256": "ab"}, "the event log no longer has it"),
        ({"key": b"another"}, "its key is not its run id"),
    ],
    ids=["bytes", "schema", "empty", "left out", "key"],
)
def test_what_is_wrong_by_itself_is_refused(change: dict[str, Any], reason: str) -> None:
    [found] = planned(rejected(line("workflow_paused"))._replace(**change), after=BEGUN)
    assert found.outlook is Outlook.REFUSED
    assert reason in found.reason


def test_an_invalid_payload_is_refused_with_what_is_wrong() -> None:
    record = {
        **parse_line(json.dumps(line("context_updated", patch={}))),
        "transition": ("ContextUpdated", {"patch": "{"}),
    }
    [found] = planned(rejected(line("workflow_paused"))._replace(body=CODEC.encode_event(record)), after=BEGUN)
    assert found.outlook is Outlook.REFUSED
    assert "still invalid (patch: " in found.reason


# --- reading ----------------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """A message, as confluent-kafka has it."""

    the_key: bytes | None
    the_value: bytes | None
    the_headers: Any
    the_offset: int = 5

    def key(self) -> bytes | None:
        return self.the_key

    def value(self) -> bytes | None:
        return self.the_value

    def headers(self) -> Any:
        return self.the_headers

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self.the_offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_767_605_400_123

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "llm.events"

    def __len__(self) -> int:
        return len(self.the_value or b"")


def test_a_rejection_is_read_as_the_processor_writes_it() -> None:
    record = parse_line(json.dumps(line("workflow_paused")))
    body = CODEC.encode_event(record)
    written = rejection_record("llm.events", Record(RUN.encode(), body, None), record, Why(Code.FENCED, "é no"))
    found = rejection_of(Record(written.key, written.value, written.headers, 99))
    assert found == Rejection(
        code="fenced", detail="é no", address=Address(3, 5), record=Address(3, 99), source_topic="llm.events",
        event_id=record["event_id"], run_id=RUN, key=RUN.encode(), rejected_at=1_767_605_400_123_000, body=body, sha256=None,
    )  # fmt: skip
    assert str(found.address) == "3:5"


def test_a_record_of_somebody_else_is_read_as_far_as_it_goes() -> None:
    found = rejection_of(Record(b"\xff", None, [("source-offset", b"x"), ("code", b"newer_code")]))
    assert (found.code, found.address, found.run_id) == ("newer_code", None, "\ufffd")
    assert redriven_id(found) is None


@pytest.mark.parametrize("text", ["", "3", ":", "3:", ":4", "3:4:5", "-1:4", "3:٤", RUN])
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse_address(text) is None
    assert parse_address("3:1042") == Address(3, 1042)


def test_filters_restrict_by_name_code_run_and_time() -> None:
    one = rejected(line("workflow_paused"))._replace(rejected_at=100)
    for wanted in (
        Wanted(),
        Wanted(named=frozenset([Address(0, 5)])),
        Wanted(named=frozenset([one.event_id or ""])),
        Wanted(code=Code.ILLEGAL_TRANSITION, run_id=RUN, since=100),
    ):
        assert wanted.allows(one)
    for wanted in (
        Wanted(named=frozenset([Address(0, 6)])),
        Wanted(code=Code.FENCED),
        Wanted(run_id=str(uuid.uuid4())),
        Wanted(since=101),
    ):
        assert not wanted.allows(one)


# --- explaining -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", Code)
def test_every_code_has_an_explanation_and_advice(code: Code) -> None:
    assert explanation(code).why.endswith(".")
    assert explanation(code.value).advice.endswith(".")
    assert explanation(code) != explanation("newer_code")


def test_differences_are_by_field_and_step_and_what_is_only_in_one_is_whole() -> None:
    then = state_after(*BEGUN, line("step_started", step_id="a", attempt=1))
    now = state_after(
        *BEGUN,
        line("step_started", step_id="a", attempt=1),
        line("step_completed", step_id="a", attempt=1),
        line("step_started", step_id="b", attempt=1),
    )
    found = {each.field: (each.then, each.now) for each in differences(then, now)}
    assert found["steps.a.status"] == ("running", "completed")
    assert found["version"] == (3, 5)
    assert found["steps.b"][0] is None
    assert found["steps.b"][1]["status"] == "running"
    assert "status" not in found
    assert differences(then, then) == differences(None, None) == []
    assert {each.field: each.now for each in differences(then, None)}["status"] is None

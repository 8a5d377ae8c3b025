"""Bad input: each is a rejection with a code and the raw bytes, and the partition goes on."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import pytest

from llm_orchestrator_state.engine.outputs import MAX_KEY_BYTES, MAX_REJECTION_BYTES
from llm_orchestrator_state.kafka.properties import MAX_EVENT_BYTES
from llm_orchestrator_state.model.limits import MAX_INSTANT, MIN_INSTANT
from llm_orchestrator_state.model.verdicts import Code
from llm_orchestrator_state.wire.codec import Codec
from tests.unit.partition import KEY, TOPIC, Partition, header
from tests.unit.records import OTHER_RUN, RUN, event, state, step
from tests.unit.versions import FakeRegistry, confluent, newer_event, written

CODEC = Codec()
GOOD = event("StepCompleted", outputs='{"a":1}')
GOOD_BYTES = CODEC.encode_event(GOOD)


def encoded(kind: str, **fields: Any) -> bytes:
    return CODEC.encode_event(event(kind, **fields))


BAD: dict[str, tuple[bytes | None, bytes | None, str]] = {
    # what is wrong: key, value, code
    "truncated Avro": (KEY, GOOD_BYTES[:-3], "undecodable"),
    "only the framing": (KEY, GOOD_BYTES[:10], "undecodable"),
    "half of the framing": (KEY, GOOD_BYTES[:6], "undecodable"),
    "bytes behind the event": (KEY, GOOD_BYTES + b"\0", "undecodable"),
    "an unknown fingerprint": (KEY, b"\xc3\x01" + b"12345678" + GOOD_BYTES[10:], "unknown_schema"),
    "a registry's framing": (KEY, b"\0\0\0\0\1" + GOOD_BYTES[10:], "unknown_schema"),
    "random bytes": (KEY, Random(1).randbytes(300), "undecodable"),
    "JSON": (KEY, b'{"type":"workflow_started"}', "undecodable"),
    "an empty value": (KEY, b"", "undecodable"),
    "a null value": (KEY, None, "undecodable"),
    "an unknown kind": (KEY, GOOD_BYTES[:10] + CODEC.encode_event(event("WorkflowDeleted"))[10:-1] + b"\x7e",
                        "undecodable"),
    "a null key": (None, GOOD_BYTES, "key_mismatch"),
    "an empty key": (b"", GOOD_BYTES, "key_mismatch"),
    "a key that is no UUID": (b"order-7", GOOD_BYTES, "key_mismatch"),
    "a key that is no text": (b"\xff\xfe\0", GOOD_BYTES, "key_mismatch"),
    "another run's key": (OTHER_RUN.encode(), GOOD_BYTES, "key_mismatch"),
    "the run's key in upper case": (KEY.upper(), GOOD_BYTES, "key_mismatch"),
    "the run's key as 16 bytes": (bytes.fromhex(RUN.replace("-", "")), GOOD_BYTES, "key_mismatch"),
    "a run id that is no UUID": (b"order-7", encoded("WorkflowStarted", run="order-7"), "invalid_payload"),
    "an event id that is no UUID": (KEY, encoded("WorkflowStarted", id="event 7 \n € " * 20), "invalid_payload"),
    "invalid JSON": (KEY, encoded("StepCompleted", outputs='{"a":'), "invalid_payload"),
    "nested JSON": (KEY, encoded("StepCompleted", outputs="[" * 129 + "]" * 129), "invalid_payload"),
    "endlessly nested JSON": (KEY, encoded("StepCompleted", outputs="[" * 2_000_000), "invalid_payload"),
    "a date after the year 9999": (KEY, encoded("StepCompleted", at=MAX_INSTANT + 1), "invalid_payload"),
    "a date before the year 1": (KEY, encoded("StepCompleted", at=MIN_INSTANT - 1), "invalid_payload"),
    "attempt 0": (KEY, encoded("StepCompleted", attempt=0), "invalid_payload"),
    "negative usage": (KEY, encoded("StepCompleted", usage={"in": -1}), "invalid_payload"),
    "a state of an unknown status": (KEY, encoded("WorkflowSaved", state=state("unknown")), "invalid_payload"),
    "a state with an output that is gone": (
        KEY,
        encoded("WorkflowSaved", state=state("running", step(outputs_ref={"n": 1, "bytes": 1, "sha256": b"", "born": 0}))),
        "invalid_payload",
    ),
    "a run that exists": (KEY, encoded("WorkflowCreated"), "run_exists"),
    "a run that does not exist": (OTHER_RUN.encode(), encoded("WorkflowStarted", run=OTHER_RUN), "unknown_run"),
    "a start that came already": (KEY, encoded("WorkflowStarted"), "illegal_transition"),
    "an old attempt": (KEY, encoded("StepStarted", step_id="running", attempt=1), "stale_attempt"),
    "an old token": (KEY, encoded("StepStarted", token=1), "fenced"),
    "an old version": (KEY, encoded("StepStarted", expected=1), "version_conflict"),
}  # fmt: skip


def begun(**given: Any) -> Partition:
    partition = Partition(**given)
    partition.settle(event("WorkflowCreated", token=5), event("WorkflowStarted"),
                     event("StepStarted", step_id="running", attempt=2))  # fmt: skip
    return partition


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_rejected_with_a_code_and_its_bytes_and_changes_nothing(what: str) -> None:
    key, value, code = BAD[what]
    partition = begun()
    before = list(partition.store.items())
    partition.append(key, value)
    partition.judge()
    changes = partition.commit()
    assert (changes.states, changes.checkpoints) == ([], [])
    (record,) = changes.rejections
    assert (record.key, record.value) == (key, value)
    assert header(record, "code") == code
    assert list(partition.store.items()) == before


@pytest.mark.parametrize("what", BAD)
def test_a_rejections_headers_say_what_and_where_and_are_ascii(what: str) -> None:
    key, value, code = BAD[what]
    partition = begun()
    partition.append(key, value)
    partition.judge()
    (record,) = partition.commit().rejections
    assert (header(record, "source-topic"), header(record, "source-partition"), header(record, "source-offset")) == (
        TOPIC, "0", "3",
    )  # fmt: skip
    assert header(record, "detail")
    assert "\n" not in header(record, "detail")
    names = [name for name, _ in record.headers]
    assert ("event-id" in names) is (code not in ("undecodable", "unknown_schema"))
    assert all(text.isascii() for name, text in record.headers if name != "detail")
    assert all(len(text) <= 1024 for _, text in record.headers)


def test_the_partition_goes_on_after_all_of_them() -> None:
    partition = begun()
    for key, value, _ in BAD.values():
        partition.append(key, value)
        partition.publish(event("WorkflowResumed"))
    partition.judge()
    partition.commit()
    now = partition.state()
    assert now is not None
    assert now["version"] == 3 + len(BAD)
    assert partition.codes() == [code for _, _, code in BAD.values()]


def test_every_code_but_the_one_for_size_and_place_is_tried_here() -> None:
    others = {Code.STATE_TOO_LARGE, Code.WRONG_PARTITION}
    assert {code for _, _, code in BAD.values()} == {code.value for code in set(Code) - others}


def test_the_event_id_is_told_where_it_could_be_read() -> None:
    partition = begun()
    partition.settle(event("WorkflowStarted", id="ABCDEF00-0000-4000-8000-00000000000A"))
    assert header(partition.rejections[0], "event-id") == "ABCDEF00-0000-4000-8000-00000000000A"


def test_an_unknown_kind_of_a_newer_publisher_is_rejected_by_name() -> None:
    newer = newer_event()
    partition = begun(codec=Codec(FakeRegistry({7: newer})))
    value = confluent(7, written(newer, {**GOOD, "transition": ("StepTeleported", {"step_id": "a"})}))
    partition.append(KEY, value)
    partition.judge()
    (record,) = partition.commit().rejections
    assert (header(record, "code"), record.value) == ("unknown_schema", value)
    assert header(record, "detail").startswith("StepTeleported is newer")


def test_a_rejection_of_a_run_that_changed_in_the_commit_moves_its_source_offset() -> None:
    partition = begun()
    partition.publish(event("WorkflowResumed"))
    partition.append(KEY, b"garbage")
    partition.judge()
    assert header(partition.commit().states[0], "source-offset") == "4"


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_the_largest_event_that_the_topic_takes_is_rejected_with_its_body() -> None:
    partition = begun()
    value = GOOD_BYTES[:10] + Random(1).randbytes(MAX_EVENT_BYTES - 10 - len(KEY))
    partition.append(KEY, value)
    partition.judge()
    (record,) = partition.commit().rejections
    assert record.value == value
    assert [name for name, _ in record.headers].count("sha256") == 0


@pytest.mark.parametrize(("more", "kept"), [(0, True), (1, False)])
def test_a_rejection_that_does_not_fit_has_a_hash_in_place_of_its_body(more: int, kept: bool) -> None:
    partition = begun()
    value = b"\1" * (MAX_REJECTION_BYTES - len(KEY) + more)
    partition.append(KEY, value)
    partition.judge()
    (record,) = partition.commit().rejections
    if kept:
        assert record.value == value
    else:
        assert (record.value, header(record, "sha256")) == (None, hashlib.sha256(value).hexdigest())
        assert (header(record, "code"), header(record, "source-offset")) == ("undecodable", "3")


@pytest.mark.parametrize(("size", "kept"), [(MAX_KEY_BYTES, True), (MAX_KEY_BYTES + 1, False), (5_000_000, False)])
def test_a_key_that_cannot_be_ours_is_kept_only_while_it_is_short(size: int, kept: bool) -> None:
    partition = begun()
    key = b"k" * size
    partition.append(key, GOOD_BYTES)
    partition.judge()
    (record,) = partition.commit().rejections
    assert (record.key, record.value) == (key if kept else None, GOOD_BYTES)
    assert header(record, "code") == "key_mismatch"


# --- which reason comes first ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (b"no uuid", GOOD_BYTES[:-1], "undecodable"),
        (b"no uuid", encoded("StepCompleted", attempt=0), "invalid_payload"),
        (b"no uuid", encoded("WorkflowCreated"), "key_mismatch"),
        (KEY, encoded("WorkflowCreated", id="00000000-0000-4000-8000-00000000000a"), "wrong_partition"),
    ],
)
def test_what_is_wrong_with_the_record_comes_before_what_is_wrong_with_the_run(
    key: bytes, value: bytes, code: str
) -> None:
    partition = Partition(partitions=5, partition=(3 if _right() != 3 else 4))
    partition.append(key, value)
    partition.judge()
    partition.commit()
    assert partition.codes() == [code]


def _right() -> int:
    from llm_orchestrator_state.kafka.partitioner import partition_of

    return partition_of(KEY, 5)

from __future__ import annotations

import hashlib
import os
import random
import uuid
from typing import Any

import pytest
from confluent_kafka import Producer

from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.kafka.properties import MAX_EVENT_BYTES
from llm_orchestrator_state.model.limits import MAX_INSTANT, MAX_STATE_BYTES, MIN_INSTANT
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.framing import CONFLUENT, SINGLE_OBJECT
from tests.integration.agreement import assert_agreement
from tests.integration.harness import DEADLINE_S, Stage, event, headers_of, whole_run

BATCH_OVERHEAD = 61 + 30
"""A record batch's header, and what a record has besides its key and value (KIP-98), in bytes."""

Raw = tuple[bytes | None, bytes | None, str]
"""Key, value, and the code with which the record must be rejected."""


def run_on(partition: int) -> str:
    return next(run for run in map(str, iter(uuid.uuid4, None)) if partition_of(run.encode(), 2) == partition)


def changed(record: EventRecord, **fields: object) -> EventRecord:
    """The event with other values than the JSON lines form would let through."""
    kind, own = record["transition"]
    envelope = {name: fields.pop(name) for name in list(fields) if name in record}
    return {**record, **envelope, "transition": (kind, {**own, **fields})}  # type: ignore[typeddict-item]


def bad_records(stage: Stage, run_id: str) -> dict[str, Raw]:
    """For a running run."""
    key, encode = run_id.encode(), stage.codec.encode_event
    done = event(run_id, "step_completed", 5, step_id="fetch", attempt=1, outputs={"rows": 3})
    patch = event(run_id, "context_updated", 5, patch={})
    good = encode(done)
    body = good[10:]
    other = run_on(0)
    deep = "[" * 100_000 + "]" * 100_000
    start = encode(event(run_id, "workflow_started"))
    return {
        "truncated": (key, good[:-3], "undecodable"),
        "nothing but a header": (key, good[:10], "undecodable"),
        "half a header": (key, good[:5], "undecodable"),
        "bytes behind the datum": (key, good + b"\0", "undecodable"),
        "random bytes": (key, random.Random(1).randbytes(500), "undecodable"),
        "JSON": (key, b'{"type": "step_completed"}', "undecodable"),
        "empty": (key, b"", "undecodable"),
        "null": (key, None, "undecodable"),
        "null and null": (None, None, "undecodable"),
        "a string that claims an exabyte": (key, good[:10] + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x0f", "undecodable"),
        "a string of negative length": (key, good[:10] + b"\x03", "undecodable"),
        "a varint without end": (key, good[:10] + b"\xff" * 100, "undecodable"),
        "no UTF-8": (key, good.replace(b"fetch", b"fe\xffch"), "undecodable"),
        "a kind that the union does not have": (key, start[:-1] + b"\x7e", "undecodable"),
        "unknown fingerprint": (key, SINGLE_OBJECT + b"12345678" + body, "unknown_schema"),
        "framed for a registry": (key, CONFLUENT + b"\0\0\0\1" + body, "unknown_schema"),
        "null key": (None, good, "key_mismatch"),
        "empty key": (b"", good, "key_mismatch"),
        "key that is no UUID": (b"\xff\xfe", good, "key_mismatch"),
        "key of another run": (other.encode(), good, "key_mismatch"),
        "key in upper case": (run_id.upper().encode(), good, "key_mismatch"),
        "run_id that is no UUID": (b"run-1", encode(changed(done, run_id="run-1")), "invalid_payload"),
        "event_id that is no UUID": (key, encode(changed(done, event_id="1")), "invalid_payload"),
        "no JSON": (key, encode(changed(done, outputs='{"a": 1')), "invalid_payload"),
        "no JSON number": (key, encode(changed(done, outputs="NaN")), "invalid_payload"),
        "a raw control character in JSON": (key, encode(changed(patch, patch='{"a": "\1"}')), "invalid_payload"),
        "half a surrogate pair in JSON": (key, encode(changed(patch, patch='{"a": "\\ud800"}')), "invalid_payload"),
        "endlessly nested JSON": (key, encode(changed(done, outputs=deep)), "invalid_payload"),
        "a deep patch": (key, encode(changed(patch, patch='{"a":' * 129 + "1" + "}" * 129)), "invalid_payload"),
        "before the year 1": (key, encode(changed(done, occurred_at=MIN_INSTANT - 1)), "invalid_payload"),
        "after the year 9999": (key, encode(changed(done, occurred_at=MAX_INSTANT + 1)), "invalid_payload"),
        "the last instant of a long": (key, encode(changed(done, occurred_at=2**63 - 1)), "invalid_payload"),
        "attempt 0": (key, encode(changed(done, attempt=0)), "invalid_payload"),
        "negative usage": (key, encode(changed(done, usage={"tokens": -1})), "invalid_payload"),
        "negative version": (key, encode(changed(done, expected_version=-1)), "invalid_payload"),
        "a run that does not exist": (other.encode(), encode(event(other, "workflow_started")), "unknown_run"),
        "a second creation": (key, encode(event(run_id, "workflow_created", 9)), "run_exists"),
        "out of turn": (key, encode(event(run_id, "step_retried", 9, step_id="never")), "illegal_transition"),
        "another version": (key, encode(changed(patch, expected_version=99)), "version_conflict"),
    }


def test_every_bad_record_becomes_a_rejection_with_its_bytes_and_the_partition_goes_on(stage: Stage) -> None:
    run_id = run_on(0)
    first, start, *rest = whole_run(run_id)
    bad = bad_records(stage, run_id)
    stage.publish(first, start)
    where = stage.publish_raw(*((key, value) for key, value, _ in bad.values()), partition=0)
    stage.publish(*rest)
    stage.run_to_end()
    found = {headers_of(m)["source-offset"]: m for m in stage.records("rejections", 0)}
    assert len(found) == len(bad)
    codes = {
        name: headers_of(found[b"%d" % offset])["code"].decode() for name, (_, offset) in zip(bad, where, strict=True)
    }
    assert codes == {name: code for name, (_, _, code) in bad.items()}
    for (key, value, _), (_, offset) in zip(bad.values(), where, strict=True):
        rejection = found[b"%d" % offset]
        assert (rejection.key() or b"", rejection.value() or b"") == (key or b"", value or b"")
        assert 0 < len(headers_of(rejection)["detail"]) <= 1024
    [fold, _] = assert_agreement(stage, stage.stores())
    assert stage.codec.decode_state(fold.states[run_id.encode()])["status"] == "completed"


def test_a_publisher_with_another_partitioner_is_told_so(stage: Stage) -> None:
    run_id = run_on(0)
    value = stage.codec.encode_event(event(run_id, "workflow_created"))
    stage.publish_raw((run_id.encode(), value), partition=1)
    stage.run_to_end()
    [rejection] = stage.records("rejections", 1)
    assert headers_of(rejection)["code"] == b"wrong_partition"
    assert rejection.value() == value


def test_a_key_that_is_too_long_for_its_rejection_is_left_out(stage: Stage) -> None:
    value = b"what has this key"
    stage.publish_raw((os.urandom(500_000), value), partition=0)
    stage.run_to_end()
    [rejection] = stage.records("rejections", 0)
    assert (rejection.key(), rejection.value()) == (None, value)


def test_the_largest_record_that_the_topic_allows_is_rejected_with_all_its_bytes(stage: Stage) -> None:
    run_id = run_on(0)
    key = run_id.encode()
    value = os.urandom(MAX_EVENT_BYTES - BATCH_OVERHEAD - len(key))
    stage.publish_raw((key, value), partition=0)
    with pytest.raises(AssertionError, match="MSG_SIZE_TOO_LARGE"):
        stage.publish_raw((key, value + bytes(2 * BATCH_OVERHEAD)), partition=0)
    stage.publish(*whole_run(run_id))
    stage.run_to_end()
    [rejection] = stage.records("rejections", 0)
    assert rejection.value() == value
    assert_agreement(stage, stage.stores())


def test_a_record_that_was_small_only_while_compressed_is_rejected_with_its_hash(stage: Stage) -> None:
    run_id = run_on(0)
    created = event(run_id, "workflow_created", context={"text": "a" * 30_000_000})
    value = stage.codec.encode_event(created)
    producer = Producer(
        {"bootstrap.servers": stage.bootstrap, "compression.type": "lz4", "message.max.bytes": 100_000_000}
    )
    producer.produce(stage.topics.events, value, run_id.encode(), 0)
    assert producer.flush(DEADLINE_S) == 0
    stage.publish(*whole_run(run_id))
    stage.run_to_end()
    [rejection] = stage.records("rejections", 0)
    headers = headers_of(rejection)
    assert headers["code"] == b"state_too_large"
    assert headers["sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert rejection.value() is None
    assert_agreement(stage, stage.stores())


def saved(run_id: str, size: int, **fields: Any) -> EventRecord:
    """A run whose state is this large, more or less, and does not compress well."""
    state = {
        "id": run_id, "workflow_id": "triage", "workflow_name": "Triage", "status": "running",
        "started_at": "2026-01-05T00:00:00Z", "updated_at": "2026-01-05T00:00:00Z",
        "context": {"text": os.urandom(size // 2).hex()}, "steps": {},
    }  # fmt: skip
    return event(run_id, "workflow_saved", 5, state=state, **fields)


def test_the_largest_state_goes_through_every_topic_and_the_rejection_of_such_an_event_fits(stage: Stage) -> None:
    run_id = run_on(0)
    largest = saved(run_id, MAX_STATE_BYTES - 1000, fencing_token=2)
    stage.publish(
        largest,
        event(run_id, "checkpoint_requested", 6, step_id="all"),
        too_old := changed(largest, event_id=str(uuid.uuid4()), fencing_token=1),
        too_large := saved(run_id, MAX_STATE_BYTES + 1000),
        event(run_id, "workflow_completed", 7),
    )
    stage.run_to_end()
    first, second = stage.records("rejections", 0)
    assert [headers_of(m)["code"] for m in (first, second)] == [b"fenced", b"state_too_large"]
    assert [m.value() for m in (first, second)] == [stage.codec.encode_event(e) for e in (too_old, too_large)]
    [fold, _] = assert_agreement(stage, stage.stores())
    state = stage.codec.decode_state(fold.states[run_id.encode()])
    assert (state["version"], state["status"]) == (3, "completed")
    assert [len(value) > MAX_STATE_BYTES - 2000 for value in stage.table("outputs", 0).values()] == [True]
    stage.run_to_end("another-machine", "w1")
    assert_agreement(stage, stage.stores("another-machine"))

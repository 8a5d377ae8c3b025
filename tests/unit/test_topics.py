from __future__ import annotations

import logging

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException

from llm_orchestrator_state import errors
from llm_orchestrator_state.kafka.failures import as_state_error, one_line
from llm_orchestrator_state.kafka.format import CheckpointPolicy, Format
from llm_orchestrator_state.kafka.logs import QuietFilter
from llm_orchestrator_state.kafka.properties import (
    CONSUMER,
    MAX_EVENT_BYTES,
    MAX_OUTPUT_BYTES,
    PRODUCER,
    RESERVED,
    with_pass_through,
)
from llm_orchestrator_state.kafka.topic_settings import DAY_MS, SETTINGS, Setting
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.model import limits
from llm_orchestrator_state.model.limits import INLINE_LIMIT
from llm_orchestrator_state.settings import LONGEST_PREFIX
from llm_orchestrator_state.settings_sources import load


def setting(role: str, name: str) -> Setting:
    (found,) = [row for row in SETTINGS[role] if row.name == name]
    return found


def test_topics_are_named_after_their_prefix() -> None:
    topics = TopicSet("llm")
    assert list(topics.names().values()) == [
        topics.events,
        topics.state,
        topics.checkpoints,
        topics.outputs,
        topics.rejections,
        topics.meta,
    ]
    assert topics.checkpoints == "llm.checkpoints"


@pytest.mark.parametrize("prefix", ["", "with space", "schräg", "a/b", "line\n", "x" * 238])
def test_a_prefix_that_kafka_does_not_allow_is_refused(prefix: str) -> None:
    with pytest.raises(errors.Configuration, match="needed"):
        TopicSet(prefix)


def test_the_longest_prefix_gives_kafkas_longest_topic_name_and_is_the_settings_too() -> None:
    longest = "x" * LONGEST_PREFIX
    assert max(len(name) for name in TopicSet(longest).names().values()) == 249
    assert load([("topic_prefix", longest)], environ={"HOME": "/"}).topic_prefix == longest
    with pytest.raises(errors.Configuration, match=f"1 to {LONGEST_PREFIX}"):
        load([("topic_prefix", f"{longest}x")], environ={"HOME": "/"})


@pytest.mark.parametrize("role", ["state", "checkpoints", "outputs", "meta"])
def test_compacted_topics_keep_tombstones_for_a_day(role: str) -> None:
    assert setting(role, "cleanup.policy").value == "compact"
    assert int(setting(role, "delete.retention.ms").value) >= DAY_MS
    assert not setting(role, "delete.retention.ms").allows(str(DAY_MS - 1))
    assert setting(role, "delete.retention.ms").allows(str(2 * DAY_MS))


@pytest.mark.parametrize(("role", "kept_ms"), [("events", -1), ("rejections", 90 * DAY_MS)])
def test_events_are_kept_for_ever_and_rejections_for_90_days_unless_somebody_says_otherwise(
    role: str, kept_ms: int
) -> None:
    assert setting(role, "cleanup.policy").value == "delete"
    assert not setting(role, "cleanup.policy").allows("compact,delete")
    assert setting(role, "retention.ms").value == str(kept_ms)
    assert setting(role, "retention.ms").allows("604800000")


def test_the_rejection_of_the_largest_event_fits_its_topic_and_the_producer() -> None:
    event = int(setting("events", "max.message.bytes").value)
    assert event == MAX_EVENT_BYTES == limits.MAX_STATE_BYTES + 64 * 1024
    for role in ("checkpoints", "outputs", "rejections"):
        assert int(setting(role, "max.message.bytes").value) >= event + 64 * 1024
    assert int(PRODUCER["message.max.bytes"]) >= event + 64 * 1024
    assert int(CONSUMER["message.max.bytes"]) >= MAX_OUTPUT_BYTES


@pytest.mark.parametrize("checkpoints", ["step", "requested", "off"])
def test_the_format_is_read_as_it_was_written(checkpoints: CheckpointPolicy) -> None:
    made = Format.current(7, checkpoints)
    assert Format.from_json(made.to_json()) == made
    assert made.mismatches() == []
    assert made.inline_limit == INLINE_LIMIT


def test_the_format_is_json_that_people_can_read() -> None:
    assert msgspec.json.decode(Format.current(2).to_json()) == {
        "partitions": 2,
        "checkpoints": "step",
        "window": 32,
        "kept_checkpoints": 10,
        "max_state_bytes": 8 * 1024 * 1024,
        "max_json_depth": 128,
        "inline_limit": 16 * 1024,
        "rebuilt_from": None,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("window", 64), ("kept_checkpoints", 11), ("max_state_bytes", 1), ("max_json_depth", 64), ("inline_limit", 16385)],
)
def test_constants_of_another_version_are_told(name: str, value: int) -> None:
    other = msgspec.structs.replace(Format.current(2), **{name: value})
    (line,) = other.mismatches()
    assert f"found {name}={value}" in line
    assert "another version" in line


@pytest.mark.parametrize("limit", [None, INLINE_LIMIT])
def test_topic_sets_with_and_without_outputs_that_go_out_can_be_used(limit: int | None) -> None:
    assert msgspec.structs.replace(Format.current(2), inline_limit=limit).mismatches() == []


def test_a_format_that_was_recorded_without_a_limit_keeps_everything_inline() -> None:
    recorded = msgspec.json.decode(Format.current(2).to_json())
    del recorded["inline_limit"]
    assert Format.from_json(msgspec.json.encode(recorded)).inline_limit is None


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[]", b'{"partitions": 2}', Format.current(2).to_json()[:-1] + b',"x":1}']
)
def test_a_format_that_is_not_understood_is_not_guessed_at(text: bytes) -> None:
    with pytest.raises(errors.TopicMismatch, match="another version"):
        Format.from_json(text)


def test_properties_that_are_passed_through_win() -> None:
    assert with_pass_through(PRODUCER, "broker:9092", {"linger.ms": "1", "sasl.username": "me"}) | {} == {
        **with_pass_through(PRODUCER, "broker:9092", {}),
        "linger.ms": "1",
        "sasl.username": "me",
    }


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_properties_that_exactly_once_rests_on_are_refused(name: str) -> None:
    with pytest.raises(errors.Configuration, match=name):
        with_pass_through({}, "broker:9092", {name: "x"})


def test_an_empty_address_is_refused() -> None:
    with pytest.raises(errors.Configuration, match="bootstrap_servers is empty"):
        with_pass_through({}, " ", {})


def test_a_failure_is_told_without_librdkafkas_ornaments() -> None:
    error = KafkaError(
        KafkaError._RESOLVE, "sasl_ssl://h:1/bootstrap: Failed to resolve 'h:1': unknown (after 1ms in state CONNECT)"
    )
    assert one_line(error) == "Failed to resolve 'h:1': unknown"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, errors.NotAllowed),
        (KafkaError._TIMED_OUT, errors.Connection),
        (KafkaError.POLICY_VIOLATION, errors.Configuration),
    ],
)
def test_a_failures_class_says_who_must_act(code: int, kind: type[errors.StateError]) -> None:
    failure = as_state_error(KafkaException(KafkaError(code, "why")), "creating topic x")
    assert type(failure) is kind
    assert str(failure).startswith("creating topic x")


def test_librdkafkas_repetitions_are_logged_once() -> None:
    quiet = QuietFilter()

    def passes(line: str) -> bool:
        return bool(quiet.filter(logging.LogRecord("x", logging.ERROR, "", 0, line, None, None)))

    line = "FAIL [llm#producer-{}] [thrd:b]: b/1: Connect failed: refused (after {}ms in state CONNECT)"
    assert passes(line.format(1, 0))
    assert not passes(line.format(2, 17))
    assert passes(line.format(1, 0).replace("refused", "no route"))
    assert not passes(
        "CONFWARN [x]: Configuration property linger.ms is a producer property and will be ignored by this"
    )

"""Whatever text is given: what it says, or an error of ours; in work and memory that its length bounds."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orchestrator_state.errors import InvalidState, Serialization, TopicMismatch
from llm_orchestrator_state.kafka.format import Format
from llm_orchestrator_state.model.form_reading import read_checkpoint, read_state, read_step
from llm_orchestrator_state.model.form_writing import write_checkpoint, write_state
from llm_orchestrator_state.model.json_objects import json_object
from llm_orchestrator_state.model.json_values import json_problem, merge_patch
from llm_orchestrator_state.model.limits import MAX_JSON_DEPTH
from llm_orchestrator_state.model.payload import payload_problem
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.jsonlines import parse_line
from llm_orchestrator_state.wire.line_writing import format_record
from tests.unit.fuzz import CHECKPOINTS, EVENTS, STATES, bounded, damaged, fuzzed
from tests.unit.strategies import json_values

CODEC = Codec()
LINES = [format_record(event) for event in map(CODEC.decode_event, EVENTS) if payload_problem(event) is None]
FORMS = [write_state(CODEC.decode_state(state)) for state in STATES]
STEPS = [json.dumps(step).encode() for form in FORMS for step in json.loads(form)["steps"].values()]
CHECKPOINT_FORMS = [write_checkpoint(CODEC.decode_checkpoint(each)) for each in CHECKPOINTS]
VALUES = [b'{"a":{"b":[1,2.50,{"c":null}]},"d":"\\u00e9\\ud83d\\ude00"}', b"[[[[1e400]]]]", b'"text"', b"-0.0", b"{}"]


@fuzzed
@given(damaged(LINES))
def test_fuzz_a_line_is_an_event_that_can_be_written_or_it_is_refused_in_one_line(line: bytes) -> None:
    try:
        found = bounded(len(line), lambda: parse_line(line))
    except Serialization as refused:
        reason = str(refused)
        assert len(reason.splitlines()) == 1
        return
    assert CODEC.decode_event(CODEC.encode_event(found)) == found
    assert parse_line(format_record(found)) == found


@fuzzed
@given(damaged(FORMS), damaged(STEPS), damaged(CHECKPOINT_FORMS))
def test_fuzz_the_json_forms_are_read_or_refused(state: bytes, step: bytes, checkpoint: bytes) -> None:
    with suppress(Serialization):
        found = bounded(len(state), lambda: read_state(state))
        assert CODEC.decode_state(CODEC.encode_state(found)) == found
    with suppress(Serialization):
        bounded(len(step), lambda: read_step(step))
    with suppress(Serialization):
        bounded(len(checkpoint), lambda: read_checkpoint(checkpoint))


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


@fuzzed
@given(damaged(VALUES).map(_text), damaged(VALUES).map(_text))
def test_fuzz_what_passes_the_check_of_json_can_be_merged_shown_and_read(target: str, patch: str) -> None:
    size = len(target) + len(patch)
    problems = [bounded(len(text), lambda text=text: json_problem(text)) for text in (target, patch)]  # type: ignore[misc] # a lambda's default
    if problems == [None, None]:
        merged = bounded(size, lambda: merge_patch(target, patch))
        assert json_problem(merged) is None
        for text in (target, patch, merged):
            with suppress(Serialization):  # half a surrogate pair, escaped
                bounded(size, lambda text=text: json_object(text))  # type: ignore[misc] # as above


DEEP = MAX_JSON_DEPTH
LONG: dict[str, str] = {
    "one number": "9" * 8_000_000,
    "one fraction": "0." + "3" * 8_000_000,
    "one exponent": "1e" + "9" * 8_000_000,
    "many numbers": "[" + ",".join(["123456789"] * 100_000) + "]",
    "one string": '"' + "x" * 8_000_000 + '"',
    "one string of escapes": '"' + "\\\\" * 4_000_000 + '"',
    "one string of surrogates": '"' + "\\ud83d\\ude00" * 600_000 + '"',
    "a string without an end": '"' + "\\" * 7_999_999,
    "brackets in a string": '"' + "[" * 8_000_000 + '"',
    "many brackets": "[" + ",".join(["[]"] * 250_000) + "]",
    "brackets without an end": "[" * 8_000_000,
    "one key again and again": "{" + ",".join(['"a":1'] * 1_300_000) + "}",
    "deep, many times": "[" + ",".join(["[" * (DEEP - 1) + "]" * (DEEP - 1)] * 3_000) + "]",
    "spaces": " " * 8_000_000 + "1",
}


@pytest.mark.parametrize("name", LONG)
def test_the_longest_texts_take_time_that_grows_with_their_length_only(name: str) -> None:
    text = LONG[name]
    began = time.process_time()
    if json_problem(text) is None:
        merged = merge_patch("{}", text)
        assert json_problem(merge_patch(merged, '{"a":{"b":1}}')) is None
    with suppress(Serialization):
        json_object(text)
    assert time.process_time() - began < 20, "the slowest takes about two seconds"


def test_a_patch_of_a_deep_object_copies_no_level_twice() -> None:
    deep = '{"a":' * (DEEP - 1) + "{" + ",".join(f'"k{n}":{n}' for n in range(5_000)) + "}" + "}" * (DEEP - 1)
    merged = bounded(2 * len(deep), lambda: merge_patch(deep, deep))
    assert merged == deep


@fuzzed
@given(damaged([Format.current(2).to_json(), Format.current(64, "off").to_json()]))
def test_fuzz_a_recorded_format_is_one_or_a_mismatch_that_says_so(recorded: bytes) -> None:
    with suppress(TopicMismatch):
        found = bounded(len(recorded), lambda: Format.from_json(recorded))
        assert found.partitions > 0
        found.mismatches()


@fuzzed
@given(json_values, st.binary(max_size=30))
def test_fuzz_any_json_value_where_an_object_is_expected_is_refused(value: Any, junk: bytes) -> None:
    for text in (json.dumps(value).encode(), json.dumps(value).encode() + junk):
        for read in (parse_line, read_state, read_step, read_checkpoint):
            with pytest.raises((Serialization, InvalidState)):
                read(text)

from __future__ import annotations

import json
import time
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_orchestrator_state.model.json_values import json_problem, merge_patch
from llm_orchestrator_state.model.limits import MAX_JSON_DEPTH

texts = st.text(st.characters(codec="utf-8"), max_size=6)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc") | texts, inner, max_size=3),
    max_leaves=8,
)
tokens = st.sampled_from(
    ["\\", '"', "u", "d8", "3c", "00", "\\u", "\\ud83d", "\\ude00", "\\udc00", ",", ":", "[", "]", "{", "}", "1", "-",
     ".", "e", "E", "+", " ", "\n", "\t", "\x00", "\x1f", "\x7f", "é", "😀", "true", "null", "fals", "/", "0"]
)  # fmt: skip
"""What JSON texts are made of: in any order they are mostly none."""


# --- what is a JSON value --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["null", "true", "0", "-0", "1.50", "1E+400", "1" * 5000, '""', '"\\u00e9\\n"', "[]", "{}", ' {"a" : [1 ] }\n']
)  # fmt: skip
def test_a_json_value_of_any_type_is_one(text: str) -> None:
    assert json_problem(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "[1,]", '{"a":1,}', '{"a"}', "{1:2}", "NaN", "Infinity", "-", "01", "1.", ".5", "+1", "0x1", "'a'",
        '"a', '"\t"', '"\\q"', '"\\u12"', "tru", "1 2", "\ufeff1", "\x00", "1\x00", "// no\n1",
    ],
)  # fmt: skip
def test_anything_else_is_none_and_the_reason_is_said(text: str) -> None:
    assert json_problem(text)


@pytest.mark.parametrize(
    "text", [r'"\ud83d"', r'"\udc00 long enough"', r'"\ud83dA"', r'{"\ud83d":1}', r'"\ude00\ud83d"']
)
def test_half_a_surrogate_pair_is_refused_as_it_is_no_text(text: str) -> None:
    assert json_problem(text)


@pytest.mark.parametrize("text", ["[" * 128 + "]" * 128, '{"a":' * 127 + "[]" + "}" * 127])
def test_a_value_may_be_nested_so_deep(text: str) -> None:
    assert json_problem(text) is None


@pytest.mark.parametrize("text", ["[" * 129 + "]" * 129, '{"a":' * 128 + "[]" + "}" * 128])
def test_and_no_deeper(text: str) -> None:
    assert json_problem(text) == f"nested deeper than {MAX_JSON_DEPTH}"


def test_many_values_side_by_side_are_not_deep() -> None:
    assert json_problem("[" + ",".join(["[{}]"] * 1000) + "]") is None


@pytest.mark.parametrize("inside", ["[" * 1000, r"\"[" * 200, r"\\\"[" * 200])
def test_brackets_inside_of_strings_are_not_nesting(inside: str) -> None:
    assert json_problem(f'{{"{inside}":"{inside}"}}') is None


@pytest.mark.parametrize("text", ["[" * 1_000_000, '{"a":' * 1_000_000, '[{"":' * 500_000])
def test_endless_nesting_is_told_like_any_other(text: str) -> None:
    assert json_problem(text) == f"nested deeper than {MAX_JSON_DEPTH}"


@pytest.mark.parametrize("inside", ["[" * 8_000_000, r"[\"" * 2_600_000])
def test_the_depth_of_a_long_text_is_measured_in_little_time_and_memory(inside: str) -> None:
    text = f'"{inside}"'
    tracemalloc.start()
    begin = time.process_time()
    assert json_problem(text) is None
    seconds, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * len(text)
    assert seconds < 2, "it took 3 s when it kept places to go back to"


@given(values)
def test_whatever_python_writes_is_a_json_value(value: Any) -> None:
    assert json_problem(json.dumps(value)) is None
    assert json_problem(json.dumps(value, ensure_ascii=False, indent=1)) is None


@given(st.lists(tokens, max_size=8).map("".join), st.booleans())
@example("\\ud83d", True)
def test_what_passes_the_check_can_be_merged_and_written(text: str, quoted: bool) -> None:
    if quoted:
        text = f'"{text}"'
    if json_problem(text) is None:
        merged = merge_patch(text, f'{{"a":{text}}}')
        assert json_problem(merged) is None
        merged.encode()


# --- merge patch -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        # RFC 7396, appendix A
        ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
        ('{"a":"b"}', '{"a":null}', "{}"),
        ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
        ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
        ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
        ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
        ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
        ('["a","b"]', '["c","d"]', '["c","d"]'),
        ('{"a":"b"}', '["c"]', '["c"]'),
        ('{"a":"foo"}', "null", "null"),
        ('{"a":"foo"}', '"bar"', '"bar"'),
        ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
        ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
        ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
    ],
)
def test_a_patch_is_merged_as_rfc_7396_says(target: str, patch: str, merged: str) -> None:
    assert merge_patch(target, patch) == merged


@pytest.mark.parametrize("number", ["1.50", "-0", "1E+400", "0.1000000000000000055511151231257827", "9" * 5000, "1e-7"])
def test_a_number_stays_as_it_was_written(number: str) -> None:
    assert merge_patch(f'{{"a":{number}}}', f'{{"b":[{number}]}}') == f'{{"a":{number},"b":[{number}]}}'


def test_the_result_is_compact_and_without_ascii_escapes() -> None:
    assert merge_patch(r'{ "\u00e9" : "\u20ac\ud83d\ude00" }', r'{"b": "\u0001\/\"\\\u007f"}') == (
        '{"é":"€😀","b":"\\u0001/\\"\\\\\x7f"}'
    )


def test_keys_keep_the_order_of_their_first_appearance() -> None:
    assert merge_patch('{"b":1,"a":2}', '{"c":3,"a":4,"b":5}') == '{"b":5,"a":4,"c":3}'


def test_of_keys_that_occur_twice_the_last_wins_in_the_place_of_the_first() -> None:
    assert merge_patch('{"a":1,"b":2,"a":3}', '{"c":1,"d":2,"c":null,"e":1,"e":9}') == '{"a":3,"b":2,"d":2,"e":9}'


def test_nulls_inside_of_lists_and_in_the_target_stay() -> None:
    assert merge_patch('{"a":null}', '{"b":[null,{"c":null}]}') == '{"a":null,"b":[null,{"c":null}]}'


@pytest.mark.parametrize("target", ["[" * 128 + "]" * 128, '{"a":' * 128 + "1" + "}" * 128])
def test_the_deepest_values_can_be_merged(target: str) -> None:
    deep = '{"a":' * 128 + "2" + "}" * 128
    assert merge_patch(target, deep) == deep


@given(values, values)
def test_a_merge_is_never_longer_than_what_it_is_made_of(target: Any, patch: Any) -> None:
    one, other = json.dumps(target), json.dumps(patch, ensure_ascii=False)
    assert len(merge_patch(one, other).encode()) <= len(one.encode()) + len(other.encode())


@given(values, values)
def test_a_merge_is_that_of_a_plain_implementation(target: Any, patch: Any) -> None:
    merged = merge_patch(json.dumps(target), json.dumps(patch))
    assert _read(merged) == _plain_merge(_read(json.dumps(target)), _read(json.dumps(patch)))


def _read(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _plain_merge(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    if not isinstance(target, dict):
        target = {}
    for name, value in patch.items():
        if value is None:
            if name in target:
                del target[name]
        else:
            target[name] = _plain_merge(target.get(name), value)
    return target

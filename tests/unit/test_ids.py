from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orchestrator_state.model.ids import checkpoint_id, is_uuid, remembers, short_id
from tests.unit.records import RUN

shorts = st.binary(min_size=8, max_size=8)


@pytest.mark.parametrize(
    "text", [RUN, RUN.upper(), "00000000-0000-0000-0000-000000000000", "6e3a5a10-c87a-11f0-9f3b-0242ac120002"]
)
def test_hyphenated_text_of_any_version_and_case_is_a_uuid(text: str) -> None:
    assert is_uuid(text)


@pytest.mark.parametrize(
    "text",
    [
        "", RUN.replace("-", ""), f"{{{RUN}}}", f"urn:uuid:{RUN}", RUN + "\n", " " + RUN, RUN[:-1], RUN + "0",
        RUN.replace("6", "g"), RUN.replace("6", "\N{ARABIC-INDIC DIGIT SIX}"), RUN.replace("-", "\N{EN DASH}"),
    ],
)  # fmt: skip
def test_any_other_text_is_none(text: str) -> None:
    assert not is_uuid(text)


@given(st.uuids())
def test_the_short_id_is_the_xor_of_the_ids_halves(event_id: uuid.UUID) -> None:
    high, low = event_id.bytes[:8], event_id.bytes[8:]
    assert short_id(str(event_id)) == bytes(a ^ b for a, b in zip(high, low, strict=True))
    assert short_id(str(event_id).upper()) == short_id(str(event_id))


def test_the_ids_that_one_process_makes_by_time_have_short_ids_of_their_own() -> None:
    ids = [str(uuid.uuid1(node=1, clock_seq=1)) for _ in range(1000)]
    assert len({short_id(event_id) for event_id in ids}) == len(set(ids))


@given(st.lists(shorts, max_size=33), shorts)
def test_a_window_remembers_exactly_its_ids(window: list[bytes], other: bytes) -> None:
    encoded = b"".join(window)
    assert all(remembers(encoded, short) for short in window)
    assert remembers(encoded, other) is (other in window)


def test_the_end_of_one_id_and_the_begin_of_the_next_are_no_id() -> None:
    window = b"aaaaaaaabbbbbbbb"
    assert not remembers(window, window[4:12])


def test_an_id_is_found_behind_bytes_that_look_like_it_across_two_others() -> None:
    window = b"xxxxaaaa" + b"aaaaxxxx" + b"aaaaaaaa"
    assert remembers(window, b"aaaaaaaa")


def test_a_checkpoints_id_is_made_of_the_run_and_the_event() -> None:
    event_id = "00000000-0000-4000-8000-00000000000a"
    assert checkpoint_id(RUN, event_id) == str(uuid.uuid5(uuid.UUID(RUN), event_id))
    assert checkpoint_id(RUN, event_id) == "f80961d7-e423-5520-8114-bc95c580026d"

"""What logs hold keeps its meaning: see golden.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_orchestrator_state.model.verdicts import Code
from llm_orchestrator_state.wire.codec import Codec
from tests.unit import golden, outputs
from tests.unit.records import FIELDS

PINNED = {
    line["name"]: bytes.fromhex(line["hex"]) for line in map(json.loads, golden.MESSAGES.read_text().splitlines())
}
LINES: list[dict[str, Any]] = [json.loads(line) for line in golden.FOLD.read_text().splitlines()]


def test_every_kind_is_pinned() -> None:
    assert {name.removesuffix(" in full") for name in PINNED} == {*FIELDS, "WorkflowState", "Checkpoint"}
    assert [line["name"] for line in golden.messages()] == list(PINNED)


@pytest.mark.parametrize("line", golden.messages(), ids=lambda line: line["name"])
def test_a_message_is_written_in_the_pinned_bytes(line: dict[str, str]) -> None:
    assert bytes.fromhex(line["hex"]) == PINNED[line["name"]]


@pytest.mark.parametrize("name", golden.examples())
def test_the_pinned_bytes_of_an_event_are_read_as_that_event(name: str) -> None:
    assert Codec().decode_event(PINNED[name]) == golden.examples()[name]


def test_the_pinned_bytes_of_a_state_and_a_checkpoint_are_read_as_these() -> None:
    codec = Codec()
    assert codec.decode_state(PINNED["WorkflowState in full"]) == golden.FULL_STATE
    assert codec.decode_checkpoint(PINNED["Checkpoint"])["snapshot"] == golden.FULL_STATE


def test_the_pinned_history_is_judged_as_it_was() -> None:
    lines, _ = golden.fold([bytes.fromhex(line["event"]) for line in LINES])
    for number, (now, then) in enumerate(zip(lines, LINES, strict=True), 1):
        assert (now["verdict"], now["state"]) == (then["verdict"], then["state"]), f"line {number} of {golden.FOLD}"


def test_the_pinned_history_ends_in_the_pinned_bytes() -> None:
    _, outcome = golden.fold([bytes.fromhex(line["event"]) for line in LINES])
    assert outcome == json.loads(golden.OUTCOME.read_text())


def test_the_pinned_history_with_values_that_go_out_is_judged_as_it_was() -> None:
    lines, outcome = golden.fold(golden.pinned(golden.OUTPUTS_FOLD), outputs.LIMIT)
    assert lines == [json.loads(line) for line in golden.OUTPUTS_FOLD.read_text().splitlines()]
    assert outcome == json.loads(golden.OUTPUTS_OUTCOME.read_text())


def test_the_pinned_history_with_values_that_go_out_is_one_where_they_come_back_and_are_gone() -> None:
    codec = Codec()
    verdicts = set()
    for line in map(json.loads, golden.OUTPUTS_FOLD.read_text().splitlines()):
        kind, fields = codec.decode_event(bytes.fromhex(line["event"]))["transition"]
        given = fields.get("state") or fields.get("snapshot")
        if given is not None and outputs.references(given):
            verdicts.add((kind, line["verdict"]))
    kinds = ("WorkflowSaved", "WorkflowRestored", "CheckpointRequested")
    assert verdicts == {(kind, verdict) for kind in kinds for verdict in ("applied", "illegal_transition")}


def test_the_pinned_history_has_every_kind_applied_and_every_verdict_on_a_run() -> None:
    codec = Codec()
    applied = {codec.decode_event(bytes.fromhex(line["event"]))["transition"][0]
               for line in LINES if line["verdict"] == "applied"}  # fmt: skip
    assert applied == set(FIELDS)
    of_the_record = {Code.UNDECODABLE, Code.UNKNOWN_SCHEMA, Code.INVALID_PAYLOAD, Code.KEY_MISMATCH,
                     Code.WRONG_PARTITION, Code.STATE_TOO_LARGE}  # fmt: skip
    assert {line["verdict"] for line in LINES} == {"applied", "duplicate"} | {
        str(code) for code in set(Code) - of_the_record
    }

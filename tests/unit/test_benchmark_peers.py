"""What the comparison with other stream processors rests on."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from llm_orchestrator_state.model.fold import fold
from llm_orchestrator_state.model.records import EventRecord, StateRecord
from tests.benchmarks.peers.python.fold import fold as peers_fold
from tests.benchmarks.peers.ratios import ratios
from tests.benchmarks.peers.tables import table
from tests.benchmarks.workload import SHAPES, workload

EVENTS = 4_000


def untidy(name: str) -> list[EventRecord]:
    """A workload in which every event comes twice, and the last ones of a run also before its first."""
    events = list(workload(SHAPES[name], EVENTS))
    return list(chain(reversed(events[-20:]), *([event, event] for event in events)))


def row(contender: str, events_per_s: float, **others: Any) -> dict[str, Any]:
    figures = {
        "contender": contender, "workload": "A", "events": 11, "workers": 1, "commit_ms": 100, "wrong": 0,
        "events_per_s": events_per_s, "second_half_per_s": None, "cpu_us": 10.0, "broker_cpu_us": 2.0, "peak_mib": 100.0,
    }  # fmt: skip
    return figures | others


@pytest.mark.parametrize("name", SHAPES)
def test_the_peers_fold_has_the_states_of_ours_also_of_events_that_are_duplicates_or_illegal(name: str) -> None:
    ours: dict[str, StateRecord | None] = {}
    theirs: dict[str, dict[str, Any] | None] = {}
    for event in untidy(name):
        run = event["run_id"]
        kind, fields = event["transition"]
        ours[run] = fold(ours.get(run), event, "off")[1]
        named = {**event, "transition": (f"llm.orchestrator.state.{kind}", fields)}
        theirs[run] = peers_fold(theirs.get(run), named)

    for state in theirs.values():
        assert state is not None
        state["recent_event_ids"] = bytes.fromhex(state["recent_event_ids"])
    assert theirs == ours
    assert len(ours) == EVENTS // SHAPES[name].events


@pytest.mark.parametrize("name", SHAPES)
def test_a_workload_has_the_same_events_every_time(name: str) -> None:
    assert list(workload(SHAPES[name], EVENTS)) == list(workload(SHAPES[name], EVENTS))


def test_the_runs_of_workload_b_begin_with_created_and_started_and_have_a_hundred_steps() -> None:
    kinds = [event["transition"] for event in workload(SHAPES["B"]._replace(active=1), 1_000)]
    assert [kind for kind, _ in kinds[:4]] == ["WorkflowCreated", "WorkflowStarted", "StepStarted", "StepCompleted"]
    assert len({fields["step_id"] for _, fields in kinds[2:]}) == 100
    assert len(kinds) == 1_000


def test_a_ratio_is_ours_divided_by_the_peers_under_the_same_conditions() -> None:
    rows = [
        row("ours", 300.0),
        row("quix", 100.0, cpu_us=20.0, broker_cpu_us=4.0, peak_mib=50.0),
        row("ours", 500.0, commit_ms=1000),
        row("quix", 100.0, commit_ms=1000),
    ]
    found = ratios(rows)
    assert found["ratio.quix.A.workers_1.commit_100"] == 3.0
    assert found["cpu.quix.A.workers_1.commit_100"] == 0.5
    assert found["memory.quix.A.workers_1.commit_100"] == 2.0
    assert found["ratio.quix.A.workers_1.commit_1000"] == 5.0


def test_ours_is_also_set_beside_itself_with_checkpoints_and_beside_the_floor() -> None:
    rows = [row("ours", 300.0), row("ours_checkpoints", 240.0)]
    floors = [{"workload": "A", "events": 11, "workers": 1, "commit_ms": 100, "decode_per_s": 600.0}]
    found = ratios(rows, floors)
    assert found["checkpoints.A"] == 0.8
    assert found["floor.A.workers_1.commit_100"] == 0.5


def test_what_has_wrong_states_has_no_ratio() -> None:
    assert not [name for name in ratios([row("ours", 300.0), row("quix", 0.0, wrong=1)]) if "quix" in name]


def test_a_table_is_markdown_with_its_numbers_on_the_right() -> None:
    assert table(["who", "events/s"], [["ours", "9"]]).splitlines() == [
        "| who  | events/s |",
        "| ---- | -------: |",
        "| ours |        9 |",
    ]

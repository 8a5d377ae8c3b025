"""When the attempts at a run's steps began and ended."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from llm_orchestrator_state.client.spans import Span, Spans
from llm_orchestrator_state.model.records import EventRecord
from tests.unit.histories import random_history
from tests.unit.records import T0, Folding, event, state, step

SECOND = 1_000_000


def spans(*events: EventRecord) -> Spans:
    told = Spans()
    for each in events:
        told.apply(each)
    return told


def at(second: int, kind: str, **fields: Any) -> EventRecord:
    return event(kind, at=T0 + second * SECOND, **fields)


def brief(*found: Span) -> list[tuple[str, int, int | None, int | None, str]]:
    """With seconds in place of instants."""

    def second(instant: int | None) -> int | None:
        return None if instant is None else (instant - T0) // SECOND

    return [(each.name, each.attempt, second(each.began), second(each.ended), each.outcome) for each in found]


def test_an_attempt_lasts_from_its_start_to_its_outcome() -> None:
    told = spans(
        at(1, "StepStarted", step_id="a", attempt=1),
        at(3, "StepFailed", step_id="a", attempt=1),
        at(4, "StepRetried", step_id="a", attempt=1),
        at(5, "StepStarted", step_id="a"),
        at(9, "StepCompleted", step_id="a"),
        at(9, "StepStarted", step_id="b"),
    )
    assert brief(*told.attempts) == [
        ("a", 1, 1, 3, "failed"), ("a", 2, 5, 9, "completed"), ("b", 1, 9, None, "running")
    ]  # fmt: skip
    assert [each.seconds for each in told.attempts] == [2.0, 4.0, None]


def test_an_attempt_that_another_one_took_the_place_of_was_abandoned() -> None:
    told = spans(
        at(1, "StepStarted", step_id="a"),
        at(5, "StepStarted", step_id="a"),
        at(7, "StepCompleted", step_id="a", attempt=4),
        at(8, "StepStarted", step_id="b"),
        at(9, "StepRetried", step_id="b"),
        at(9, "StepStarted", step_id="c"),
        at(10, "StepSkipped", step_id="c"),
    )
    assert brief(*told.attempts) == [
        ("a", 1, 1, 5, "abandoned"), ("a", 2, 5, 7, "abandoned"), ("a", 4, None, 7, "completed"),
        ("b", 1, 8, 9, "given up"), ("c", 1, 9, 10, "skipped"),
    ]  # fmt: skip


def test_an_outcome_without_a_start_has_an_end_alone() -> None:
    told = spans(at(3, "StepCompleted", step_id="a"), at(4, "StepSkipped", step_id="b"))
    assert brief(*told.attempts) == [("a", 1, None, 3, "completed"), ("b", 0, None, 4, "skipped")]
    assert [each.seconds for each in told.attempts] == [None, None]


def test_a_restored_run_has_the_attempts_of_its_snapshot() -> None:
    running = step("b", "running", attempt=2, started_at=T0)
    told = spans(
        at(1, "StepStarted", step_id="a"),
        at(2, "WorkflowRestored", snapshot=state("running", running)),
        at(3, "StepStarted", step_id="a"),
        at(4, "StepCompleted", step_id="b"),
    )
    assert brief(*told.attempts) == [
        ("a", 1, 1, 2, "abandoned"), ("b", 2, 0, 4, "completed"), ("a", 1, 3, None, "running")
    ]  # fmt: skip


def test_a_run_is_told_in_stretches_of_one_status_each() -> None:
    told = spans(
        at(0, "WorkflowCreated"),
        at(1, "WorkflowStarted"),
        at(2, "WorkflowPaused"),
        at(5, "WorkflowResumed"),
        at(6, "WorkflowResumed"),
        at(9, "WorkflowCompleted"),
        at(20, "WorkflowDeleted"),
    )
    assert [each[2:] for each in brief(*told.stretches)] == [
        (0, 1, "pending"), (1, 2, "running"), (2, 5, "paused"), (5, 9, "running"), (9, 9, "completed"), (20, 20, "deleted")
    ]  # fmt: skip
    assert told.run_seconds(T0 + 20 * SECOND) == 9.0
    assert Spans().run_seconds(T0) is None


@pytest.mark.parametrize("seed", range(8))
def test_the_running_attempts_are_those_of_the_folded_state(seed: int) -> None:
    folding, told, compared = Folding(policy="step"), Spans(), 0
    for one in random_history(Random(seed), size=300):
        if str(folding.take(one)) == "applied":
            told.apply(one)
        steps = folding.state["steps"] if folding.state else {}
        expected = {
            (step_id, each["attempt"], each["started_at"])
            for step_id, each in steps.items()
            if each["status"] == "running"
        }
        assert {(s.name, s.attempt, s.began) for s in told.attempts if s.outcome == "running"} == expected
        compared += len(expected)
    assert compared > 0

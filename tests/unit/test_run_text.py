"""What the commands about runs print."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from llm_orchestrator_state.cli.run_changes import MOST_TOLD, Seen, changes_text
from llm_orchestrator_state.cli.state_text import brief
from llm_orchestrator_state.cli.timeline import bar_width, labelled, row_of_bars, seconds_text
from llm_orchestrator_state.client.spans import Span
from llm_orchestrator_state.model.records import StateRecord, StepRecord
from tests.unit.records import T0, Folding, running, state, step

# --- the timeline -----------------------------------------------------------------------------------------------------


def bars(*spans: tuple[int | None, int | None, str], last: int = 100, width: int = 10) -> str:
    return row_of_bars([Span("s", 1, began, ended, outcome) for began, ended, outcome in spans], 0, last, width)


@pytest.mark.parametrize(
    ("span", "bar"),
    [
        ((0, 100, "completed"), "██████████"),
        ((50, 100, "failed"), "     ▒▒▒▒▒"),
        ((20, 60, "given up"), "  ░░░░    "),
        ((20, 21, "completed"), "  █       "),
        ((100, 100, "completed"), "         █"),
        ((70, None, "running"), "       ███"),
        ((None, 35, "completed"), "   ◆      "),
        ((-500, 30, "completed"), "███       "),
        ((30, 10, "completed"), "   █      "),
    ],
)
def test_a_bar_is_where_its_attempt_was_and_never_nothing(span: tuple[int | None, int | None, str], bar: str) -> None:
    assert bars(span) == bar


def test_stretches_follow_each_other_on_one_line() -> None:
    line = bars((0, 20, "pending"), (20, 50, "running"), (50, 80, "paused"), (80, 100, "running"), (100, 100, "failed"))
    assert line == "··███┄┄┄█▒"


def test_a_run_of_one_instant_is_a_bar_too() -> None:
    assert bars((0, 0, "completed"), last=0) == "█         "


def test_what_is_beside_the_bars_leaves_them_the_rest_of_the_width() -> None:
    assert bar_width(["run", "x" * 10]) == 80 - 10 - 9 - 9 - 6
    assert bar_width(["x" * 500]) >= 16


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.2, "1.200 s"), (59.9999, "60.000 s"), (200.0, "3m 20s"), (None, ""), (-1.0, "")]
)
def test_durations_are_as_people_read_them(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


def test_only_later_attempts_have_their_number() -> None:
    assert [labelled("draft", number) for number in (None, 0, 1, 2)] == ["draft", "draft", "draft", "draft #2"]


# --- what has changed -------------------------------------------------------------------------------------------------


def told(folding: Folding, kind: str, **fields: Any) -> str:
    """Of one more event of the run."""
    before = Seen.of(folding.run)
    assert folding(kind, **fields) == "applied"
    return changes_text(before, folding.run)


def test_each_change_is_told_in_words() -> None:
    folding = running()
    usage = {"gen_ai.usage.input_tokens": 1_200, "gen_ai.usage.output_tokens": 34, "cost_micro_usd": 310, "pages": 2}
    assert told(folding, "StepStarted", step_id="a") == "a running"
    assert told(folding, "StepHeartbeat", step_id="a") == "version 4"
    assert told(folding, "StepFailed", step_id="a", error="no", error_type="Timeout") == "a failed: Timeout: no"
    assert told(folding, "StepRetried", step_id="a") == "a pending"
    assert told(folding, "StepStarted", step_id="a") == "a running (attempt 2)"
    assert told(folding, "StepCompleted", step_id="a", usage=usage) == (
        "a completed (attempt 2), +1,234 tokens, +0.0003 USD, +2 pages"
    )
    assert told(folding, "StepSkipped", step_id="b", reason="not needed") == "b skipped: not needed"
    assert told(folding, "ContextUpdated", patch='{"a":1}') == "context updated"
    assert told(folding, "CheckpointRequested", step_id="a") == "checkpoint"
    assert told(folding, "WorkflowPaused", reason="lunch") == "paused (lunch)"
    assert told(folding, "WorkflowFailed", error="e", error_type="cancelled") == "failed (cancelled: e)"
    assert told(folding, "WorkflowRestored", snapshot=state("running")) == (
        "running, a gone, b gone, context updated, -1,234 tokens, -0.0003 USD, -2 pages"
    )


def test_a_new_run_is_told_by_its_definition() -> None:
    folding = Folding()
    folding("WorkflowCreated", workflow_id="triage")
    assert changes_text(None, folding.run) == "created: triage"


def test_of_a_run_seen_for_the_first_time_its_last_event_is_told_as_far_as_instants_say() -> None:
    done = step("a", "completed", started_at=T0, completed_at=T0 + 5)
    assert changes_text(None, state("running", done, step("b", "running", started_at=T0 + 5), version=7, updated_at=T0 + 5)) == (
        "a completed, b running"
    )  # fmt: skip
    assert (
        changes_text(None, state("completed", done, version=8, updated_at=T0 + 9, completed_at=T0 + 9)) == "completed"
    )
    assert changes_text(None, state("running", done, version=8, updated_at=T0 + 6)) == "version 8"


def test_where_many_steps_change_at_once_the_rest_is_counted() -> None:
    before = Seen.of(state())
    many: list[StepRecord] = [step(f"s{n}", "running") for n in range(MOST_TOLD + 3)]
    now: StateRecord = copy.deepcopy(state("running", *many, version=9))
    assert changes_text(before, now) == "s0 running, s1 running, s2 running, s3 running, 3 more steps"


# --- a run in few words -----------------------------------------------------------------------------------------------


def test_a_run_in_brief_has_its_status_why_its_version_and_its_steps() -> None:
    run = state(
        "failed", step("a", "completed"), step("b", "completed"), step("c", "failed"), error="no", error_type="E"
    )
    assert brief(run) == "failed (E: no), version 1, updated 2026-01-05T09:30:00Z, steps: 2 completed, 1 failed"
    assert brief(state("paused", status_reason="lunch")).startswith("paused (lunch), version 1, updated ")
    assert brief(None) == "no such run"

from __future__ import annotations

import pytest

from llm_orchestrator_state.model.records import StateRecord
from llm_orchestrator_state.model.transitions import RULES
from tests.unit.records import FIELDS, T0, Folding, state, step

RUN_STATUSES = ("pending", "running", "paused", "completed", "failed")
STEP_STATUSES = (None, "pending", "running", "completed", "failed", "skipped")
OPEN = {"pending", "running", "paused"}
ACTIVE = {"running", "paused"}
EXISTING = {*OPEN, "completed", "failed"}
SAME = "same"

RUN_TABLE: dict[str, dict[str | None, str | None]] = {
    # kind: {from: to}, None being no run
    "WorkflowCreated": {None: "pending"},
    "WorkflowStarted": {"pending": "running"},
    "WorkflowPaused": {"pending": "paused", "running": "paused"},
    "WorkflowResumed": {"paused": "running", "running": "running", "failed": "running"},
    "WorkflowCompleted": dict.fromkeys(OPEN, "completed"),
    "WorkflowFailed": dict.fromkeys(OPEN, "failed"),
    "ContextUpdated": dict.fromkeys(OPEN, SAME),
    "CheckpointRequested": dict.fromkeys(EXISTING, SAME),
    "CheckpointsTrimmed": dict.fromkeys(EXISTING, SAME),
    # the states that records.event() gives are running
    "WorkflowSaved": {None: "running", **dict.fromkeys(EXISTING, "running")},
    "WorkflowRestored": dict.fromkeys(EXISTING, "running"),
    "WorkflowDeleted": dict.fromkeys(EXISTING, None),
}
STEP_TABLE: dict[str, tuple[set[str], set[str | None], str]] = {
    # kind: runs, steps it goes from (None being no step), status it goes to
    "StepCreated": (OPEN, {None}, "pending"),
    "StepStarted": (ACTIVE, set(STEP_STATUSES), "running"),
    "StepCompleted": (ACTIVE, set(STEP_STATUSES), "completed"),
    "StepFailed": (ACTIVE, set(STEP_STATUSES), "failed"),
    "StepRetried": (ACTIVE, {"failed", "running"}, "pending"),
    "StepSkipped": (OPEN, {None, "pending", "running"}, "skipped"),
    "StepHeartbeat": (ACTIVE, {"running"}, "running"),
}
IN_FLIGHT = {("StepCompleted", "failed", "running"), ("StepFailed", "failed", "running")}
"""What may still come in after the run has failed: kind, run, step."""


def given(run: str | None, step_status: str | None) -> StateRecord | None:
    if run is None:
        return None
    ended = T0 if run in ("completed", "failed") else None
    return state(run, *([step("a", step_status, attempt=1)] if step_status else []), completed_at=ended)


def test_every_kind_has_a_rule() -> None:
    assert RULES.keys() == FIELDS.keys() == RUN_TABLE.keys() | STEP_TABLE.keys()


@pytest.mark.parametrize("run", [None, *RUN_STATUSES])
@pytest.mark.parametrize("kind", RUN_TABLE)
def test_a_transition_of_a_run_is_legal_exactly_where_the_table_says_so(kind: str, run: str | None) -> None:
    folding = Folding(given(run, None))
    verdict = folding(kind)
    after = None if folding.state is None else folding.run["status"]
    if run in RUN_TABLE[kind]:
        to = RUN_TABLE[kind][run]
        assert (verdict, after) == ("applied", run if to == SAME else to)
    elif run is None:
        assert verdict == "unknown_run"
    else:
        assert verdict == ("run_exists" if kind == "WorkflowCreated" else "illegal_transition")


@pytest.mark.parametrize("run", RUN_STATUSES)
@pytest.mark.parametrize("step_status", STEP_STATUSES)
@pytest.mark.parametrize("kind", STEP_TABLE)
def test_a_transition_of_a_step_is_legal_exactly_where_the_table_says_so(
    kind: str, step_status: str | None, run: str
) -> None:
    folding = Folding(given(run, step_status))
    verdict = folding(kind)
    runs, steps, to = STEP_TABLE[kind]
    if (run in runs and step_status in steps) or (kind, run, step_status) in IN_FLIGHT:
        assert (verdict, folding.step()["status"], folding.run["status"]) == ("applied", to, run)
    else:
        assert verdict == "illegal_transition"


@pytest.mark.parametrize("kind", STEP_TABLE)
def test_a_transition_of_a_step_needs_a_run(kind: str) -> None:
    assert Folding(None)(kind) == "unknown_run"


@pytest.mark.parametrize(("sooner", "verdict"), [(1, "illegal_transition"), (0, "applied"), (-1, "applied")])
def test_a_failed_run_is_resumed_unless_the_event_is_older_than_the_failure(sooner: int, verdict: str) -> None:
    folding = Folding(state("failed", completed_at=T0, error="gave up", error_type="cancelled"))
    assert folding("WorkflowResumed", at=T0 - sooner) == verdict


def test_a_failed_run_without_a_recorded_end_is_resumed_by_an_event_of_any_age() -> None:
    assert Folding(state("failed"))("WorkflowResumed", at=0) == "applied"


@pytest.mark.parametrize("sooner", [0, 1])
def test_a_completed_run_is_never_resumed(sooner: int) -> None:
    assert Folding(state("completed", completed_at=T0))("WorkflowResumed", at=T0 - sooner) == "illegal_transition"

"""Which events are duplicates, stale, fenced or in conflict, and which of these is looked for first."""

from __future__ import annotations

import copy

import pytest

from llm_orchestrator_state.model.limits import WINDOW
from tests.unit.records import RUN, T0, Folding, an_id, event, running, state, step

STEP_STATUSES = ("pending", "running", "completed", "failed", "skipped")

EQUAL_ATTEMPT = {
    # an event with the attempt that the step has, by the step's status: pending, running, completed, failed, skipped
    "StepStarted": ("duplicate", "duplicate", "duplicate", "duplicate", "duplicate"),
    "StepCompleted": ("stale_attempt", "applied", "duplicate", "illegal_transition", "applied"),
    "StepFailed": ("duplicate", "applied", "illegal_transition", "duplicate", "applied"),
    "StepRetried": ("duplicate", "applied", "illegal_transition", "applied", "illegal_transition"),
    "StepHeartbeat": ("illegal_transition", "applied", "illegal_transition", "illegal_transition",
                      "illegal_transition"),
}  # fmt: skip
HIGHER_ATTEMPT = {
    "StepStarted": ("applied",) * 5,
    "StepCompleted": ("applied",) * 5,
    "StepFailed": ("applied",) * 5,
    "StepRetried": ("illegal_transition", "applied", "illegal_transition", "applied", "illegal_transition"),
    "StepHeartbeat": ("illegal_transition", "applied", "illegal_transition", "illegal_transition",
                      "illegal_transition"),
}  # fmt: skip


def at_attempt_3(status: str, run: str = "running") -> Folding:
    return Folding(state(run, step(status=status, attempt=3, started_at=T0)))


# --- by attempt ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STEP_STATUSES)
@pytest.mark.parametrize("kind", EQUAL_ATTEMPT)
def test_a_lower_attempt_is_stale(kind: str, status: str) -> None:
    assert at_attempt_3(status)(kind, attempt=2) == "stale_attempt"


@pytest.mark.parametrize(("number", "status"), list(enumerate(STEP_STATUSES)))
@pytest.mark.parametrize("kind", EQUAL_ATTEMPT)
def test_an_equal_attempt_is_judged_by_what_is_recorded_of_it(kind: str, number: int, status: str) -> None:
    assert at_attempt_3(status)(kind, attempt=3) == EQUAL_ATTEMPT[kind][number]


@pytest.mark.parametrize(("number", "status"), list(enumerate(STEP_STATUSES)))
@pytest.mark.parametrize("kind", HIGHER_ATTEMPT)
def test_a_higher_attempt_is_judged_by_the_table(kind: str, number: int, status: str) -> None:
    assert at_attempt_3(status)(kind, attempt=4) == HIGHER_ATTEMPT[kind][number]


@pytest.mark.parametrize("kind", ["StepStarted", "StepCompleted", "StepFailed"])
def test_a_higher_attempt_becomes_the_steps(kind: str) -> None:
    folding = at_attempt_3("running")
    folding(kind, attempt=9)
    assert folding.step()["attempt"] == 9


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed"])
def test_the_outcome_of_a_higher_attempt_says_that_its_begin_is_not_known(kind: str) -> None:
    folding = at_attempt_3("running")
    folding(kind, attempt=4)
    assert folding.step()["started_at"] is None


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed"])
def test_the_outcome_of_the_running_attempt_keeps_its_begin(kind: str) -> None:
    folding = at_attempt_3("running")
    folding(kind, attempt=3)
    assert (folding.step()["attempt"], folding.step()["started_at"]) == (3, T0)


@pytest.mark.parametrize(("given", "attempt"), [(3, 3), (5, 5), (None, 3)])
def test_a_retry_raises_the_attempt_only_where_a_higher_one_is_given(given: int | None, attempt: int) -> None:
    folding = at_attempt_3("failed")
    folding("StepRetried", attempt=given)
    assert folding.step()["attempt"] == attempt


@pytest.mark.parametrize("given", [3, 7])
def test_a_heartbeat_never_changes_the_attempt(given: int) -> None:
    folding = at_attempt_3("running")
    assert folding("StepHeartbeat", attempt=given) == "applied"
    assert folding.step()["attempt"] == 3


def test_a_call_that_ends_after_its_retry_was_decided_is_stale() -> None:
    folding = running()
    folding("StepStarted", attempt=1)
    folding("StepRetried", attempt=1)
    assert folding("StepCompleted", attempt=1) == "stale_attempt"
    assert folding("StepFailed", attempt=1) == "duplicate"


def test_a_whole_history_with_attempts_published_again_is_silent() -> None:
    folding = running()
    history = [
        event("StepStarted", attempt=1), event("StepHeartbeat", attempt=1), event("StepFailed", attempt=1),
        event("StepRetried", attempt=1), event("StepStarted", attempt=2), event("StepCompleted", attempt=2),
        event("StepSkipped", step_id="b"), event("WorkflowCompleted"),
    ]  # fmt: skip
    assert {folding.take(one) for one in history} == {"applied"}
    before = copy.deepcopy(folding.run)
    again = [folding.take(one) for one in history]
    assert again == ["stale_attempt"] * 4 + ["duplicate"] * 4
    assert folding.run == before


@pytest.mark.parametrize("kind", ["StepStarted", "StepCompleted", "StepFailed", "StepRetried"])
def test_a_step_event_with_an_attempt_is_known_by_it_and_not_by_its_id(kind: str) -> None:
    folding = Folding(state("running", step(status="running", attempt=1)))
    event_id = an_id()
    assert folding("StepHeartbeat", attempt=1, id=event_id) == "applied"
    assert folding(kind, attempt=2, id=event_id) == "applied"
    assert folding.run["recent_event_ids"] == b""


def test_a_heartbeat_with_an_attempt_applies_again_and_again() -> None:
    folding = Folding(state("running", step(status="running", attempt=1)))
    one = event("StepHeartbeat", attempt=1)
    assert [folding.take(one), folding.take(one)] == ["applied", "applied"]


def test_a_heartbeat_of_an_attempt_that_runs_no_more_is_stale() -> None:
    folding = at_attempt_3("running")
    assert folding("StepHeartbeat", attempt=2) == "stale_attempt"


# --- by id -----------------------------------------------------------------------------------------------------------

BY_ID = {
    "WorkflowStarted": state("pending"),
    "WorkflowPaused": state(),
    "WorkflowResumed": state(),
    "WorkflowCompleted": state(),
    "WorkflowFailed": state(),
    "ContextUpdated": state(),
    "StepCreated": state(),
    "StepStarted": state(),
    "StepCompleted": state(),
    "StepFailed": state(),
    "StepRetried": state("running", step(status="running", attempt=1)),
    "StepSkipped": state(),
    "StepHeartbeat": state("running", step(status="running", attempt=1)),
    "CheckpointRequested": state(),
    "CheckpointsTrimmed": state(),
    "WorkflowSaved": state(),
    "WorkflowRestored": state(),
}


@pytest.mark.parametrize("kind", BY_ID)
def test_every_other_event_is_known_by_its_id(kind: str) -> None:
    folding = Folding(copy.deepcopy(BY_ID[kind]))
    one = event(kind)
    assert [folding.take(one), folding.take(one)] == ["applied", "duplicate"]


def test_the_creation_is_known_by_its_id_too() -> None:
    folding = Folding()
    one = event("WorkflowCreated")
    assert [folding.take(one), folding.take(one)] == ["applied", "duplicate"]


def test_an_id_is_the_same_in_either_case() -> None:
    folding = Folding(state())
    assert folding("WorkflowResumed", id="ABCDEF00-0000-4000-8000-00000000000A") == "applied"
    assert folding("WorkflowResumed", id="abcdef00-0000-4000-8000-00000000000a") == "duplicate"


def test_another_kind_with_the_same_id_is_a_duplicate() -> None:
    folding = Folding(state())
    event_id = an_id()
    folding("WorkflowResumed", id=event_id)
    assert folding("WorkflowPaused", id=event_id) == "duplicate"


def test_the_window_is_as_long_as_the_format_says_and_the_oldest_goes_first() -> None:
    folding = Folding(state())
    ids = [an_id() for _ in range(WINDOW + 1)]
    for event_id in ids:
        assert folding("WorkflowResumed", id=event_id) == "applied"
    assert len(folding.run["recent_event_ids"]) == 8 * WINDOW == 8 * 32
    assert [folding("WorkflowResumed", id=event_id) for event_id in ids[1:]] == ["duplicate"] * WINDOW
    assert folding("WorkflowResumed", id=ids[0]) == "applied"


def test_a_rejected_event_does_not_enter_the_window() -> None:
    folding = Folding(state("paused"))
    one = event("WorkflowStarted")
    assert [folding.take(one), folding.take(one)] == ["illegal_transition"] * 2


# --- fencing and versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "token", "verdict", "kept"),
    [
        (None, None, "applied", None), (None, 5, "applied", 5), (5, None, "applied", 5), (5, 5, "applied", 5),
        (5, 6, "applied", 6), (5, 4, "fenced", 5), (0, -1, "fenced", 0), (None, -1, "applied", -1),
    ],
)  # fmt: skip
def test_a_token_lower_than_the_highest_seen_is_fenced(
    seen: int | None, token: int | None, verdict: str, kept: int | None
) -> None:
    folding = Folding(state(fencing_token=seen))
    assert folding("WorkflowResumed", token=token) == verdict
    assert folding.run["fencing_token"] == kept


def test_an_event_that_is_not_applied_does_not_raise_the_token() -> None:
    folding = Folding(state(fencing_token=5))
    assert folding("WorkflowStarted", token=9) == "illegal_transition"
    one = event("WorkflowResumed", token=5)
    folding.take(one)
    assert folding.take({**one, "fencing_token": 9}) == "duplicate"
    assert folding.run["fencing_token"] == 5


@pytest.mark.parametrize(("expected", "verdict"), [(4, "applied"), (3, "version_conflict"), (5, "version_conflict"),
                                                   (0, "version_conflict"), (None, "applied")])  # fmt: skip
def test_an_expected_version_must_be_the_runs(expected: int | None, verdict: str) -> None:
    assert Folding(state(version=4))("WorkflowResumed", expected=expected) == verdict


@pytest.mark.parametrize("kind", ["WorkflowCreated", "WorkflowSaved"])
@pytest.mark.parametrize(("expected", "verdict"), [(0, "applied"), (None, "applied"), (3, "version_conflict")])
def test_a_missing_run_has_version_0(kind: str, expected: int | None, verdict: str) -> None:
    assert Folding()(kind, expected=expected) == verdict


def test_expecting_no_run_refuses_to_replace_one() -> None:
    assert Folding(state(version=1))("WorkflowSaved", expected=0) == "version_conflict"


# --- which reason comes first ----------------------------------------------------------------------------------------


def test_a_duplicate_id_comes_before_everything_about_the_run() -> None:
    folding = Folding(state(fencing_token=5, version=7))
    event_id = an_id()
    folding("WorkflowResumed", id=event_id, token=5)
    for kind in ("WorkflowCreated", "WorkflowStarted"):
        assert folding(kind, id=event_id, token=1, expected=99) == "duplicate"


def test_no_run_comes_before_the_expected_version() -> None:
    assert Folding()("WorkflowStarted", expected=3) == "unknown_run"


def test_a_run_that_exists_comes_before_fencing_and_version() -> None:
    assert Folding(state(fencing_token=5))("WorkflowCreated", token=1, expected=99) == "run_exists"


def test_fencing_comes_before_the_attempt() -> None:
    for attempt in (2, 3):
        folding = Folding(state("running", step(status="running", attempt=3), fencing_token=5))
        assert folding("StepStarted", attempt=attempt, token=4) == "fenced"


def test_fencing_comes_before_version_and_legality() -> None:
    assert Folding(state("completed", fencing_token=5))("WorkflowStarted", token=4, expected=99) == "fenced"


@pytest.mark.parametrize(
    ("kind", "status", "attempt", "verdict"),
    [
        ("StepStarted", "running", 3, "duplicate"), ("StepStarted", "running", 2, "stale_attempt"),
        ("StepCompleted", "failed", 3, "illegal_transition"), ("StepCompleted", "pending", 3, "stale_attempt"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("run", ["completed", "running"])
def test_the_attempt_comes_before_version_and_legality(
    run: str, kind: str, status: str, attempt: int, verdict: str
) -> None:
    assert at_attempt_3(status, run)(kind, attempt=attempt, expected=99) == verdict


def test_the_version_comes_before_legality() -> None:
    assert Folding(state("completed"))("WorkflowStarted", expected=99) == "version_conflict"


def test_a_snapshot_of_a_run_does_not_carry_its_window_to_another() -> None:
    folding = Folding(state(recent_event_ids=b""))
    remembered = Folding(state())
    event_id = an_id()
    remembered("WorkflowResumed", id=event_id, run=RUN)
    folding("WorkflowSaved", state=remembered.run)
    assert folding("WorkflowResumed", id=event_id) == "applied"

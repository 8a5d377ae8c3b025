"""What each kind of event does to a state, and what every applied event does."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest

from llm_orchestrator_state.model.fold import CHECKPOINTED
from llm_orchestrator_state.model.limits import MAX_INT, MAX_LONG
from llm_orchestrator_state.model.records import StateRecord, StepRecord
from tests.unit.records import FIELDS, OTHER_RUN, RUN, T0, Folding, an_id, running, state, step

ENVELOPE = {"version", "last_event_id", "recent_event_ids", "updated_at"}
"""What every applied event may change."""

FULL = step(
    status="running", started_at=T0, completed_at=T0 + 1, outputs='{"old":1}', error="old", error_type="OldError",
    retry_count=2, attempt=3, status_reason="old reason", usage={"gen_ai.usage.input_tokens": 5},
)  # fmt: skip
"""A step with everything set, as WorkflowSaved can make one."""


def after(given: StateRecord, kind: str, **fields: Any) -> StateRecord:
    folding = Folding(copy.deepcopy(given))
    assert folding(kind, **fields) == "applied"
    return folding.run


def changes(given: StateRecord, kind: str, **fields: Any) -> dict[str, Any]:
    """The run's fields that the event changes, besides those of the envelope."""
    now = after(given, kind, **fields)
    return {name: value for name, value in now.items() if value != given[name] and name not in ENVELOPE}  # type: ignore[literal-required]


def step_changes(given: StepRecord | None, kind: str, run: str = "running", **fields: Any) -> dict[str, Any]:
    """The step's fields that the event changes; of a step that was not there, compared with a new pending one."""
    now = after(state(run, *([given] if given else [])), kind, **fields)["steps"]["a"]
    before = given or step()
    return {name: value for name, value in now.items() if value != before[name]}  # type: ignore[literal-required]


# --- the run ---------------------------------------------------------------------------------------------------------


def test_a_created_run_has_what_the_event_says_and_nothing_else() -> None:
    folding = Folding()
    parent = {"id": OTHER_RUN, "step_id": "spawn"}
    given = {"workflow_id": "w", "workflow_name": "n", "user_id": "u", "context": '{"a": 1}', "labels": {"k": "v"}}
    event_id = an_id()
    assert folding("WorkflowCreated", at=T0 + 7, id=event_id, parent=parent, **given) == "applied"
    assert folding.run == state(
        "pending", started_at=T0 + 7, updated_at=T0 + 7, parent=parent, version=1, last_event_id=event_id,
        recent_event_ids=folding.run["recent_event_ids"], **given,
    )  # fmt: skip


def test_a_runs_id_is_kept_in_canonical_lower_case() -> None:
    folding = Folding()
    folding("WorkflowCreated", run=RUN.upper())
    assert folding.run["id"] == RUN


def test_a_run_was_started_when_it_was_created_and_stays_so() -> None:
    folding = Folding()
    folding("WorkflowCreated", at=T0)
    folding("WorkflowStarted", at=T0 + 5)
    assert folding.run["started_at"] == T0


def test_completing_sets_the_end_and_only_that() -> None:
    given = state("running", error="of earlier", error_type="E")
    assert changes(given, "WorkflowCompleted", at=T0 + 9) == {"status": "completed", "completed_at": T0 + 9}


def test_failing_sets_the_end_the_error_and_its_type() -> None:
    assert changes(state(), "WorkflowFailed", at=T0 + 9, error="no", error_type="cancelled") == {
        "status": "failed", "completed_at": T0 + 9, "error": "no", "error_type": "cancelled",
    }  # fmt: skip


def test_failing_without_a_type_leaves_no_older_type_behind() -> None:
    assert after(state(error_type="Old"), "WorkflowFailed")["error_type"] is None


def test_resuming_a_failed_run_clears_its_error_and_its_end() -> None:
    given = state("failed", completed_at=T0, error="no", error_type="timed_out")
    assert changes(given, "WorkflowResumed", at=T0) == {
        "status": "running", "completed_at": None, "error": None, "error_type": None,
    }  # fmt: skip


def test_resuming_a_running_run_counts_as_an_event_and_changes_nothing_else() -> None:
    assert changes(state(), "WorkflowResumed") == {}


def test_pausing_says_why() -> None:
    assert changes(state(), "WorkflowPaused", reason="a person is asked") == {
        "status": "paused", "status_reason": "a person is asked",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("pending", "WorkflowStarted"), ("paused", "WorkflowResumed"), ("paused", "WorkflowCompleted"),
        ("paused", "WorkflowFailed"), ("running", "WorkflowPaused"),
    ],
)  # fmt: skip
def test_the_next_transition_of_the_run_clears_the_reason(status: str, kind: str) -> None:
    assert after(state(status, status_reason="old"), kind)["status_reason"] is None


@pytest.mark.parametrize("kind", ["ContextUpdated", "StepCreated", "CheckpointRequested", "CheckpointsTrimmed"])
def test_what_is_no_transition_of_the_run_leaves_its_reason(kind: str) -> None:
    assert after(state("paused", status_reason="old"), kind)["status_reason"] == "old"


def test_a_context_is_merged() -> None:
    given = state(context='{"a": 1.50, "b": {"c": 2}, "d": 3}')
    patch = '{"b":{"e":1e2},"d":null}'
    assert changes(given, "ContextUpdated", patch=patch) == {"context": '{"a":1.50,"b":{"c":2,"e":1e2}}'}


@pytest.mark.parametrize("kind", ["CheckpointsTrimmed", "StepHeartbeat"])
def test_these_change_nothing_but_that_they_happened(kind: str) -> None:
    assert changes(state("running", FULL, usage={"x": 1}), kind) == {}


def test_a_deleted_run_is_gone() -> None:
    folding = Folding(state())
    assert folding("WorkflowDeleted") == "applied"
    assert folding.state is None


def test_a_run_made_anew_after_its_deletion_remembers_nothing() -> None:
    folding = Folding(state(version=9, fencing_token=4, checkpoint_count=7))
    folding("WorkflowDeleted", token=5)
    assert folding("WorkflowCreated", token=1, expected=0) == "applied"
    assert (folding.run["version"], folding.run["fencing_token"], folding.run["checkpoint_count"]) == (1, 1, 0)


# --- what every applied event does -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(FIELDS.keys() - {"WorkflowCreated", "WorkflowDeleted", "WorkflowSaved"}))
def test_every_applied_event_counts_names_itself_and_moves_updated_at_forward(kind: str) -> None:
    starting = state({"WorkflowStarted": "pending"}.get(kind, "running"), version=5, updated_at=T0)
    if kind != "StepCreated":
        starting["steps"]["a"] = step(status="running", attempt=1)
    event_id = an_id()
    now = after(starting, kind, id=event_id, at=T0 + 10)
    assert (now["version"], now["last_event_id"], now["updated_at"]) == (6, event_id, T0 + 10)


@pytest.mark.parametrize("kind", sorted(FIELDS.keys() - {"WorkflowCreated", "WorkflowDeleted", "WorkflowSaved"}))
def test_an_event_that_is_older_than_the_last_does_not_move_updated_at_back(kind: str) -> None:
    starting = state({"WorkflowStarted": "pending"}.get(kind, "running"), updated_at=T0)
    if kind != "StepCreated":
        starting["steps"]["a"] = step(status="running", attempt=1)
    assert after(starting, kind, at=T0 - 10)["updated_at"] == T0


@pytest.mark.parametrize("given", [T0 - 10, T0 + 10])
def test_saving_takes_updated_at_as_given(given: int) -> None:
    now = after(state(updated_at=T0), "WorkflowSaved", at=T0 + 5, state=state(updated_at=given))
    assert now["updated_at"] == given


def test_saving_a_run_that_is_new_takes_updated_at_as_given() -> None:
    folding = Folding()
    folding("WorkflowSaved", at=T0 + 5, state=state(updated_at=T0 - 10))
    assert folding.run["updated_at"] == T0 - 10


@pytest.mark.parametrize(("at", "updated"), [(T0 - 5, T0), (T0 + 5, T0 + 5)])
def test_restoring_moves_updated_at_like_any_other_event(at: int, updated: int) -> None:
    now = after(state(updated_at=T0), "WorkflowRestored", at=at, snapshot=state(updated_at=T0 + 99))
    assert now["updated_at"] == updated


def test_the_last_event_id_is_kept_in_canonical_lower_case() -> None:
    event_id = "ABCDEF00-0000-4000-8000-00000000000A"
    assert after(state(), "WorkflowResumed", id=event_id)["last_event_id"] == event_id.lower()


# --- steps -----------------------------------------------------------------------------------------------------------


def test_a_created_step_is_pending_and_was_never_started() -> None:
    assert after(state(), "StepCreated")["steps"] == {"a": step()}


def test_starting_a_step_counts_the_attempt_and_clears_what_an_earlier_one_left() -> None:
    assert step_changes(FULL, "StepStarted", at=T0 + 3) == {
        "attempt": 4, "started_at": T0 + 3, "completed_at": None, "outputs": None, "error": None, "error_type": None,
        "status_reason": None,
    }  # fmt: skip


def test_starting_an_unknown_step_makes_it() -> None:
    assert step_changes(None, "StepStarted", at=T0 + 3) == {"status": "running", "attempt": 1, "started_at": T0 + 3}


def test_inputs_stay_in_the_log() -> None:
    assert "big" not in str(after(state(), "StepStarted", inputs='"big"'))


def test_completing_a_running_step_sets_outputs_and_end_and_clears_the_error() -> None:
    assert step_changes(FULL, "StepCompleted", at=T0 + 3, outputs="[1]") == {
        "status": "completed", "completed_at": T0 + 3, "outputs": "[1]", "error": None, "error_type": None,
        "status_reason": None,
    }  # fmt: skip


def test_completing_without_outputs_leaves_no_older_outputs_behind() -> None:
    assert step_changes(FULL, "StepCompleted")["outputs"] is None


def test_failing_a_running_step_sets_error_type_and_end_and_clears_outputs() -> None:
    assert step_changes(FULL, "StepFailed", at=T0 + 3, error="new", error_type="NewError") == {
        "status": "failed", "completed_at": T0 + 3, "outputs": None, "error": "new", "error_type": "NewError",
        "status_reason": None,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed"])
@pytest.mark.parametrize("status", ["pending", "completed", "failed", "skipped"])
def test_the_outcome_of_a_step_that_was_not_running_is_of_an_attempt_whose_begin_is_not_known(
    kind: str, status: str
) -> None:
    now = step_changes(step(status=status, started_at=T0, attempt=2), kind)
    assert (now["attempt"], now["started_at"]) == (3, None)


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed"])
def test_the_outcome_of_an_unknown_step_makes_it(kind: str) -> None:
    now = after(state(), kind)["steps"]["a"]
    assert (now["attempt"], now["started_at"]) == (1, None)


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed"])
def test_the_outcome_of_a_running_step_belongs_to_the_attempt_that_runs(kind: str) -> None:
    now = after(state("running", step(status="running", started_at=T0, attempt=2)), kind)["steps"]["a"]
    assert (now["attempt"], now["started_at"]) == (2, T0)


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed"])
def test_usage_adds_up_in_the_step_and_in_the_run(kind: str) -> None:
    given = state("running", step(status="running", usage={"in": 1, "out": 2}), usage={"in": 10})
    now = after(given, kind, usage={"in": 5, "cost": 7})
    assert now["steps"]["a"]["usage"] == {"in": 6, "out": 2, "cost": 7}
    assert now["usage"] == {"in": 15, "cost": 7}


def test_sums_of_usage_stop_at_the_largest_long() -> None:
    given = state("running", step(status="running", usage={"in": MAX_LONG}), usage={"in": MAX_LONG - 1})
    now = after(given, "StepCompleted", usage={"in": 5})
    assert (now["steps"]["a"]["usage"], now["usage"]) == ({"in": MAX_LONG}, {"in": MAX_LONG})


def test_starts_and_retries_stop_at_the_largest_int() -> None:
    given = state("running", step(status="running", attempt=MAX_INT, retry_count=MAX_INT))
    assert after(given, "StepStarted")["steps"]["a"]["attempt"] == MAX_INT
    assert after(given, "StepRetried")["steps"]["a"]["retry_count"] == MAX_INT


@pytest.mark.parametrize("status", ["failed", "running"])
def test_retrying_a_step_counts_the_retry_and_leaves_what_the_attempt_left(status: str) -> None:
    now = step_changes({**FULL, "status": status}, "StepRetried")
    assert now == {"status": "pending", "retry_count": 3, "status_reason": None}


def test_skipping_a_step_says_when_and_why_and_leaves_the_rest() -> None:
    assert step_changes(FULL, "StepSkipped", at=T0 + 3, reason="not needed") == {
        "status": "skipped", "completed_at": T0 + 3, "status_reason": "not needed",
    }  # fmt: skip


def test_skipping_an_unknown_step_makes_it() -> None:
    assert step_changes(None, "StepSkipped", at=T0 + 3) == {"status": "skipped", "completed_at": T0 + 3}


def test_skipping_without_a_reason_leaves_no_older_reason_behind() -> None:
    assert step_changes(FULL, "StepSkipped")["status_reason"] is None


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed", "StepStarted"])
def test_the_next_transition_of_a_skipped_step_clears_the_reason(kind: str) -> None:
    assert step_changes(step(status="skipped", status_reason="why"), kind)["status_reason"] is None


def test_steps_keep_the_order_of_their_first_appearance() -> None:
    folding = running()
    for step_id in ("b", "a", "b", "c", "a"):
        folding("StepStarted", step_id=step_id)
    assert list(folding.run["steps"]) == ["b", "a", "c"]


def test_an_event_about_one_step_leaves_the_others() -> None:
    given = state("running", step(), step("b", "running", attempt=1, usage={"x": 2}))
    assert after(given, "StepCompleted", usage={"x": 1})["steps"]["b"] == given["steps"]["b"]


@pytest.mark.parametrize("kind", ["StepCompleted", "StepFailed"])
def test_a_branch_that_was_under_way_may_end_after_its_run_has_failed(kind: str) -> None:
    given = state("failed", step(status="running", attempt=1), completed_at=T0, error="no")
    now = after(given, kind, at=T0 + 50, usage={"x": 1})
    assert (now["status"], now["completed_at"], now["error"]) == ("failed", T0, "no")
    assert (now["steps"]["a"]["completed_at"], now["usage"], now["updated_at"]) == (T0 + 50, {"x": 1}, T0 + 50)


def test_a_branch_ends_only_once_after_its_run_has_failed() -> None:
    folding = Folding(state("failed", step(status="running", attempt=1)))
    assert [folding("StepCompleted"), folding("StepCompleted")] == ["applied", "illegal_transition"]


def test_a_branch_that_ends_twice_after_its_run_has_failed_is_a_duplicate_if_it_says_its_attempt() -> None:
    folding = Folding(state("failed", step(status="running", attempt=1)))
    assert [folding("StepCompleted", attempt=1), folding("StepCompleted", attempt=1)] == ["applied", "duplicate"]


# --- saved and restored ----------------------------------------------------------------------------------------------

GIVEN = state(
    "failed",
    step("b", "completed", attempt=1, outputs="1", usage={"x": 1}, status_reason="r"),
    step("a", "failed", attempt=7, error="e", error_type="E", retry_count=3, started_at=1, completed_at=2),
    workflow_id="w2", workflow_name="n2", user_id="u2", started_at=T0 - 99, labels={"l": "2"},
    parent={"id": OTHER_RUN, "step_id": "p"}, context='{"c":2}', updated_at=T0 - 50, completed_at=T0 - 60, error="e2",
    error_type="t2", status_reason="r2", usage={"y": 2}, version=77, last_event_id=RUN, recent_event_ids=b"12345678",
    fencing_token=88, checkpoint_count=66, output_count=55, released_outputs=[{"n": 1, "released": 2}],
)  # fmt: skip
"""Everything in it differs from a plain state."""

OURS = ("version", "last_event_id", "recent_event_ids", "fencing_token", "checkpoint_count", "output_count",
        "released_outputs")  # fmt: skip


@pytest.mark.parametrize(("kind", "field"), [("WorkflowSaved", "state"), ("WorkflowRestored", "snapshot")])
def test_a_given_state_replaces_everything_but_what_counts_this_runs_events(kind: str, field: str) -> None:
    before = state("running", step("gone", attempt=1), version=5, fencing_token=3, checkpoint_count=2, output_count=4)
    event_id = an_id()
    now = after(before, kind, id=event_id, at=T0 + 1, **{field: GIVEN})
    updated_at = GIVEN["updated_at"] if kind == "WorkflowSaved" else T0 + 1
    own = {name: before[name] for name in OURS}  # type: ignore[literal-required]
    own |= {"version": 6, "last_event_id": event_id, "recent_event_ids": now["recent_event_ids"]}
    assert now == {**GIVEN, **own, "updated_at": updated_at}
    assert list(now["steps"]) == ["b", "a"], "the given order is that of first appearance"


def test_saving_a_new_run_takes_nothing_that_counts_from_the_given_state() -> None:
    folding = Folding()
    event_id = an_id()
    assert folding("WorkflowSaved", id=event_id, state=GIVEN) == "applied"
    own = {
        "version": 1, "last_event_id": event_id, "recent_event_ids": folding.run["recent_event_ids"],
        "fencing_token": None, "checkpoint_count": 0, "output_count": 0, "released_outputs": [],
    }  # fmt: skip
    assert folding.run == {**GIVEN, **own}


@pytest.mark.parametrize(("kind", "field"), [("WorkflowSaved", "state"), ("WorkflowRestored", "snapshot")])
def test_the_window_goes_on_when_a_state_is_given(kind: str, field: str) -> None:
    folding = Folding()
    created = an_id()
    folding("WorkflowCreated", id=created)
    given = an_id()
    folding(kind, id=given, **{field: GIVEN})
    assert [folding("WorkflowCreated", id=created), folding(kind, id=given, **{field: GIVEN})] == ["duplicate"] * 2


@pytest.mark.parametrize(("kind", "field"), [("WorkflowSaved", "state"), ("WorkflowRestored", "snapshot")])
@pytest.mark.parametrize(("old", "given", "kept"), [(5, 2, 5), (2, 5, 5), (3, 3, 3)])
def test_a_steps_attempt_never_goes_down(kind: str, field: str, old: int, given: int, kept: int) -> None:
    before = state("running", step(status="running", attempt=old))
    now = after(before, kind, **{field: state("running", step(attempt=given))})
    assert now["steps"]["a"] == step(attempt=kept)


@pytest.mark.parametrize(("kind", "field"), [("WorkflowSaved", "state"), ("WorkflowRestored", "snapshot")])
def test_the_id_that_a_given_step_is_filed_under_beats_the_one_inside(kind: str, field: str) -> None:
    given = state()
    given["steps"]["a"] = step("another")
    assert after(state(), kind, **{field: given})["steps"] == {"a": step("a")}


def test_an_outcome_from_before_a_restore_is_stale() -> None:
    folding = running()
    folding("StepStarted", attempt=1)
    snapshot = copy.deepcopy(folding.run)
    folding("StepStarted", attempt=2)
    folding("WorkflowRestored", snapshot=snapshot)
    assert folding("StepCompleted", attempt=1) == "stale_attempt"
    assert folding("StepCompleted", attempt=2) == "applied"


# --- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "count"), [("step", 2), ("requested", 1), ("off", 0)])
def test_checkpoints_are_counted_by_the_policy(policy: str, count: int) -> None:
    folding = running(policy=policy)
    for kind in ("StepStarted", "StepCompleted", "StepFailed", "StepSkipped", "CheckpointRequested", "ContextUpdated"):
        folding(kind)
    assert folding.run["checkpoint_count"] == count


def test_a_duplicate_makes_no_checkpoint() -> None:
    folding = running()
    folding("StepCompleted", attempt=1)
    folding("StepCompleted", attempt=1)
    assert folding.run["checkpoint_count"] == 1


def test_trimming_and_restoring_leave_the_count_that_slots_are_made_of() -> None:
    folding = running()
    folding("StepCompleted")
    folding("CheckpointsTrimmed", keep=0)
    folding("WorkflowRestored", snapshot=state())
    assert folding.run["checkpoint_count"] == 1


def test_only_these_kinds_make_checkpoints() -> None:
    made = {kind for kind in FIELDS if kind in CHECKPOINTED["step"]}
    assert made == {"StepCompleted", "CheckpointRequested"}


def test_a_v1_uuid_may_be_an_event_id() -> None:
    assert Folding(state())("WorkflowResumed", id=str(uuid.uuid1())) == "applied"

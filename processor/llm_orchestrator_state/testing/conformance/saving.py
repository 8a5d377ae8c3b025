"""Saves, and who wins."""

from __future__ import annotations

from ...client.stores import StateStore
from ...errors import EventRejected
from ...model.status import WorkflowStatus
from ...model.step import StepState
from ...model.verdicts import Code
from .made import checkpoint, completed_step, content, raises, run, saved


class Saving:
    def test_what_was_saved_is_loaded(self, store: StateStore) -> None:
        state = run(context={"ticket": 7})
        state.labels = {"team": "support"}
        state.steps["classify"] = completed_step("classify", {"label": "bug"})
        saved(store, state)
        assert content(store.load_workflow_state(state.id)) == content(state)

    def test_a_save_tells_the_new_version_and_the_state_has_it(self, store: StateStore) -> None:
        state = run()
        first = store.save_workflow_state(state)
        assert state.version == first == store.load_workflow_state(state.id).version
        second = store.save_workflow_state(state)
        assert state.version == second > first

    def test_the_same_save_twice_changes_nothing(self, store: StateStore) -> None:
        state = saved(store)
        before = content(state)
        store.save_workflow_state(state)
        assert content(store.load_workflow_state(state.id)) == before

    def test_a_state_can_be_saved_after_each_transition(self, store: StateStore) -> None:
        state = saved(store)
        state.mark_running()
        store.save_workflow_state(state)
        for number in range(3):
            state.steps[f"step-{number}"] = completed_step(f"step-{number}", number)
            store.save_workflow_state(state)
            store.create_checkpoint(checkpoint(state, f"step-{number}"))
        state.mark_completed()
        store.save_workflow_state(state)
        loaded = store.load_workflow_state(state.id)
        assert loaded.status is WorkflowStatus.COMPLETED
        assert [step.outputs for step in loaded.steps.values()] == [0, 1, 2]

    def test_an_older_save_does_not_replace_a_newer_one(self, store: StateStore) -> None:
        state = saved(store)
        stale = store.load_workflow_state(state.id)
        state.mark_completed()
        store.save_workflow_state(state)
        stale.mark_running()
        with raises(EventRejected, code=Code.VERSION_CONFLICT):
            store.save_workflow_state(stale)
        assert store.load_workflow_state(state.id).status is WorkflowStatus.COMPLETED

    def test_a_save_that_was_refused_succeeds_on_what_is_loaded_anew(self, store: StateStore) -> None:
        state = saved(store)
        stale = store.load_workflow_state(state.id)
        store.save_workflow_state(state)
        with raises(EventRejected):
            store.save_workflow_state(stale)
        fresh = store.load_workflow_state(state.id)
        fresh.mark_running()
        store.save_workflow_state(fresh)
        assert store.load_workflow_state(state.id).status is WorkflowStatus.RUNNING

    def test_a_state_without_a_version_replaces_what_is_there(self, store: StateStore) -> None:
        state = saved(store)
        other = run()
        other.id = state.id
        store.save_workflow_state(other)
        assert content(store.load_workflow_state(state.id)) == content(other)

    def test_everything_is_replaced_and_steps_that_are_not_in_the_state_go(self, store: StateStore) -> None:
        state = run()
        state.mark_failed("no", "ValueError")
        state.steps = {"a": completed_step("a", 1), "b": completed_step("b", 2)}
        saved(store, state)
        del state.steps["a"]
        state.workflow_id, state.user_id, state.error, state.error_type, state.completed_at = (
            "other",
            None,
            None,
            None,
            None,
        )
        state.mark_running()
        store.save_workflow_state(state)
        loaded = store.load_workflow_state(state.id)
        assert list(loaded.steps) == ["b"]
        assert (loaded.workflow_id, loaded.user_id, loaded.error, loaded.completed_at) == ("other", None, None, None)

    def test_the_key_of_a_step_is_its_id(self, store: StateStore) -> None:
        state = run()
        state.steps["key"] = StepState.new("inside")
        saved(store, state)
        assert store.load_workflow_state(state.id).steps["key"].step_id == "key"

    def test_work_on_a_step_makes_its_run_the_most_recent(self, store: StateStore) -> None:
        worked_on, other = run(), run()
        other.workflow_id = worked_on.workflow_id
        saved(store, worked_on)
        saved(store, other)
        worked_on.steps["step"] = completed_step("step")
        store.save_workflow_state(worked_on)
        loaded = store.load_workflow_state_by_workflow_id(worked_on.workflow_id)
        assert loaded.id == worked_on.id
        assert loaded.updated_at == worked_on.updated_at == worked_on.steps["step"].completed_at

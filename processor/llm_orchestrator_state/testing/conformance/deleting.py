"""Old runs go, and only those."""

from __future__ import annotations

from datetime import datetime

from ...client.stores import StateStore
from ...errors import EventRejected, InvalidState, NotFound
from ...model.state import WorkflowState
from ...model.verdicts import Code
from .made import DAY, ancient, checkpoint, raises, run, saved


def ended(store: StateStore, at: datetime) -> WorkflowState:
    state = run(at=at - DAY)
    state.mark_completed(at=at)
    return saved(store, state)


class Deleting:
    def test_runs_that_ended_before_an_instant_are_deleted_and_counted(self, store: StateStore) -> None:
        at = ancient()
        while store.delete_old_states(at):
            pass
        completed, failed, at_the_instant = ended(store, at - DAY), run(at=at - DAY), ended(store, at)
        failed.mark_failed("no", at=at - DAY)
        saved(store, failed)
        active = [run(at=at - DAY) for _ in range(3)]
        active[1].mark_running(at=at - DAY)
        for each in active:
            saved(store, each)
        assert store.delete_old_states(at) == 2
        assert store.delete_old_states(at) == 0
        for gone in (completed, failed):
            with raises(NotFound):
                store.load_workflow_state(gone.id)
        for kept in (at_the_instant, *active):
            assert store.load_workflow_state(kept.id).id == kept.id

    def test_a_deleted_run_has_no_checkpoints(self, store: StateStore) -> None:
        at = ancient()
        state = ended(store, at)
        given = checkpoint(state)
        store.create_checkpoint(given)
        # the checkpoint has moved updated_at to the present
        state.updated_at = at
        store.save_workflow_state(state)
        store.delete_old_states(at + DAY)
        assert store.get_latest_checkpoint(state.id) is None
        with raises(NotFound):
            store.restore_from_checkpoint(given.id)

    def test_an_end_long_ago_does_not_count_where_the_run_was_updated_since(self, store: StateStore) -> None:
        at = ancient()
        state = run(at=at)
        state.mark_completed(at=at)
        state.updated_at = at + 2 * DAY
        saved(store, state)
        store.delete_old_states(at + DAY)
        assert store.load_workflow_state(state.id).id == state.id

    def test_a_deleted_run_is_not_brought_back_by_who_had_loaded_it(self, store: StateStore) -> None:
        at = ancient()
        state = ended(store, at)
        store.delete_old_states(at + DAY)
        with raises(EventRejected, code=Code.VERSION_CONFLICT):
            store.save_workflow_state(state)

    def test_a_deleted_id_may_be_saved_anew_and_starts_clean(self, store: StateStore) -> None:
        at = ancient()
        state = ended(store, at)
        store.delete_old_states(at + DAY)
        again = run()
        again.id = state.id
        assert store.save_workflow_state(again) == 1
        loaded = store.load_workflow_state(state.id)
        assert (loaded.status, loaded.steps, store.get_latest_checkpoint(state.id)) == (again.status, {}, None)

    def test_an_instant_without_a_zone_deletes_nothing(self, store: StateStore) -> None:
        with raises(InvalidState, "zone"):
            store.delete_old_states(datetime(2026, 1, 5))  # noqa: DTZ001 - the mistake

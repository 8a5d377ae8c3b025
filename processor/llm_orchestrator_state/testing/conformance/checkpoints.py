"""Checkpoints: kept, found, restored and removed."""

from __future__ import annotations

from uuid import uuid4

from ...client.stores import StateStore
from ...errors import EventRejected, InvalidState, NotFound
from ...model.limits import KEPT_CHECKPOINTS
from ...model.status import WorkflowStatus
from ...model.verdicts import Code
from .made import DAY, checkpoint, completed_step, content, raises, run, saved


class Checkpoints:
    def test_a_checkpoint_is_found_as_it_was_given(self, store: StateStore) -> None:
        state = saved(store, run(context={"n": 1}))
        given = checkpoint(state, "classify")
        store.create_checkpoint(given)
        found = store.get_latest_checkpoint(state.id)
        assert found is not None
        assert (found.id, found.workflow_state_id, found.step_id, found.timestamp) == (
            given.id, given.workflow_state_id, given.step_id, given.timestamp
        )  # fmt: skip
        assert content(found.snapshot) == content(given.snapshot)

    def test_a_checkpoint_changes_nothing_in_the_run(self, store: StateStore) -> None:
        state = saved(store, run(context={"n": 1}))
        other = checkpoint(state)
        other.snapshot.context = {"n": 2}
        store.create_checkpoint(other)
        loaded = store.load_workflow_state(state.id)
        assert (loaded.context, loaded.status, loaded.steps) == ({"n": 1}, state.status, state.steps)

    def test_there_is_no_latest_checkpoint_where_there_are_none(self, store: StateStore) -> None:
        assert store.get_latest_checkpoint(saved(store).id) is None
        assert store.get_latest_checkpoint(uuid4()) is None

    def test_a_checkpoint_of_a_run_that_is_not_there_is_refused(self, store: StateStore) -> None:
        state = run()
        with raises(NotFound, str(state.id)):
            store.create_checkpoint(checkpoint(state))
        saved(store, state)
        store.create_checkpoint(checkpoint(state))

    def test_the_checkpoint_that_was_made_last_is_the_latest_whatever_its_timestamp(self, store: StateStore) -> None:
        state = saved(store)
        for back in range(KEPT_CHECKPOINTS + 2):
            given = checkpoint(state, at=state.updated_at - back * DAY)
            store.create_checkpoint(given)
            found = store.get_latest_checkpoint(state.id)
            assert found is not None
            assert found.id == given.id

    def test_of_equal_timestamps_the_last_one_is_the_latest(self, store: StateStore) -> None:
        state = saved(store)
        for _ in range(3):
            given = checkpoint(state, at=state.updated_at)
            store.create_checkpoint(given)
        found = store.get_latest_checkpoint(state.id)
        assert found is not None
        assert found.id == given.id

    def test_the_newest_ten_are_kept(self, store: StateStore) -> None:
        state = saved(store)
        made = [checkpoint(state) for _ in range(KEPT_CHECKPOINTS + 3)]
        for each in made:
            store.create_checkpoint(each)
        for gone in made[:3]:
            with raises(NotFound, str(gone.id)):
                store.restore_from_checkpoint(gone.id)
        for kept in made[3:]:
            store.restore_from_checkpoint(kept.id)

    def test_the_same_checkpoint_again_is_no_change(self, store: StateStore) -> None:
        state = saved(store)
        given = checkpoint(state)
        for _ in range(3):
            store.create_checkpoint(given)
        assert store.cleanup_old_checkpoints(state.id, 0) == 1

    def test_another_checkpoint_of_the_same_id_is_refused_and_the_first_stays(self, store: StateStore) -> None:
        state = saved(store, run(context={"n": 1}))
        given = checkpoint(state)
        store.create_checkpoint(given)
        state.context = {"n": 2}
        other = checkpoint(state)
        other.id = given.id
        with raises(InvalidState, str(given.id)):
            store.create_checkpoint(other)
        assert store.restore_from_checkpoint(given.id).context == {"n": 1}

    def test_restoring_gives_the_snapshot_and_only_reads(self, store: StateStore) -> None:
        state = saved(store, run(context={"n": 1}))
        first = checkpoint(state)
        store.create_checkpoint(first)
        state.context = {"n": 2}
        state.mark_failed("no")
        store.save_workflow_state(state)
        second = checkpoint(state)
        store.create_checkpoint(second)
        assert content(store.restore_from_checkpoint(first.id)) == content(first.snapshot)
        assert content(store.restore_from_checkpoint(str(first.id).upper())) == content(first.snapshot)
        loaded = store.load_workflow_state(state.id)
        assert (loaded.context, loaded.status) == ({"n": 2}, WorkflowStatus.FAILED)
        latest = store.get_latest_checkpoint(state.id)
        assert latest is not None
        assert latest.id == second.id

    def test_a_restored_state_that_is_saved_takes_the_run_back_and_later_steps_go(self, store: StateStore) -> None:
        state = run()
        state.steps["one"] = completed_step("one", 1)
        saved(store, state)
        given = checkpoint(state, "one")
        store.create_checkpoint(given)
        state.steps["two"] = completed_step("two", 2)
        store.save_workflow_state(state)
        store.save_workflow_state(store.restore_from_checkpoint(given.id))
        assert content(store.load_workflow_state(state.id)) == content(given.snapshot)

    def test_a_restored_state_does_not_replace_what_was_saved_after_it(self, store: StateStore) -> None:
        state = saved(store)
        given = checkpoint(state)
        store.create_checkpoint(given)
        restored = store.restore_from_checkpoint(given.id)
        state.mark_completed()
        store.save_workflow_state(state)
        with raises(EventRejected, code=Code.VERSION_CONFLICT):
            store.save_workflow_state(restored)

    def test_a_checkpoint_that_is_not_there_cannot_be_restored(self, store: StateStore) -> None:
        missing = uuid4()
        with raises(NotFound, str(missing)):
            store.restore_from_checkpoint(missing)

    def test_the_oldest_checkpoints_are_removed_and_counted(self, store: StateStore) -> None:
        state = saved(store)
        made = [checkpoint(state) for _ in range(5)]
        for each in made:
            store.create_checkpoint(each)
        assert store.cleanup_old_checkpoints(state.id, 2) == 3
        assert store.cleanup_old_checkpoints(state.id, 2) == 0
        for gone in made[:3]:
            with raises(NotFound):
                store.restore_from_checkpoint(gone.id)
        for kept in made[3:]:
            store.restore_from_checkpoint(kept.id)
        assert store.cleanup_old_checkpoints(str(state.id), 0) == 2
        assert store.get_latest_checkpoint(state.id) is None

    def test_to_keep_more_than_there_are_is_no_change(self, store: StateStore) -> None:
        state = saved(store)
        store.create_checkpoint(checkpoint(state))
        for keep in (1, 11, 2**31, 2**63, 2**70):
            assert store.cleanup_old_checkpoints(state.id, keep) == 0
        assert store.cleanup_old_checkpoints(uuid4(), 0) == 0
        assert store.get_latest_checkpoint(state.id) is not None

    def test_to_keep_fewer_than_none_is_refused(self, store: StateStore) -> None:
        with raises(InvalidState, "-1"):
            store.cleanup_old_checkpoints(uuid4(), -1)

    def test_a_checkpoint_that_was_removed_can_be_made_again(self, store: StateStore) -> None:
        state = saved(store)
        given = checkpoint(state)
        store.create_checkpoint(given)
        store.cleanup_old_checkpoints(state.id, 0)
        store.create_checkpoint(given)
        store.restore_from_checkpoint(given.id)

    def test_who_keeps_and_removes_checkpoints_may_save_as_before(self, store: StateStore) -> None:
        state = saved(store)
        for _ in range(3):
            store.create_checkpoint(checkpoint(state))
        store.cleanup_old_checkpoints(state.id, 1)
        state.mark_running()
        store.save_workflow_state(state)
        assert store.load_workflow_state(state.id).status is WorkflowStatus.RUNNING

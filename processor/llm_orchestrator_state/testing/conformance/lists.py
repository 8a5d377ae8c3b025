"""Lists of active runs."""

from __future__ import annotations

from datetime import timedelta

from ...client.stores import StateStore
from ...model.status import WorkflowStatus
from .made import name, run, saved


class Lists:
    def test_pending_running_and_paused_runs_are_listed_and_no_others(self, store: StateStore) -> None:
        workflow_id = name()
        for status in WorkflowStatus:
            if status is not WorkflowStatus.UNKNOWN:
                state = run(workflow_id)
                state.status = status
                saved(store, state)
        found = {each.status for each in store.list_active_workflows() if each.workflow_id == workflow_id}
        assert found == {WorkflowStatus.PENDING, WorkflowStatus.RUNNING, WorkflowStatus.PAUSED}

    def test_the_most_recently_updated_is_listed_first(self, store: StateStore) -> None:
        first = run(name())
        states = [
            run(first.workflow_id, at=first.updated_at + timedelta(seconds=n % 5, milliseconds=n)) for n in range(10)
        ]
        for state in states:
            saved(store, state)
        expected = sorted(states, key=lambda state: state.updated_at, reverse=True)
        found = [each.id for each in store.list_active_workflows() if each.workflow_id == first.workflow_id]
        assert found == [state.id for state in expected]

    def test_no_run_is_left_out(self, store: StateStore) -> None:
        states = [saved(store) for _ in range(50)]
        assert {state.id for state in states} <= {each.id for each in store.list_active_workflows()}

    def test_a_run_that_has_ended_is_not_listed_any_more(self, store: StateStore) -> None:
        state = saved(store)
        state.mark_completed()
        store.save_workflow_state(state)
        assert state.id not in {each.id for each in store.list_active_workflows()}

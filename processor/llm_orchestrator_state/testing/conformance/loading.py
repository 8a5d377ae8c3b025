"""What is not there, and what can be asked for."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from ...client.stores import Health, StateStore
from ...errors import InvalidState, NotFound
from ...model.state import WorkflowState
from ...model.status import WorkflowStatus
from .made import name, raises, run, saved


class Loading:
    def test_a_run_that_is_not_there_is_not_found_by_its_id(self, store: StateStore) -> None:
        missing = uuid4()
        with raises(NotFound, str(missing)):
            store.load_workflow_state(missing)
        with raises(NotFound, "nothing-has-this-name"):
            store.load_workflow_state_by_workflow_id("nothing-has-this-name")

    def test_an_id_may_be_text_and_what_is_no_uuid_is_refused(self, store: StateStore) -> None:
        state = saved(store)
        assert store.load_workflow_state(str(state.id).upper()).id == state.id
        with raises(InvalidState, "no-uuid"):
            store.load_workflow_state("no-uuid")
        with raises(InvalidState, "no-uuid"):
            store.restore_from_checkpoint("no-uuid")

    def test_of_a_workflow_the_run_updated_last_is_loaded_whatever_its_status(self, store: StateStore) -> None:
        first, last = run(), run()
        last.workflow_id = first.workflow_id
        last.mark_failed("no", at=first.updated_at + timedelta(seconds=1))
        saved(store, last)
        saved(store, first)
        found = store.load_workflow_state_by_workflow_id(first.workflow_id)
        assert (found.id, found.status) == (last.id, WorkflowStatus.FAILED)

    def test_a_workflow_id_is_taken_exactly(self, store: StateStore) -> None:
        state = saved(store, run(name("Triage")))
        assert store.load_workflow_state_by_workflow_id(state.workflow_id).id == state.id
        for other in (state.workflow_id.lower(), state.workflow_id + " ", state.workflow_id[:-1] + "_"):
            with raises(NotFound):
                store.load_workflow_state_by_workflow_id(other)

    def test_what_is_loaded_belongs_to_who_loaded_it(self, store: StateStore) -> None:
        state = saved(store, run(context={"list": [1]}))
        store.load_workflow_state(state.id).context["list"].append(2)
        assert store.load_workflow_state(state.id).context == {"list": [1]}

    def test_json_of_the_crate_is_saved_and_listed(self, store: StateStore) -> None:
        run_id = uuid4()
        text = (
            f'{{"id":"{run_id}","workflow_id":"w","workflow_name":"n","status":"Running","user_id":null,'
            '"started_at":"2025-01-02T03:04:05Z","updated_at":"2025-01-02T03:04:05.120Z","completed_at":null,"context":{},'
            '"error":null,"steps":{"a":{"step_id":"a","status":"Completed","started_at":"2025-01-02T03:04:05Z",'
            '"completed_at":"2025-01-02T03:04:05.120Z","outputs":{"x":1},"error":null,"retry_count":0}}}'
        )
        store.save_workflow_state(WorkflowState.from_json(text))
        assert run_id in {state.id for state in store.list_active_workflows()}
        assert store.load_workflow_state(run_id).steps["a"].outputs == {"x": 1}

    def test_a_health_check_says_what_it_has_checked(self, store: StateStore) -> None:
        found = store.health_check()
        assert isinstance(found, Health)
        assert found.checked
        assert all(found.checked)

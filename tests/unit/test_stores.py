"""The parts of the stores, and that the conformance suite finds what a store does wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest

from llm_orchestrator_state import AsyncInMemoryStateStore, AsyncStateStore, InMemoryStateStore, StateStore
from llm_orchestrator_state.client.reading.checkpoints import CheckpointFeed, id_reader
from llm_orchestrator_state.client.reading.feeds import Place
from llm_orchestrator_state.client.reading.life import Life
from llm_orchestrator_state.client.reading.window import Window
from llm_orchestrator_state.client.stores.events import requested, saved, trimmed
from llm_orchestrator_state.client.stores.unchanged import REMEMBERED, Unchanged
from llm_orchestrator_state.errors import EventRejected, NotFound
from llm_orchestrator_state.model import Checkpoint, TransitionEvent, WorkflowState
from llm_orchestrator_state.model.ids import short_id
from llm_orchestrator_state.model.verdicts import Code
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.memory import MemoryStore
from llm_orchestrator_state.testing import InMemoryPipeline, StateStoreConformance
from llm_orchestrator_state.testing.stores import PipelineRuns
from llm_orchestrator_state.wire.codec import Codec


def a_run() -> WorkflowState:
    return WorkflowState.new("triage", "Triage")


# --- the suite finds faults -----------------------------------------------------------------------------------------------


class WithoutVersions(InMemoryStateStore):
    def save_workflow_state(self, state: WorkflowState) -> int:
        state.version = 0
        return super().save_workflow_state(state)


class KeepsSteps(InMemoryStateStore):
    def save_workflow_state(self, state: WorkflowState) -> int:
        with contextlib.suppress(NotFound):
            state.steps = {**self.load_workflow_state(state.id).steps, **state.steps}
        return super().save_workflow_state(state)


class LeavesOut(InMemoryStateStore):
    def list_active_workflows(self) -> Sequence[WorkflowState]:
        return super().list_active_workflows()[:40]


class Forgetful(InMemoryStateStore):
    def get_latest_checkpoint(self, run_id: UUID | str) -> Checkpoint | None:
        found = super().get_latest_checkpoint(run_id)
        if found is not None:
            found.timestamp = datetime(2026, 1, 5, tzinfo=UTC)
        return found


class RestoresForGood(InMemoryStateStore):
    def restore_from_checkpoint(self, checkpoint_id: UUID | str) -> WorkflowState:
        state = super().restore_from_checkpoint(checkpoint_id)
        self.save_workflow_state(state)
        return state


class DeletesAll(InMemoryStateStore):
    def delete_old_states(self, older_than: datetime) -> int:
        return super().delete_old_states(max(older_than, datetime(2100, 1, 1, tzinfo=UTC)))


Suite = StateStoreConformance


@pytest.mark.parametrize(
    ("store", "test"),
    [
        (WithoutVersions, Suite.test_an_older_save_does_not_replace_a_newer_one),
        (WithoutVersions, Suite.test_of_many_who_loaded_the_same_version_one_saves),
        (KeepsSteps, Suite.test_a_restored_state_that_is_saved_takes_the_run_back_and_later_steps_go),
        (LeavesOut, Suite.test_no_run_is_left_out),
        (Forgetful, Suite.test_a_checkpoint_is_found_as_it_was_given),
        (RestoresForGood, Suite.test_restoring_gives_the_snapshot_and_only_reads),
        (DeletesAll, Suite.test_runs_that_ended_before_an_instant_are_deleted_and_counted),
    ],
)
def test_the_suite_finds_a_store_that_does_it_wrong(
    store: type[InMemoryStateStore], test: Callable[[StateStoreConformance, StateStore], None]
) -> None:
    test(StateStoreConformance(), InMemoryStateStore())
    with pytest.raises((AssertionError, EventRejected)):
        test(StateStoreConformance(), store())


def test_all_stores_have_the_methods_of_the_protocol() -> None:
    assert isinstance(InMemoryStateStore(), StateStore)
    assert isinstance(AsyncInMemoryStateStore(), AsyncStateStore)


# --- in memory ------------------------------------------------------------------------------------------------------------


def test_a_store_in_memory_shares_its_runs_with_a_pipeline() -> None:
    pipeline = InMemoryPipeline(partitions=3)
    store = InMemoryStateStore(pipeline)
    with pipeline.publisher() as publisher, publisher.workflow("triage") as run, run.step("classify") as step:
        step.outputs = {"label": "bug"}
    state = store.load_workflow_state_by_workflow_id("triage")
    assert state.steps["classify"].outputs == {"label": "bug"}
    assert store.get_latest_checkpoint(state.id) is not None
    state.context = {"seen": True}
    store.save_workflow_state(state)
    found = pipeline.state(state.id)
    assert found is not None
    assert (found.context, found.version) == ({"seen": True}, state.version)


def test_the_same_save_again_is_recognised_when_its_answer_was_lost() -> None:
    store = InMemoryStateStore()
    state = a_run()
    store.save_workflow_state(state)
    before = msgspec.structs.replace(state)
    state.mark_running()
    before.mark_running(at=state.updated_at)
    assert store.save_workflow_state(state) == 2
    assert store.save_workflow_state(before) == 2
    before.version = 1
    before.mark_completed()
    with pytest.raises(EventRejected):
        store.save_workflow_state(before)


# --- what is the same -----------------------------------------------------------------------------------------------------


def test_a_save_with_a_version_is_one_event_and_one_without_is_always_another() -> None:
    state = a_run()
    assert saved(state, 3).event_id == saved(state, 3).event_id
    assert saved(state, 0).event_id != saved(state, 0).event_id
    assert saved(state, 0).expected_version is None
    other = msgspec.structs.replace(state, context={"n": 1})
    assert len({saved(state, 3).event_id, saved(state, 4).event_id, saved(other, 3).event_id}) == 3


class Judged:
    """A pipeline, and one run whose checkpoint events are noted."""

    def __init__(self) -> None:
        self.pipeline = InMemoryPipeline()
        self.runs = PipelineRuns(self.pipeline)
        self.unchanged = Unchanged()
        self.state = a_run()
        self.publish(saved(self.state, 0))

    def publish(self, event: TransitionEvent) -> Window:
        (outcome,) = self.runs.settle([event])
        assert isinstance(outcome, Window)
        return outcome

    def note_checkpoint(self) -> None:
        event = requested(Checkpoint.new(self.state.id, "step", self.state), 0)
        self.unchanged.note(event, self.publish(event))

    def current(self, version: int) -> int:
        return self.unchanged.current(self.runs, self.state.id, version)


def test_versions_of_which_only_checkpoints_were_made_count_as_the_last() -> None:
    judged = Judged()
    judged.note_checkpoint()
    judged.note_checkpoint()
    event = trimmed(judged.state.id, 0)
    judged.unchanged.note(event, judged.publish(event))
    assert [judged.current(version) for version in range(1, 6)] == [4, 4, 4, 4, 5]


def test_a_save_between_two_checkpoints_is_not_passed_over() -> None:
    judged = Judged()
    judged.note_checkpoint()
    judged.publish(saved(judged.state, 0))
    judged.note_checkpoint()
    assert [judged.current(version) for version in range(1, 5)] == [1, 2, 4, 4]
    judged.publish(saved(judged.state, 0))
    assert [judged.current(version) for version in range(1, 6)] == [1, 2, 3, 4, 5]


def test_a_checkpoint_behind_which_others_came_vouches_for_nothing() -> None:
    judged = Judged()
    event = requested(Checkpoint.new(judged.state.id, "step", judged.state), 0)
    judged.publish(event)
    judged.publish(saved(judged.state, 0))
    judged.unchanged.note(event, judged.publish(saved(judged.state, 0)))
    assert [judged.current(version) for version in range(1, 5)] == [1, 2, 3, 4]


def test_only_so_many_runs_are_remembered() -> None:
    unchanged = Unchanged()
    first = Judged()
    event = requested(Checkpoint.new(first.state.id, "step", first.state), 0)
    window = first.publish(event)
    unchanged.note(event, window)
    assert unchanged.current(first.runs, first.state.id, 1) == 2
    for _ in range(REMEMBERED):
        other = trimmed(uuid4(), 0)
        unchanged.note(other, Window(2, short_id(str(other.event_id)), b""))
    assert unchanged.current(first.runs, first.state.id, 1) == 1


# --- checkpoints by id ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_found_by_its_id_until_its_slot_has_another() -> None:
    codec, state = Codec(), a_run()

    def encoded(checkpoint: Checkpoint) -> bytes:
        record = checkpoint.to_record()
        head = {name: value for name, value in record.items() if name != "snapshot"}
        return codec.encode_checkpoint(head, codec.encode_state(record["snapshot"])[10:])

    one, two, three = (Checkpoint.new(state.id, f"step-{n}", state) for n in range(3))
    feed = CheckpointFeed(Place("checkpoints", 0), MemoryStore(), Positions(None, 0, 0.0), Life(), id_reader(None))
    feed._taken([(b"run/1", encoded(one))], 1)
    assert feed.key_of(str(one.id)) == b"run/1"
    feed._taken([(b"run/1", encoded(two)), (b"run/2", encoded(three)), (b"run/3", b"unreadable")], 4)
    assert [feed.key_of(str(each.id)) for each in (one, two, three)] == [None, b"run/1", b"run/2"]
    assert feed.unreadable == {b"run/3"}
    feed._taken([(b"run/2", None), (b"run/3", encoded(one))], 6)
    assert [feed.key_of(str(each.id)) for each in (one, two, three)] == [b"run/3", b"run/1", None]
    assert not feed.unreadable


def test_a_rejected_checkpoint_can_be_made_when_its_run_is_there() -> None:
    store, state = InMemoryStateStore(), a_run()
    given = Checkpoint.new(state.id, "step", state)
    with pytest.raises(NotFound):
        store.create_checkpoint(given)
    store.save_workflow_state(state)
    store.create_checkpoint(given)
    assert store.get_latest_checkpoint(state.id) is not None
    stale = a_run()
    stale.id, stale.version = state.id, 1
    with pytest.raises(EventRejected) as rejected:
        InMemoryStateStore().save_workflow_state(stale)
    assert rejected.value.code is Code.VERSION_CONFLICT

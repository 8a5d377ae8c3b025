"""Many threads on one store."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from threading import Event
from typing import TypeVar

from ...client.stores import StateStore
from ...errors import EventRejected
from ...model.limits import KEPT_CHECKPOINTS
from ...model.state import WorkflowState
from ...model.status import WorkflowStatus
from ...model.verdicts import Code
from .deleting import ended
from .made import DAY, ancient, checkpoint, completed_step, run, saved

THREADS = 16

T = TypeVar("T")


def at_once(call: Callable[[int], T], times: int = THREADS) -> list[T]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(call, range(times)))


def _won(store: StateStore, state: WorkflowState) -> bool:
    try:
        store.save_workflow_state(state)
    except EventRejected as rejected:
        assert rejected.code is Code.VERSION_CONFLICT, rejected.code
        return False
    return True


def _with(number: int, state: WorkflowState) -> WorkflowState:
    """Everything in it is the same number."""
    state.context = {"number": number}
    state.steps = {f"step-{n}": completed_step(f"step-{n}", number) for n in range(5)}
    return state


def _numbers(state: WorkflowState) -> set[int]:
    return {state.context["number"], *(step.outputs for step in state.steps.values())}


class Concurrency:
    def test_many_threads_save_runs_of_their_own(self, store: StateStore) -> None:
        def save(number: int) -> WorkflowState:
            state = saved(store, _with(number, run()))
            state.mark_running()
            store.save_workflow_state(state)
            return state

        for state in at_once(save, 4 * THREADS):
            loaded = store.load_workflow_state(state.id)
            assert (loaded.version, loaded.status) == (state.version, WorkflowStatus.RUNNING)
            assert len(_numbers(loaded)) == 1

    def test_of_many_who_loaded_the_same_version_one_saves(self, store: StateStore) -> None:
        state = saved(store, _with(-1, run()))
        loaded = [_with(number, store.load_workflow_state(state.id)) for number in range(THREADS)]
        won = at_once(lambda number: _won(store, loaded[number]))
        assert won.count(True) == 1
        assert _numbers(store.load_workflow_state(state.id)) == {won.index(True)}

    def test_who_loads_while_another_saves_sees_one_save_and_no_mixture(self, store: StateStore) -> None:
        state = saved(store, _with(0, run()))
        done = Event()

        def write() -> None:
            for number in range(1, 20):
                store.save_workflow_state(_with(number, state))
            done.set()

        with ThreadPoolExecutor(1) as writer:
            writing = writer.submit(write)
            seen = [store.load_workflow_state(state.id)]
            while not done.is_set() and not writing.done():
                seen.append(store.load_workflow_state(state.id))
                listed = [each for each in store.list_active_workflows() if each.id == state.id]
                assert len(listed) == 1
                seen += listed
            writing.result()
        assert all(len(_numbers(each)) == 1 for each in seen)
        assert [each.version for each in seen] == sorted(each.version for each in seen)
        assert _numbers(store.load_workflow_state(state.id)) == {19}

    def test_the_same_checkpoint_from_many_threads_is_kept_once(self, store: StateStore) -> None:
        state = saved(store)
        given = checkpoint(state)
        at_once(lambda _: store.create_checkpoint(given))
        assert store.cleanup_old_checkpoints(state.id, 0) == 1

    def test_many_threads_make_checkpoints_of_one_run(self, store: StateStore) -> None:
        state = saved(store)
        made = [checkpoint(state) for _ in range(2 * THREADS)]
        at_once(lambda number: store.create_checkpoint(made[number]), len(made))
        assert store.cleanup_old_checkpoints(state.id, 0) == KEPT_CHECKPOINTS

    def test_each_run_that_many_threads_delete_is_counted_once(self, store: StateStore) -> None:
        at = ancient()
        while store.delete_old_states(at + DAY):
            pass
        for day in repeat(at, 10):
            ended(store, day)
        assert sum(at_once(lambda _: store.delete_old_states(at + DAY), 4)) == 10

"""What states may hold: it comes back as it was, or is refused before anything is changed."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from ...client.stores import StateStore
from ...errors import EventRejected, InvalidState, NotFound
from ...model.limits import KEPT_CHECKPOINTS, MAX_JSON_DEPTH, MAX_STATE_BYTES
from ...model.status import WorkflowStatus
from ...model.verdicts import Code
from .made import checkpoint, completed_step, content, raises, run, saved


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def large(number: int) -> str:
    """20 KiB of text, another one for each number."""
    return random.Random(number).randbytes(10 * 1024).hex()


class Values:
    def test_floats_and_large_numbers_keep_their_value(self, store: StateStore) -> None:
        seeded = random.Random(8)
        numbers = [seeded.random() for _ in range(1_000)]
        numbers += [5e-324, 1.7976931348623157e308, -0.0, 0.1, 2**53 + 1, 2**63, -(2**64), 10**30]
        state = run(context={"numbers": numbers})
        state.steps["step"] = completed_step("step", numbers)
        saved(store, state)
        loaded = store.load_workflow_state(state.id)
        assert list(map(repr, loaded.context["numbers"])) == list(map(repr, numbers))
        assert loaded.steps["step"].outputs == numbers

    def test_what_is_nested_as_deep_as_is_allowed_is_loaded_and_listed(self, store: StateStore) -> None:
        state = saved(store, run(context=nested(MAX_JSON_DEPTH)))
        assert store.load_workflow_state(state.id).context == nested(MAX_JSON_DEPTH)
        assert state.id in {each.id for each in store.list_active_workflows()}

    def test_what_is_nested_deeper_is_refused_and_nothing_is_changed(self, store: StateStore) -> None:
        state = run(context=nested(MAX_JSON_DEPTH + 1))
        with raises(InvalidState, "nested deeper"):
            store.save_workflow_state(state)
        with raises(NotFound):
            store.load_workflow_state(state.id)
        assert state.version == 0

    def test_any_text_is_kept(self, store: StateStore) -> None:
        odd = (
            "nul \0, quote ', percent %41, question mark ?, line\n, \N{KELVIN SIGN}, \N{GRINNING FACE}, " + "x" * 1_000
        )
        state = run(odd, context={odd: odd})
        state.workflow_name = state.user_id = odd
        state.steps[odd] = completed_step(odd, {odd: odd})
        saved(store, state)
        loaded = store.load_workflow_state_by_workflow_id(odd)
        assert (loaded.workflow_name, loaded.user_id, loaded.context) == (odd, odd, {odd: odd})
        assert loaded.steps[odd].outputs == {odd: odd}

    def test_instants_keep_their_microseconds(self, store: StateStore) -> None:
        at = datetime(2026, 1, 5, 9, 30, 0, 123_457, tzinfo=UTC)
        state = saved(store, run(at=at))
        loaded = store.load_workflow_state(state.id)
        assert (loaded.started_at, loaded.updated_at) == (at, at)

    def test_an_instant_without_a_zone_is_refused(self, store: StateStore) -> None:
        state = run()
        state.started_at = datetime(2026, 1, 5)  # noqa: DTZ001 - the mistake
        with raises(InvalidState, "zone"):
            store.save_workflow_state(state)
        state = run()
        state.steps["step"] = completed_step("step")
        state.steps["step"].completed_at = datetime(2026, 1, 5)  # noqa: DTZ001 - the mistake
        with raises(InvalidState, "zone"):
            store.save_workflow_state(state)

    def test_what_has_no_json_form_is_refused(self, store: StateStore) -> None:
        with raises(InvalidState, "context"):
            store.save_workflow_state(run(context={"object": object()}))

    def test_a_status_that_is_none_is_refused(self, store: StateStore) -> None:
        state = run()
        state.status = WorkflowStatus.UNKNOWN
        with raises(InvalidState):
            store.save_workflow_state(state)

    def test_a_state_that_is_too_large_is_refused_and_the_former_stays(self, store: StateStore) -> None:
        state = saved(store, run(context={"small": True}))
        state.error = "x" * (MAX_STATE_BYTES - 100)
        with raises(EventRejected, code=Code.STATE_TOO_LARGE):
            store.save_workflow_state(state)
        loaded = store.load_workflow_state(state.id)
        assert (loaded.context, loaded.error) == ({"small": True}, None)

    def test_values_of_any_size_are_kept_wherever_they_are(self, store: StateStore) -> None:
        """The processor carries what is larger than 16 KiB outside of the state."""
        state = run(context={"large": large(1)})
        state.steps = {f"step-{n}": completed_step(f"step-{n}", {"n": n, "large": large(n)}) for n in range(4)}
        state.steps["small"] = completed_step("small", [1])
        saved(store, state)
        for loaded in (
            store.load_workflow_state(state.id),
            store.load_workflow_state_by_workflow_id(state.workflow_id),
            next(each for each in store.list_active_workflows() if each.id == state.id),
        ):
            assert content(loaded) == content(state)

    def test_what_is_loaded_with_large_values_is_changed_and_saved(self, store: StateStore) -> None:
        state = run(context={"large": large(1)})
        state.steps = {f"step-{n}": completed_step(f"step-{n}", {"n": n, "large": large(n)}) for n in range(4)}
        saved(store, state)
        for number in range(3):
            loaded = store.load_workflow_state(state.id)
            loaded.steps["step-1"].outputs = {"n": 100 + number, "large": large(7)}
            loaded.steps["step-2"].outputs = None
            loaded.steps["step-3"].outputs = number
            loaded.steps["copy"] = loaded.steps["step-0"]
            loaded.context["small"] = number
            store.save_workflow_state(loaded)
            assert content(store.load_workflow_state(state.id)) == content(loaded)

    def test_a_state_with_large_values_is_saved_as_another_run(self, store: StateStore) -> None:
        state = run(context={"large": large(1)})
        state.steps = {"step": completed_step("step", large(2))}
        saved(store, state)
        other = store.load_workflow_state(state.id)
        other.id, other.version = run().id, 0
        store.save_workflow_state(other)
        assert content(store.load_workflow_state(other.id)) == content(other)
        assert content(store.load_workflow_state(state.id)) == content(state)

    def test_checkpoints_keep_large_values_that_the_run_has_no_more(self, store: StateStore) -> None:
        state = run(context={"large": large(1)})
        state.steps = {"step": completed_step("step", {"n": 0, "large": large(2)})}
        saved(store, state)
        made = []
        for number in range(1, KEPT_CHECKPOINTS + 3):
            given = checkpoint(store.load_workflow_state(state.id))
            store.create_checkpoint(given)
            made.append(given)
            state.steps["step"].outputs = {"n": number, "large": large(number)}
            state.context["n"] = number
            store.save_workflow_state(state)
        latest = store.get_latest_checkpoint(state.id)
        assert latest is not None
        assert content(latest.snapshot) == content(made[-1].snapshot)
        for kept in made[-KEPT_CHECKPOINTS:]:
            assert content(store.restore_from_checkpoint(kept.id)) == content(kept.snapshot)
        restored = store.restore_from_checkpoint(made[-KEPT_CHECKPOINTS].id)
        store.save_workflow_state(restored)
        assert content(store.load_workflow_state(state.id)) == content(restored)
        store.create_checkpoint(made[-1])

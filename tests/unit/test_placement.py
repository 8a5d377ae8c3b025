"""Values beyond the inline limit go out, one by one, and go when nothing has them any more."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from random import Random
from typing import Any, cast

import pytest

from llm_orchestrator_state.model.payload import payload_problem
from llm_orchestrator_state.model.records import StateRecord
from tests.unit import outputs
from tests.unit.records import Folding, event, running, state, step
from tests.unit.reference_fold import judge

LIMIT = 16
LONG = '"%s"' % ("x" * 20)
OTHER = '"%s"' % ("y" * 20)


def begun(policy: str = "step") -> Folding:
    return running(policy=policy, inline_limit=LIMIT)


def completed(folding: Folding, text: str, step_id: str = "a") -> None:
    assert folding("StepCompleted", step_id=step_id, outputs=text) == "applied"


def released(folding: Folding) -> list[tuple[int, int]]:
    return [(entry["n"], entry["released"]) for entry in folding.run["released_outputs"]]


# --- what goes out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bytes_", "out"), [(LIMIT - 2, False), (LIMIT - 1, True)])
def test_a_value_goes_out_that_would_push_the_inline_bytes_over_the_limit(bytes_: int, out: bool) -> None:
    folding = begun()  # whose context, {}, has two of them
    text = '"%s"' % ("x" * (bytes_ - 2))
    completed(folding, text)
    assert (folding.step()["outputs"] is None) is out
    assert folding.outputs == ({1: text} if out else {})


def test_bytes_count_and_not_characters() -> None:
    folding = begun()
    completed(folding, '"ééééééé"')  # 9 characters, 16 bytes
    assert folding.step()["outputs_ref"] == {
        "n": 1, "bytes": 16, "sha256": hashlib.sha256('"ééééééé"'.encode()).digest(), "born": 0,
    }  # fmt: skip


def test_what_is_inline_stays_and_what_is_small_enough_still_comes_in() -> None:
    folding = begun()
    completed(folding, '"12345678"', "a")
    completed(folding, '"12345"', "b")
    completed(folding, "1234", "c")
    assert [each["outputs"] for each in folding.run["steps"].values()] == ['"12345678"', None, "1234"]
    assert folding.outputs == {1: '"12345"'}


def test_a_step_that_starts_again_makes_room() -> None:
    folding = begun()
    completed(folding, '"12345678901"', "a")
    assert folding("StepStarted", step_id="a") == "applied"
    completed(folding, '"12345678901"', "b")
    assert folding.outputs == {}


def test_a_context_that_is_out_is_the_text_null_and_takes_no_room() -> None:
    folding = Folding(inline_limit=LIMIT)
    assert folding("WorkflowCreated", context=LONG) == "applied"
    assert (folding.run["context"], folding.run["context_ref"] and folding.run["context_ref"]["n"]) == ("null", 1)
    assert folding("WorkflowStarted") == "applied"
    completed(folding, '"12345678901234"')
    assert folding.step()["outputs"] == '"12345678901234"'


def test_a_context_is_merged_wherever_it_is() -> None:
    folding = begun()
    for patch in ('{"a":"%s"}' % ("x" * 30), '{"b":1}', '{"a":null}', '{"b":null}'):
        assert folding("ContextUpdated", patch=patch) == "applied"
    assert (folding.run["context"], folding.run["context_ref"], folding.outputs) == ("{}", None, {})
    assert folding.run["output_count"] == 2


def test_a_given_states_values_are_placed_in_order_the_context_first() -> None:
    folding = begun()
    given = state(
        "running", step("a", "completed", outputs=LONG), step("b", "completed", outputs="12345"),
        step("c", "completed", outputs="123456"), context='"12345678"',
    )  # fmt: skip
    assert folding("WorkflowSaved", state=given) == "applied"
    assert [each["outputs"] for each in folding.run["steps"].values()] == [None, "12345", None]
    assert (folding.run["context"], folding.outputs) == ('"12345678"', {1: LONG, 2: "123456"})


# --- what goes -------------------------------------------------------------------------------------------------------


def test_what_no_checkpoint_has_goes_at_once() -> None:
    folding = begun("requested")
    completed(folding, LONG)
    completed(folding, OTHER)
    assert (folding.outputs, released(folding)) == ({2: OTHER}, [])


@pytest.mark.parametrize("end", ["StepStarted", "StepFailed", "StepCompleted"])
def test_what_a_checkpoint_has_stays_until_ten_more_were_taken(end: str) -> None:
    folding = begun()
    completed(folding, LONG)
    assert folding(end) == "applied"
    taken = folding.run["checkpoint_count"]
    assert (folding.outputs, released(folding)) == ({1: LONG}, [(1, 1)])
    for _ in range(10 - (taken - 1)):
        assert folding.outputs == {1: LONG}
        assert folding("CheckpointRequested") == "applied"
    assert (folding.outputs, released(folding), folding.run["checkpoint_count"]) == ({}, [], 11)


def test_the_checkpoint_of_the_event_itself_counts() -> None:
    folding = begun()
    completed(folding, LONG)  # the checkpoint of this event has it
    assert folding.step()["outputs_ref"] == {**outputs.references(folding.run)[1], "born": 0}
    assert folding.run["checkpoint_count"] == 1


def test_a_deleted_run_leaves_nothing() -> None:
    folding = begun()
    completed(folding, LONG, "a")
    completed(folding, OTHER, "a")
    completed(folding, LONG, "b")
    assert folding("ContextUpdated", patch=LONG) == "applied"
    assert len(folding.outputs) == 4
    assert folding("WorkflowDeleted") == "applied"
    assert folding.outputs == {}


def test_a_run_that_is_begun_anew_counts_from_one() -> None:
    folding = begun()
    completed(folding, LONG)
    assert folding("WorkflowDeleted") == "applied"
    assert folding("WorkflowCreated", context=OTHER) == "applied"
    assert folding.outputs == {1: OTHER}


# --- what comes back -------------------------------------------------------------------------------------------------


def test_a_restored_snapshot_refers_to_a_released_output_again() -> None:
    folding = begun()
    completed(folding, LONG)
    snapshot = copy.deepcopy(folding.run)
    completed(folding, OTHER)
    assert folding("WorkflowRestored", snapshot=snapshot) == "applied"
    assert (released(folding), folding.step()["outputs_ref"]) == ([(2, 2)], snapshot["steps"]["a"]["outputs_ref"])
    for _ in range(30):
        assert folding("CheckpointRequested") == "applied"
    assert folding.outputs == {1: LONG}
    completed(folding, OTHER)
    assert released(folding) == [(1, 32)]


def test_a_requested_checkpoint_of_a_snapshot_keeps_what_that_refers_to() -> None:
    folding = begun()
    completed(folding, LONG)
    snapshot = copy.deepcopy(folding.run)
    completed(folding, "1")
    for _ in range(9):
        assert folding("CheckpointRequested", snapshot=snapshot) == "applied"
    assert (folding.outputs, released(folding)) == ({1: LONG}, [(1, 11)])
    for _ in range(10):
        assert folding.outputs == {1: LONG}
        assert folding("CheckpointRequested") == "applied"
    assert folding.outputs == {}


def test_what_only_a_requested_snapshot_has_goes_with_its_checkpoint() -> None:
    folding = begun()
    given = state("running", step("z", "completed", outputs=LONG), context=OTHER)
    assert folding("CheckpointRequested", snapshot=given) == "applied"
    assert (folding.outputs, released(folding)) == ({1: OTHER, 2: LONG}, [(-1, 1), (2, 1)])
    placed: StateRecord = folding.taken["transition"][1]["snapshot"]
    assert outputs.resolved(placed, folding.outputs) == given
    for _ in range(10):
        assert len(folding.outputs) == 2
        assert folding("CheckpointRequested") == "applied"
    assert folding.outputs == {}


def test_a_given_birth_is_not_believed() -> None:
    folding = begun()
    completed(folding, LONG)
    snapshot = copy.deepcopy(folding.run)
    snapshot["steps"]["a"]["outputs_ref"] = cast(Any, {**outputs.references(snapshot)[1], "born": 2})
    completed(folding, OTHER)
    assert folding("WorkflowRestored", snapshot=snapshot) == "applied"
    assert folding("StepStarted") == "applied"
    assert (released(folding), folding.outputs) == ([(2, 2), (1, 2)], {1: LONG, 2: OTHER})


GONE: list[dict[str, Any]] = [
    {"n": 2}, {"sha256": bytes(32)}, {"bytes": 23},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["WorkflowSaved", "WorkflowRestored", "CheckpointRequested"])
@pytest.mark.parametrize("wrong", GONE, ids=str)
@pytest.mark.parametrize("of", ["context", "step"])
def test_a_state_that_refers_to_what_is_not_there_is_rejected(kind: str, wrong: dict[str, Any], of: str) -> None:
    folding = begun()
    if of == "step":
        completed(folding, LONG)
    else:
        assert folding("ContextUpdated", patch=LONG) == "applied"
    given = copy.deepcopy(folding.run)
    for holder, _, ref in outputs.held(given):
        if holder[ref] is not None:
            holder[ref] = {**holder[ref], **wrong}
    field = "state" if kind == "WorkflowSaved" else "snapshot"
    assert folding(kind, **{field: given}) == "illegal_transition"


def test_a_run_that_does_not_exist_has_no_outputs() -> None:
    folding = begun()
    completed(folding, LONG)
    assert Folding(inline_limit=LIMIT)("WorkflowSaved", state=folding.run) == "illegal_transition"


@pytest.mark.parametrize("live", [True, False])
def test_a_steps_output_is_no_context_and_a_context_no_steps_output(live: bool) -> None:
    folding = begun()
    completed(folding, LONG)
    assert folding("ContextUpdated", patch=OTHER) == "applied"
    refs = outputs.references(folding.run)
    if not live:
        assert folding("CheckpointRequested") == "applied"
        assert folding("WorkflowSaved") == "applied"
        assert released(folding) == [(-2, 2), (1, 2)]
    as_context = state(context="null", context_ref=refs[1])
    as_outputs = state("running", step(outputs_ref=refs[2]))
    for crossed in (as_context, as_outputs):
        assert payload_problem(event("WorkflowRestored", snapshot=crossed)) is None
        assert folding("WorkflowRestored", snapshot=crossed) == "illegal_transition"


def test_of_a_released_context_the_text_is_compared() -> None:
    folding = begun()
    assert folding("ContextUpdated", patch=LONG) == "applied"
    assert folding("CheckpointRequested") == "applied"
    snapshot = copy.deepcopy(folding.run)
    assert folding("ContextUpdated", patch="1") == "applied"
    assert released(folding) == [(-1, 1)]
    wrong = copy.deepcopy(snapshot)
    wrong["context_ref"] = cast(Any, {**outputs.references(wrong)[1], "sha256": bytes(32)})
    assert folding("WorkflowRestored", snapshot=wrong) == "illegal_transition"
    assert folding("WorkflowRestored", snapshot=snapshot) == "applied"
    assert folding("ContextUpdated", patch='{"b":1}') == "applied"


# --- every history ---------------------------------------------------------------------------------------------------


class Compared:
    """One history folded three ways: as it is, by the second implementation, and with everything inline."""

    def __init__(self, policy: str) -> None:
        self.folding = Folding(policy=policy, inline_limit=outputs.LIMIT)
        self.inline = Folding(policy=policy)
        self.reference: Any = None
        self.texts: dict[int, str] = {}
        self.policy = policy
        self.checkpoints: dict[int, tuple[StateRecord, StateRecord]] = {}
        """The kept ones by slot: as written, and with every value in its place."""
        self.seen: list[StateRecord] = []

    def take(self, one: Any) -> str:
        folding, before = self.folding, self.folding.run["checkpoint_count"] if self.folding.state else 0
        whole = self._resolved_event(one)
        expected, self.reference = judge(self.reference, one, self.policy, outputs.LIMIT, self.texts)
        verdict = folding.take(one)
        assert verdict == expected, one
        assert folding.state == self.reference, one
        assert folding.outputs == self.texts, one
        if verdict == "applied":
            assert self.inline.take(whole) == "applied"
        if folding.state is None:
            assert (self.inline.state, folding.outputs) == (None, {})
            self.checkpoints.clear()
            self.seen.clear()
            return verdict
        if verdict == "applied" and folding.run["checkpoint_count"] != before:
            snapshot = copy.deepcopy(folding.taken["transition"][1].get("snapshot") or folding.run)
            self.checkpoints[folding.run["checkpoint_count"] % 10] = (
                snapshot,
                outputs.resolved(snapshot, folding.outputs),
            )
        self.check()
        self.seen.append(copy.deepcopy(folding.run))
        return verdict

    def check(self) -> None:
        run = self.folding.run
        assert outputs.inline(run) <= outputs.LIMIT
        waiting = [abs(entry["n"]) for entry in run["released_outputs"]]
        assert sorted(self.folding.outputs) == sorted([*outputs.references(run), *waiting]), "nothing is left over"
        for snapshot, whole in self.checkpoints.values():
            assert outputs.resolved(snapshot, self.folding.outputs) == whole
        alike = {"output_count": 0, "released_outputs": []}
        assert {**outputs.resolved(run, self.folding.outputs), **alike} == {**self.inline.run, **alike}

    def _resolved_event(self, one: Any) -> Any:
        kind, fields = one["transition"]
        fields = dict(fields)
        for name in ("state", "snapshot"):
            if fields.get(name) is not None:
                given = copy.deepcopy(fields[name])
                for holder, value, ref in outputs.held(given):
                    if holder[ref] is not None and holder[ref]["n"] in self.texts:
                        holder[value], holder[ref] = self.texts[holder[ref]["n"]], None
                fields[name] = given
        return {**one, "transition": (kind, fields)}


@pytest.mark.parametrize("policy", ["step", "requested", "off"])
def test_every_history_leads_to_what_a_second_implementation_makes_of_it_and_to_the_same_values(policy: str) -> None:
    rng = Random(policy)
    met: Counter[str] = Counter()
    for _ in range(40):
        compared = Compared(policy)
        for one in outputs.plain_history(rng):
            given = outputs.with_given_states(rng, compared.seen, one)
            if payload_problem(given) is None:
                met[f"{given['transition'][0]} {compared.take(cast(Any, given))}"] += 1
        met["out"] += len(compared.folding.outputs)
        met["checkpoints"] += compared.folding.state["checkpoint_count"] > 12 if compared.folding.state else 0
    for kind in ("WorkflowSaved", "WorkflowRestored", "CheckpointRequested"):
        assert met[f"{kind} applied"] > 20
        assert met[f"{kind} illegal_transition"] > 5
    assert met["out"] > 10
    assert met["checkpoints"] > 5 or policy == "off"

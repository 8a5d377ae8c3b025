"""What holds for every sequence of events."""

from __future__ import annotations

import copy
from collections import Counter
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orchestrator_state.model.payload import payload_problem
from llm_orchestrator_state.model.records import EventRecord, StateRecord
from llm_orchestrator_state.wire.codec import KeptState
from tests.unit.histories import WEIGHTED, histories, random_history
from tests.unit.records import Folding, event
from tests.unit.reference_fold import judge

policies = st.sampled_from(["step", "requested", "off"])


def encoded(state: StateRecord | None) -> bytes | None:
    return None if state is None else KeptState(state, 0).encode()


def both(history: list[EventRecord], policy: str) -> Counter[str]:
    """Folds the history twice, and compares after each event; returns how often each verdict was given."""
    folding, reference = Folding(policy=policy), cast("dict[str, Any] | None", None)
    verdicts: Counter[str] = Counter()
    for number, one in enumerate(history):
        assert payload_problem(one) is None
        expected, reference = judge(reference, cast(Any, one), policy)
        verdict = folding.take(one)
        assert verdict == expected, f"event {number}: {one}"
        assert folding.state == reference, f"event {number}: {one}"
        assert encoded(folding.state) == encoded(cast("StateRecord | None", reference)), "the order of steps differs"
        verdicts[f"{one['transition'][0]} {verdict}"] += 1
    return verdicts


@settings(max_examples=60)
@given(histories(), policies)
def test_a_second_implementation_gives_the_same_verdicts_and_states(history: list[EventRecord], policy: str) -> None:
    both(history, policy)


def test_long_random_histories_meet_every_verdict_and_both_implementations_agree_on_all() -> None:
    rng = Random(20260105)
    met: Counter[str] = Counter()
    for _ in range(150):
        met += both(random_history(rng), rng.choice(["step", "requested", "off"]))
    assert {f"{kind} applied" for kind in WEIGHTED} <= met.keys()
    assert {key.split()[1] for key in met} == {
        "applied", "duplicate", "unknown_run", "run_exists", "fenced", "stale_attempt", "version_conflict",
        "illegal_transition",
    }  # fmt: skip


@settings(max_examples=40)
@given(histories())
def test_the_version_counts_applied_events_and_attempts_never_go_down(history: list[EventRecord]) -> None:
    folding = Folding()
    for one in history:
        version = folding.state["version"] if folding.state else 0
        attempts = {name: step["attempt"] for name, step in folding.state["steps"].items()} if folding.state else {}
        verdict = folding.take(one)
        if folding.state is not None:
            assert folding.run["version"] == version + (verdict == "applied")
            for name, step in folding.run["steps"].items():
                assert step["attempt"] >= attempts.get(name, 0)


@settings(max_examples=40)
@given(histories())
def test_every_state_that_the_fold_makes_can_be_saved_again(history: list[EventRecord]) -> None:
    folding = Folding()
    for one in history:
        folding.take(one)
    if folding.state is not None:
        assert payload_problem(event("WorkflowSaved", state=folding.run)) is None
        before = copy.deepcopy(folding.run)
        assert folding("WorkflowSaved", state=folding.run) == "applied"
        unlike = {name for name, value in folding.run.items() if value != before[name]}  # type: ignore[literal-required]
        assert unlike == {"version", "last_event_id", "recent_event_ids"}


@pytest.mark.parametrize("policy", ["step", "requested", "off"])
def test_the_policy_changes_nothing_but_the_count_of_checkpoints(policy: str) -> None:
    rng = Random(7)
    for _ in range(20):
        history = random_history(rng)
        one, other = Folding(policy=policy), Folding(policy="step")
        for each in history:
            assert one.take(each) == other.take(each)
        assert (one.state is None) is (other.state is None)
        if one.state is not None:
            assert {**one.run, "checkpoint_count": 0} == {**other.run, "checkpoint_count": 0}

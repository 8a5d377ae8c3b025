"""Random histories of one or a few runs: untidy, but with enough sense that most of them get somewhere."""

from __future__ import annotations

import uuid
from random import Random
from typing import Any

from hypothesis import strategies as st

from llm_orchestrator_state.model.records import EventRecord
from tests.unit.records import FIELDS, RUN, T0, event, state, step

STEPS = ("a", "b", "fan[1]")
WEIGHTED = (
    "WorkflowStarted", "WorkflowPaused", "WorkflowResumed", "WorkflowResumed", "WorkflowCompleted", "WorkflowFailed",
    "ContextUpdated", "ContextUpdated", "StepCreated", "StepStarted", "StepStarted", "StepStarted", "StepCompleted",
    "StepCompleted", "StepCompleted", "StepFailed", "StepFailed", "StepRetried", "StepRetried", "StepSkipped",
    "StepHeartbeat", "CheckpointRequested", "CheckpointRequested", "CheckpointsTrimmed", "WorkflowSaved",
    "WorkflowRestored", "WorkflowDeleted", "WorkflowCreated", "WorkflowCreated",
)  # fmt: skip
CONTEXTS = ("{}", '{"a":1.50,"b":{"c":"\\u00e9"}}', "[1,2]", ' {"z" : -0 } ', "null")
PATCHES = ('{"a":null}', '{"b":{"c":2,"d":[1e3]}}', "{}", "7", '{"n":1,"n":2}')
USAGES: tuple[dict[str, int], ...] = ({}, {}, {"in": 3}, {"in": 2**62, "cost": 1})


def _state(run: str, number: int) -> Any:
    """One of a few states to save or to restore."""
    given = (
        state("running", step("b", "running", attempt=2, started_at=T0), step("a", "completed", attempt=1, outputs="1")),
        state("failed", step("a", "running", attempt=1), error="of old", completed_at=T0 + 3, status_reason="r"),
        state("completed", step("c", "skipped", status_reason="s"), context='{"k":1}', usage={"in": 1}, labels={"l": "v"}),
        state("pending", fencing_token=9, version=99, checkpoint_count=50, recent_event_ids=b"12345678", updated_at=T0 - 9),
    )[number]  # fmt: skip
    return {**given, "id": run}


def _fields(kind: str, run: str, draw: list[int]) -> dict[str, Any]:
    one, two, three = draw
    fields: dict[str, Any] = {}
    if "step_id" in FIELDS[kind]:
        fields["step_id"] = STEPS[one % 3]
    if "attempt" in FIELDS[kind]:
        fields["attempt"] = (None, None, 1, 1, 2, 2, 3, 4)[two % 8]
    if "usage" in FIELDS[kind]:
        fields["usage"] = USAGES[three % 4]
    if "reason" in FIELDS[kind]:
        fields["reason"] = (None, "why")[two % 2]
    more: dict[str, Any] = {
        "StepCompleted": {"outputs": (None, '{"o":1}', "[]")[three % 3]},
        "StepFailed": {"error_type": (None, "TimeoutError")[three % 2]},
        "WorkflowCreated": {"context": CONTEXTS[one % 5], "user_id": (None, "u")[two % 2], "labels": {"team": "x"}},
        "WorkflowFailed": {"error_type": (None, "cancelled")[two % 2]},
        "ContextUpdated": {"patch": PATCHES[one % 5]},
        "CheckpointRequested": {"checkpoint_id": (None, str(uuid.UUID(int=two)))[three % 2]},
        "CheckpointsTrimmed": {"keep": (0, 1, 3, 20)[two % 4]},
    }
    fields |= more.get(kind, {})
    if kind == "CheckpointRequested" and two % 3 == 0:
        fields |= {"snapshot": _state(run, one % 4), "timestamp": T0 + two}
    for name in ("state", "snapshot"):
        if kind in ("WorkflowSaved", "WorkflowRestored") and name in FIELDS[kind]:
            fields[name] = _state(run, one % 4)
    return fields


def _event(runs: tuple[str, ...], kind: str, draw: tuple[int, ...]) -> EventRecord:
    of, one, two, three, at, number, odd = draw
    run = runs[of % len(runs)]
    return event(
        kind,
        run=run if one else run.upper(),
        at=T0 + at,
        id=str(uuid.UUID(int=(number << 64) + of + 1)),
        token=(1, 2, 3)[odd % 3] if odd > 24 else None,
        expected=odd % 12 if 18 < odd < 22 else None,
        **_fields(kind, run, [one, two, three]),
    )


def events(runs: tuple[str, ...] = (RUN,)) -> st.SearchStrategy[EventRecord]:
    """One event. Its id is one of a few hundred, so that some occur twice."""
    small = st.integers(0, 12)
    draw = st.tuples(
        st.integers(0, 5), small, small, small, st.integers(-3, 9), st.integers(0, 300), st.integers(0, 30)
    )
    return st.builds(lambda kind, numbers: _event(runs, kind, numbers), st.sampled_from(WEIGHTED), draw)


def histories(runs: tuple[str, ...] = (RUN,), most: int = 60) -> st.SearchStrategy[list[EventRecord]]:
    """Events in any order, some of them twice, most of them after their runs' creation and start."""
    begin = [event(kind, run=run) for run in runs for kind in ("WorkflowCreated", "WorkflowStarted")]
    some = st.lists(events(runs), max_size=most)
    return st.builds(
        lambda tidy, rest: [*(begin if tidy else []), *rest], st.sampled_from([True, True, True, False]), some
    )


def random_history(rng: Random, runs: tuple[str, ...] = (RUN,), size: int = 60) -> list[EventRecord]:
    """The same without hypothesis, so that a thousand of them cost little."""
    rest = [_event(runs, rng.choice(WEIGHTED), _numbers(rng)) for _ in range(size)]
    if rng.random() < 0.2:
        return rest
    return [event(kind, run=run) for run in runs for kind in ("WorkflowCreated", "WorkflowStarted")] + rest


def _numbers(rng: Random) -> tuple[int, ...]:
    small = [rng.randrange(13) for _ in range(3)]
    return (rng.randrange(6), *small, rng.randrange(-3, 10), rng.randrange(300), rng.randrange(31))

"""Histories in which values go out, and what must then hold."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, cast

from llm_orchestrator_state.model.records import EventRecord, StateRecord
from tests.unit.histories import random_history
from tests.unit.partition import KEY, Partition
from tests.unit.records import RUN, event

LIMIT = 16
"""Of inline bytes: of the values in histories.py some fit by themselves, few together."""


def held(state: StateRecord) -> list[tuple[Any, str, str]]:
    """Whatever may hold a value of the state: the record, the value's field, and the reference's."""
    return [(state, "context", "context_ref"), *((step, "outputs", "outputs_ref") for step in state["steps"].values())]


def references(state: StateRecord) -> dict[int, Any]:
    return {holder[ref]["n"]: holder[ref] for holder, _, ref in held(state) if holder[ref] is not None}


def resolved(state: StateRecord, outputs: Mapping[int, str]) -> StateRecord:
    """With every value in its place; fails where one is missing or another than was referred to."""
    whole = copy.deepcopy(state)
    for holder, value, ref in held(whole):
        if (reference := holder[ref]) is not None:
            assert holder[value] == ("null" if value == "context" else None)
            encoded = outputs[reference["n"]].encode()
            assert (len(encoded), hashlib.sha256(encoded).digest()) == (reference["bytes"], reference["sha256"])
            holder[value], holder[ref] = outputs[reference["n"]], None
    return whole


def inline(state: StateRecord) -> int:
    """Bytes of values in the state itself."""
    return sum(len(holder[value].encode()) for holder, value, ref in held(state)
               if holder[ref] is None and holder[value] is not None)  # fmt: skip


def with_given_states(rng: Random, seen: Sequence[StateRecord], one: EventRecord) -> EventRecord:
    """The event, or in its place one that gives a state from before, as it was or with something wrong in it.

    seen: those of the run since it was begun, the last one at the end.
    """
    if not seen or rng.random() < 0.7:
        return one
    given = copy.deepcopy(rng.choice(seen[-12:]) if rng.random() < 0.8 else rng.choice(seen))
    if rng.random() < 0.2:
        _spoil(rng, given, references(seen[-1]))
    kind = rng.choice(("WorkflowSaved", "WorkflowRestored", "WorkflowRestored", "CheckpointRequested"))
    if kind == "WorkflowSaved":
        return event(kind, run=one["run_id"], state=given)
    return event(kind, run=one["run_id"], snapshot=given)


def _spoil(rng: Random, given: StateRecord, live: Mapping[int, Any]) -> None:
    for holder, value, ref in held(given):
        if holder[ref] is None or rng.random() < 0.3:
            continue
        fault = rng.randrange(5)
        if fault in (0, 2) and holder[ref]["n"] not in live and value != "context":
            continue  # of a released output of a step the state knows nothing but its number
        if fault == 0:
            holder[ref]["sha256"] = bytes(32)
        elif fault == 1:
            holder[ref]["n"] += 1000
        elif fault == 2:
            holder[ref]["bytes"] += 1
        elif fault == 3:
            holder[ref]["born"] = rng.randrange(99)  # is not believed
        else:
            holder[ref], holder[value] = None, rng.choice(('"another"', '"one that is much too long to stay"'))


def plain_history(rng: Random, size: int = 150) -> list[EventRecord]:
    """Of one run that goes on for long enough that checkpoints wrap around."""
    some = random_history(rng, (RUN,), size)
    more = ("StepStarted", "StepCompleted", "StepCompleted", "ContextUpdated", "WorkflowResumed")
    untimely = ("WorkflowDeleted", "WorkflowCompleted", "WorkflowFailed")
    return [
        _large(rng, event(rng.choice(more))) if rng.random() < 0.5 else one
        for one in some
        if one["transition"][0] not in untimely or rng.random() < 0.2
    ]


def _large(rng: Random, one: EventRecord) -> EventRecord:
    kind, fields = one["transition"]
    text = rng.choice(('"é"', '"%s"' % ("y" * rng.randrange(20)), '{"é":"%s"}' % ("z" * rng.randrange(30))))
    values: dict[str, dict[str, Any]] = {"StepCompleted": {"outputs": text}, "ContextUpdated": {"patch": text}}
    step = {"step_id": rng.choice("abc")} if "step_id" in fields else {}
    return cast(EventRecord, {**one, "transition": (kind, {**fields, **values.get(kind, {}), **step})})


def with_limit(cache_bytes: int = 1 << 30) -> Partition:
    """A partition of a topic set with a limit that is soon reached."""
    return Partition(inline_limit=LIMIT, cache_bytes=cache_bytes)


def contexts(made: Partition) -> dict[bytes, bytes]:
    """Those that its store has."""
    return dict(made.store._contexts)


def lived(rng: Random, size: int = 150) -> Partition:
    """One run's history, with given states that refer to what was there, each event in a commit of its own."""
    made, seen = with_limit(cache_bytes=rng.choice((0, 1 << 30))), list[StateRecord]()
    for one in plain_history(rng, size):
        kept = [checkpoint["snapshot"] for checkpoint in made.snapshots()] if rng.random() < 0.2 else []
        given = with_given_states(rng, [*seen, *kept, *seen[-1:]], one)
        made.settle(given)
        now = made.state()
        seen = [] if now is None else [*seen, now]
        if rng.random() < 0.2:
            check(made)
    check(made)
    return made


def check(made: Partition) -> None:
    """Whoever reads the topics finds whatever they are referred to, and nobody keeps what nobody needs."""
    texts = {int(key.rpartition(b"/")[2]): value.decode() for key, value in made.compacted_outputs().items()}
    now = made.state()
    waiting = [] if now is None else [entry["n"] for entry in now["released_outputs"]]
    named = set(map(abs, waiting))
    for each in [*([now] if now else []), *(checkpoint["snapshot"] for checkpoint in made.snapshots())]:
        resolved(each, texts)
        named |= references(each).keys()
    assert texts.keys() == named
    kept = {-n for n in waiting if n < 0}
    if now is not None and now["context_ref"] is not None:
        kept.add(now["context_ref"]["n"])
    assert contexts(made) == {b"%s/%d" % (KEY, n): texts[n].encode() for n in kept}

"""Random values of the model, for property tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from operator import neg
from typing import Any

from hypothesis import strategies as st

from llm_orchestrator_state.model import (
    KINDS,
    Checkpoint,
    OutputRef,
    ParentStep,
    ReleasedOutput,
    StepState,
    StepStatus,
    TransitionEvent,
    WorkflowState,
    WorkflowStatus,
)
from llm_orchestrator_state.model.limits import MAX_INT, MAX_LONG
from llm_orchestrator_state.wire.schemas import Schema, current

texts = st.text(st.characters(codec="utf-8"), max_size=12)
longs = st.integers(0, MAX_LONG)
ints = st.integers(0, MAX_INT)
attempts = st.none() | st.integers(1, MAX_INT)
counts = st.dictionaries(texts, longs, max_size=2)
labels = st.dictionaries(texts, texts, max_size=2)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))])
instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones)  # noqa: DTZ001
optional_instants = st.none() | instants
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)

references = st.none() | st.builds(OutputRef, n=longs, bytes=longs, sha256=st.binary(max_size=32), born=longs)
parents = st.none() | st.builds(ParentStep, id=st.uuids(), step_id=texts)

steps = st.builds(
    StepState,
    step_id=texts,
    status=st.sampled_from([each for each in StepStatus if each is not StepStatus.UNKNOWN]),
    started_at=optional_instants,
    completed_at=optional_instants,
    outputs=json_values,
    error=st.none() | texts,
    retry_count=ints,
    attempt=ints,
    error_type=st.none() | texts,
    status_reason=st.none() | texts,
    usage=counts,
    outputs_ref=references,
)

states = st.builds(
    WorkflowState,
    id=st.uuids(),
    workflow_id=texts,
    workflow_name=texts,
    status=st.sampled_from([each for each in WorkflowStatus if each is not WorkflowStatus.UNKNOWN]),
    user_id=st.none() | texts,
    started_at=instants,
    updated_at=instants,
    completed_at=optional_instants,
    context=json_values,
    error=st.none() | texts,
    steps=st.lists(steps, max_size=3).map(lambda found: {step.step_id: step for step in found}),
    version=longs,
    last_event_id=st.none() | st.uuids(),
    recent_event_ids=st.binary(min_size=8, max_size=8) | st.just(b""),
    fencing_token=st.none() | longs,
    checkpoint_count=longs,
    output_count=longs,
    released_outputs=st.lists(st.builds(ReleasedOutput, n=longs | longs.map(neg), released=longs), max_size=2),
    context_ref=references,
    error_type=st.none() | texts,
    status_reason=st.none() | texts,
    labels=labels,
    parent=parents,
    usage=counts,
)

checkpoints = st.builds(
    Checkpoint,
    id=st.uuids(),
    workflow_state_id=st.uuids(),
    step_id=texts,
    timestamp=instants,
    snapshot=states,
    version=longs,
)

_FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "WorkflowCreated": {
        "workflow_id": texts,
        "workflow_name": texts,
        "user_id": st.none() | texts,
        "context": json_values,
        "labels": labels,
        "parent": parents,
    },
    "WorkflowPaused": {"reason": st.none() | texts},
    "WorkflowFailed": {"error": texts, "error_type": st.none() | texts},
    "ContextUpdated": {"patch": json_values},
    "StepCreated": {"step_id": texts},
    "StepStarted": {"step_id": texts, "attempt": attempts, "inputs": json_values},
    "StepCompleted": {"step_id": texts, "attempt": attempts, "outputs": json_values, "usage": counts},
    "StepFailed": {
        "step_id": texts,
        "attempt": attempts,
        "error": texts,
        "error_type": st.none() | texts,
        "usage": counts,
    },
    "StepRetried": {"step_id": texts, "attempt": attempts},
    "StepSkipped": {"step_id": texts, "reason": st.none() | texts},
    "StepHeartbeat": {"step_id": texts, "attempt": attempts},
    "CheckpointRequested": {
        "step_id": texts,
        "checkpoint_id": st.none() | st.uuids(),
        "timestamp": optional_instants,
        "snapshot": st.none() | states,
    },
    "CheckpointsTrimmed": {"keep": ints},
    "WorkflowSaved": {"state": states},
    "WorkflowRestored": {"checkpoint_id": st.uuids(), "snapshot": states},
}

transitions = st.sampled_from(sorted(KINDS)).flatmap(lambda name: st.builds(KINDS[name], **_FIELDS.get(name, {})))

events = st.builds(
    TransitionEvent,
    event_id=st.uuids(),
    run_id=st.uuids(),
    occurred_at=instants,
    expected_version=st.none() | longs,
    fencing_token=st.none() | longs,
    transition=transitions,
)

edges = st.sampled_from([0, 1, -1, 63, 64, -64, -65, 8191, 8192, 2**48, 2**55, -(2**55), MAX_LONG, -MAX_LONG - 1])


def data_of(schema: Schema, named: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    """Any data of a schema that schemas.current() gives, legal for the model or not, as records."""
    named = {} if named is None else named
    if isinstance(schema, list):
        if schema[0] == "null":
            return st.none() | data_of(schema[1], named)
        return st.one_of([st.tuples(st.just(branch["name"]), data_of(branch, named)) for branch in schema])
    if isinstance(schema, str):
        return named[schema] if schema in named else _PRIMITIVES[schema]
    make = {"record": _record, "enum": _enum, "map": _map, "array": _array}.get(schema["type"])
    strategy = make(schema, named) if make else data_of(schema["type"], named)
    if "name" in schema:
        named[schema["name"]] = strategy
    return strategy


def data_of_field(record: str, name: str) -> st.SearchStrategy[Any]:
    """Any data of one field of a record."""
    named: dict[str, Any] = {}
    return next(data for field in current(record)["fields"] for data in [data_of(field["type"], named)]
                if field["name"] == name)  # fmt: skip


_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-MAX_INT - 1, MAX_INT),
    "long": edges | st.integers(-MAX_LONG - 1, MAX_LONG),
    "bytes": st.binary(max_size=20),
    "string": texts | st.sampled_from(["", "x" * 63, "x" * 64, "é" * 64, "x" * 9000]),
}


def _record(schema: Schema, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({field["name"]: data_of(field["type"], named) for field in schema["fields"]})


def _enum(schema: Schema, _named: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(schema["symbols"])


def _map(schema: Schema, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(texts, data_of(schema["values"], named), max_size=3)


def _array(schema: Schema, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.lists(data_of(schema["items"], named), max_size=3)

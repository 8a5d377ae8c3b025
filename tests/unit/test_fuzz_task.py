"""Garbage through the whole of the processor's judging: each record gets one verdict, and none stops the worker."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from llm_orchestrator_state.kafka.headers import number
from llm_orchestrator_state.model import WorkflowState
from llm_orchestrator_state.testing import InMemoryPipeline
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.schemas import current
from tests.unit.fuzz import EVENTS, damaged, fuzzed
from tests.unit.partition import Partition, header
from tests.unit.records import OTHER_RUN, RUN, event
from tests.unit.strategies import data_of
from tests.unit.test_fuzz_wire import NEWER, UNBOUNDED, _with
from tests.unit.versions import FakeRegistry, confluent, newer_event, older_event

REGISTRY = FakeRegistry(
    {1: current("TransitionEvent"), 2: newer_event(), 3: older_event(), 4: "string", 5: current("WorkflowState"),
     **{10 + n: _with(kind) for n, (kind, _) in enumerate(UNBOUNDED.values())}}
)  # fmt: skip
KEYS = [
    RUN.encode(),
    RUN.encode(),
    RUN.encode(),
    OTHER_RUN.encode(),
    None,
    b"",
    b"order-7",
    b"\xff" * 3,
    RUN.upper().encode(),
    b"x" * 5000,
]
keys = st.booleans().flatmap(lambda right: st.just(KEYS[0]) if right else st.sampled_from(KEYS))

# any numbers and texts the schema allows, of one run, so that they meet each other
extreme = st.builds(
    lambda event, event_id: Codec().encode_event(_of_run(event, str(event_id))),
    data_of(current("TransitionEvent")),
    st.uuids(),
)
others = st.builds(confluent, st.sampled_from([*REGISTRY.schemas, 77]), damaged(NEWER))
bad = st.none() | st.just(b"") | damaged(EVENTS) | others
values = st.sampled_from([extreme, extreme, extreme, bad, bad]).flatmap(lambda strategy: strategy)
logs = st.lists(st.tuples(keys, values), max_size=40)


def _counted(value: Any) -> Any:
    """Its numbers without their signs."""
    match value:
        case int():
            return abs(value) % 2**31 or 1
        case dict():
            return {name: abs(each) % 2**63 if isinstance(each, int) else each for name, each in value.items()}
    return value


def _of_run(event: Any, event_id: str) -> Any:
    kind, fields = event["transition"]
    for name in ("state", "snapshot"):
        if fields.get(name) is not None:
            fields = {**fields, name: {**fields[name], "id": RUN, "status": "running", "context": "{}",
                                       "last_event_id": None, "context_ref": None, "parent": None}}  # fmt: skip
    for name in ("context", "patch", "inputs", "outputs"):
        if fields.get(name) is not None:
            fields = {**fields, name: "{}"}
    if fields.get("parent") is not None:
        fields = {**fields, "parent": None}
    fields = {name: _counted(value) for name, value in fields.items()}
    return {**event, "event_id": event_id, "run_id": RUN, "expected_version": None,
            "occurred_at": event["occurred_at"] % 10**15, "fencing_token": None, "transition": (kind, fields)}  # fmt: skip


@fuzzed
@given(logs, st.integers(1, 9))
def test_fuzz_every_record_of_any_log_has_one_verdict_and_every_state_can_be_read_again(log: Any, batch: int) -> None:
    partition = Partition(codec=Codec(REGISTRY))
    partition.publish(event("WorkflowCreated"), event("WorkflowStarted"))
    for key, value in log:
        partition.append(key, value)
    while partition.task.position < len(partition.log):
        partition.judge(batch)
        partition.commit()
    counts = partition.task.counts
    assert counts.applied + counts.duplicate + counts.all_rejected == 2 + len(log)
    assert len(partition.rejections) == counts.all_rejected
    places = [number(header(record, "source-offset")) for record in partition.rejections]
    assert len(set(places)) == len(places)
    for record in partition.rejections:
        assert record.value == partition.log[int(header(record, "source-offset"))].value()
    for state in dict(partition.store.items()).values():
        found = partition.codec.decode_state(state)
        assert partition.codec.keep_state(state).record == found
        assert partition.codec.encode_state(found) == state
    for checkpoint in partition.compacted_checkpoints().values():
        partition.codec.decode_checkpoint(checkpoint)


@fuzzed
@given(logs)
def test_fuzz_what_the_pipeline_makes_of_any_log_can_be_read_as_objects_and_a_good_run_goes_on(log: Any) -> None:
    pipeline = InMemoryPipeline()
    run = uuid4()
    with pipeline.publisher() as publisher:
        handle = publisher.workflow("good", run_id=run)
        with handle, handle.step("work"):
            for key, value in log:
                pipeline.publish_bytes(key or b"", value)
    good = pipeline.state(run)
    assert good is not None
    assert good.status == "completed"
    assert len(pipeline.checkpoints(run)) == 1
    for state in pipeline.states():
        assert WorkflowState.from_json(state.to_json()) == state
        pipeline.checkpoints(state.id)

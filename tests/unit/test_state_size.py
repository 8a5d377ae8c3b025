"""The largest state: decided before anything is written, and the same wherever commits fall."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llm_orchestrator_state.engine import size_limit
from llm_orchestrator_state.model.limits import MAX_STATE_BYTES
from llm_orchestrator_state.wire.codec import Codec, KeptState
from tests.unit.partition import KEY, Partition
from tests.unit.records import event, state
from tests.unit.versions import FakeRegistry

SMALL = 20_000
"""A limit that tests reach without writing megabytes."""


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_limit, "MAX_STATE_BYTES", SMALL)


def begun(**given: Any) -> Partition:
    partition = Partition("step", **given)
    partition.settle(event("WorkflowCreated"), event("WorkflowStarted"))
    return partition


def checkpoint_bytes(partition: Partition) -> int:
    """The last checkpoint's size without its framing."""
    value = partition.checkpoints[-1].value
    assert value is not None
    return len(value) - (10 if value[0] else 5)


def fitting(limit: int, **given: Any) -> int:
    """The length of a string that makes a checkpoint of exactly the limit, asked for in the run's third event."""
    partition = begun(**given)
    partition.settle(_request(limit - 1000))
    return 2 * limit - 1000 - checkpoint_bytes(partition)


def _request(length: int) -> Any:
    """The step id is part of the checkpoint only: the size is that of the checkpoint, not of the state."""
    return event("CheckpointRequested", step_id="x" * length)


@pytest.mark.parametrize("registry", [False, True])
def test_a_checkpoint_right_at_the_limit_is_taken_and_one_byte_more_is_not(small_limit: None, registry: bool) -> None:
    codec = Codec(FakeRegistry({})) if registry else Codec()
    length = fitting(SMALL, codec=codec)
    partition = begun(codec=codec)
    before = partition.state()
    partition.settle(_request(length + 1))
    assert (partition.codes(), partition.state()) == (["state_too_large"], before)
    partition.settle(_request(length))
    assert partition.codes() == ["state_too_large"]
    assert checkpoint_bytes(partition) == SMALL


def test_the_real_limit_is_that_of_the_format() -> None:
    length = fitting(MAX_STATE_BYTES)
    partition = begun()
    partition.settle(_request(length + 1), _request(length))
    assert partition.codes() == ["state_too_large"]
    assert checkpoint_bytes(partition) == MAX_STATE_BYTES


GROWING: list[dict[str, Any]] = [
    {"kind": "StepCompleted", "step_id": "s", "outputs": '"%s"'},
    {"kind": "StepCompleted", "step_id": "%s"},
    {"kind": "StepCreated", "step_id": "%s"},
    {"kind": "StepStarted", "step_id": "%s"},
    {"kind": "StepFailed", "step_id": "s", "error": "%s"},
    {"kind": "StepSkipped", "step_id": "s", "reason": "%s"},
    {"kind": "StepFailed", "step_id": "s", "usage": {"%s": 1}},
    {"kind": "WorkflowPaused", "reason": "%s"},
    {"kind": "WorkflowFailed", "error": "%s"},
    {"kind": "ContextUpdated", "patch": '{"a":"%s"}'},
    {"kind": "WorkflowSaved", "state": {"context": '"%s"'}},
    {"kind": "WorkflowRestored", "snapshot": {"labels": {"l": "%s"}}},
    {"kind": "CheckpointRequested", "snapshot": {"context": '"%s"'}},
]


def growing(template: dict[str, Any], length: int, **given: Any) -> Any:
    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("%s", "x" * length)
        return {filled(name): filled(inner) for name, inner in value.items()} if isinstance(value, dict) else value

    fields = {name: filled(value) for name, value in template.items() if name != "kind"}
    for name in ("state", "snapshot"):
        if name in fields:
            fields[name] = state(**fields[name])
    return event(template["kind"], **fields, **given)


def codes(one: Any, *, together: bool) -> list[str]:
    partition = Partition()
    before = [event("WorkflowCreated"), event("WorkflowStarted"), *(event("WorkflowResumed") for _ in range(9))]
    if together:
        partition.settle(*before, one)
    else:
        for each in (*before, one):
            partition.settle(each)
    return partition.codes()


@pytest.mark.parametrize("template", GROWING, ids=lambda template: f"{template['kind']}-{list(template)[-1]}")
def test_a_verdict_on_size_does_not_depend_on_where_commits_fall(small_limit: None, template: dict[str, Any]) -> None:
    fits, too_long = 0, SMALL
    while too_long - fits > 1:
        length = (fits + too_long) // 2
        if codes(growing(template, length), together=False):
            too_long = length
        else:
            fits = length
    for length in range(fits - 2, too_long + 3):
        one = growing(template, length)
        assert codes(one, together=True) == codes(one, together=False) == ["state_too_large"] * (length > fits)


@pytest.mark.parametrize("template", GROWING, ids=lambda template: f"{template['kind']}-{list(template)[-1]}")
def test_no_state_and_no_checkpoint_passes_the_limit(small_limit: None, template: dict[str, Any]) -> None:
    rejected = 0
    for length in range(4500, 20_500, 487):
        partition = begun()
        partition.settle(event("StepStarted", step_id="s"), growing(template, length))
        rejected += len(partition.codes())
        sizes = [len(value) - 10 for _, value in partition.store.items()]
        sizes += [len(record.value) - 10 for record in partition.checkpoints if record.value]
        assert max(sizes) <= SMALL
        assert partition.codes() in ([], ["state_too_large"])
    assert rejected > 0


def test_a_run_at_the_limit_can_still_shrink(small_limit: None) -> None:
    partition = begun()
    partition.settle(event("ContextUpdated", patch='{"a":"%s"}' % ("x" * 19_000)))
    partition.settle(event("ContextUpdated", patch='{"b":"%s"}' % ("x" * 2_000)))
    partition.settle(event("ContextUpdated", patch='{"a":null}'))
    partition.settle(event("ContextUpdated", patch='{"b":"%s"}' % ("x" * 2_000)))
    assert partition.codes() == ["state_too_large"]


def test_a_run_at_the_limit_can_be_deleted_and_takes_duplicates(small_limit: None) -> None:
    partition = begun()
    large = event("ContextUpdated", patch='{"a":"%s"}' % ("x" * 19_000))
    partition.settle(large, large)
    partition.settle(large, event("WorkflowDeleted"))
    assert (partition.codes(), partition.state()) == ([], None)


def test_only_a_snapshot_that_is_written_counts(small_limit: None) -> None:
    snapshot = state(released_outputs=[{"n": 1, "released": 1}] * 9000)
    assert len(KeptState(snapshot, 0).encode()) > 18_000
    partition = begun()
    partition.settle(event("WorkflowRestored", snapshot={**snapshot, "context": '"%s"' % ("x" * 3000)}))
    assert partition.codes() == []
    partition.settle(event("CheckpointRequested", snapshot={**snapshot, "context": '"%s"' % ("x" * 3000)}))
    assert partition.codes() == ["state_too_large"]


def test_an_earlier_reason_comes_before_the_size(small_limit: None) -> None:
    partition = begun()
    partition.settle(event("StepCreated", step_id="x" * 30_000, expected=99))
    assert partition.codes() == ["version_conflict"]


def test_a_rejected_state_leaves_the_run_as_it_was_also_within_a_commit(small_limit: None) -> None:
    partition = begun()
    partition.publish(
        event("StepStarted", step_id="s"),
        event("WorkflowSaved", state=state(context='"%s"' % ("x" * 30_000))),
        event("StepCompleted", step_id="s"),
    )
    partition.judge()
    partition.commit()
    now = partition.state()
    assert now is not None
    assert (now["version"], now["context"], now["steps"]["s"]["attempt"]) == (4, "{}", 1)
    assert partition.state(KEY) == partition.snapshots()[-1]["snapshot"]


def test_many_small_events_in_one_commit_are_not_taken_for_a_large_state() -> None:
    partition = Partition("off")
    partition.settle(event("WorkflowCreated"), event("WorkflowStarted"))
    partition.settle(*(event("StepCreated", step_id=str(number)) for number in range(500)), event("StepStarted"))
    partition.publish(*[event("StepHeartbeat", attempt=1)] * 10_000)
    begin = time.process_time()
    partition.judge()
    seconds = time.process_time() - begin
    partition.commit()
    assert partition.codes() == []
    assert seconds < 3, "once their sum was large enough, each of them took the time that the whole state takes"

"""What one partition's task writes for the states and checkpoints of its runs."""

from __future__ import annotations

import pytest

from llm_orchestrator_state.engine import task
from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.model.ids import checkpoint_id
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.schemas import current
from tests.unit.partition import KEY, Partition, header
from tests.unit.records import OTHER_RUN, RUN, T0, an_id, event, state, step
from tests.unit.versions import FakeRegistry

BEGIN = (event("WorkflowCreated"), event("WorkflowStarted"))


def begun(policy: str = "step") -> Partition:
    partition = Partition(policy)
    partition.settle(*BEGIN)
    return partition


# --- states ----------------------------------------------------------------------------------------------------------


def test_a_run_changed_many_times_in_one_commit_is_emitted_once_with_the_last_offset() -> None:
    partition = Partition()
    changes = partition.settle(*BEGIN, event("StepStarted"), event("StepCompleted"))
    (record,) = changes.states
    assert (record.key, header(record, "source-offset")) == (KEY, "3")
    assert partition.codec.decode_state(record.value)["version"] == 4


def test_what_is_stored_is_what_is_on_the_topic() -> None:
    partition = begun()
    (record,) = partition.settle(event("StepStarted")).states
    assert partition.store.get_many([KEY]) == [record.value]


@pytest.mark.parametrize("last", [event("WorkflowStarted"), BEGIN[0]])
def test_the_source_offset_counts_events_that_changed_nothing_after_one_that_did(last: object) -> None:
    partition = Partition()
    (record,) = partition.settle(*BEGIN, last).states  # type: ignore[arg-type]
    assert header(record, "source-offset") == "2"


def test_a_run_about_which_nothing_was_applied_is_not_emitted() -> None:
    partition = begun()
    changes = partition.settle(BEGIN[0], event("WorkflowStarted"))
    assert (changes.states, len(changes.rejections)) == ([], 1)


def test_a_deleted_run_is_a_tombstone_with_its_offset() -> None:
    partition = begun()
    (record,) = partition.settle(event("WorkflowDeleted")).states
    assert (record.key, record.value, header(record, "source-offset")) == (KEY, None, "2")
    assert partition.state() is None


def test_a_deleted_run_does_not_come_back_from_the_store_before_the_commit() -> None:
    partition = begun()
    partition.publish(event("WorkflowDeleted"))
    partition.judge()
    partition.publish(event("StepStarted"))
    partition.judge()
    partition.commit()
    assert partition.state() is None
    assert partition.codes() == ["unknown_run"]


def test_a_run_that_is_deleted_and_made_anew_in_one_commit_is_the_new_one() -> None:
    partition = begun()
    partition.settle(event("StepCompleted"), event("WorkflowDeleted"), event("WorkflowCreated", workflow_id="second"))
    now = partition.state()
    assert now is not None
    assert (now["workflow_id"], now["version"], now["steps"], now["checkpoint_count"]) == ("second", 1, {}, 0)


def test_a_run_that_comes_and_goes_in_one_commit_is_a_tombstone() -> None:
    partition = Partition()
    changes = partition.settle(*BEGIN, event("WorkflowDeleted"))
    assert [(record.key, record.value) for record in changes.states] == [(KEY, None)]


def test_records_that_were_judged_already_are_passed_over() -> None:
    partition = begun()
    partition.task.process(partition.log)
    assert partition.task.counts.applied == 2
    assert partition.task.position == 2


def test_offsets_may_have_gaps() -> None:
    partition = Partition()
    partition.publish(*BEGIN)
    first, second = partition.log
    partition.task.process([first._replace(the_offset=40), second._replace(the_offset=99)])
    assert partition.task.position == 100
    assert header(partition.commit().states[0], "source-offset") == "99"


def test_counts_tell_what_became_of_every_event() -> None:
    partition = Partition()
    partition.settle(*BEGIN, BEGIN[1], event("WorkflowStarted"), event("WorkflowCreated"))
    counts = partition.task.counts
    assert (counts.applied, counts.duplicate) == (2, 1)
    assert {code.value: count for code, count in counts.rejected.items()} == {"illegal_transition": 1, "run_exists": 1}


def test_what_was_rolled_back_is_counted_once_when_it_is_judged_again() -> None:
    partition = begun()
    partition.publish(event("StepStarted"), BEGIN[1], event("WorkflowStarted"))
    for _ in range(3):
        partition.judge()
        partition.task.rollback()
    partition.judge()
    partition.commit()
    counts = partition.task.counts
    assert (counts.applied, counts.duplicate, counts.all_rejected) == (3, 1, 1)


@pytest.mark.parametrize("kind", ["WorkflowCreated", "WorkflowSaved"])
def test_a_run_begins_only_on_the_partition_that_its_key_belongs_to(kind: str) -> None:
    right = partition_of(KEY, 5)
    here, elsewhere = Partition(partitions=5, partition=right), Partition(partitions=5, partition=(right + 1) % 5)
    here.settle(event(kind))
    elsewhere.settle(event(kind))
    assert (here.codes(), elsewhere.codes()) == ([], ["wrong_partition"])
    assert elsewhere.state() is None


def test_other_events_are_not_asked_for_their_partition() -> None:
    partition = Partition(partitions=5, partition=(partition_of(KEY, 5) + 1) % 5)
    partition.settle(event("WorkflowStarted"))
    assert partition.codes() == ["unknown_run"]


def test_rolling_back_forgets_everything_since_the_last_commit() -> None:
    partition = begun()
    partition.publish(event("StepCompleted"), event("WorkflowDeleted"), event("StepCompleted"))
    partition.judge()
    uncommitted = partition.task.uncommitted
    assert partition.task.rollback() == 2
    assert (uncommitted, partition.task.uncommitted) == (True, False)
    assert partition.task.changes() == ([], [], [], [], {})
    partition.judge(1)
    partition.commit()
    now = partition.state()
    assert now is not None
    assert (now["version"], list(now["steps"])) == (3, ["a"])


def test_however_often_a_registry_does_not_answer_its_event_is_judged_when_it_does() -> None:
    registry = FakeRegistry({})

    def away(schema_id: int) -> object:
        raise Connection("the registry is away")

    partition = Partition(codec=Codec(registry), most_uncommitted=1_000)
    partition.append(KEY, b"\0\0\0\0\7" + partition.codec.encode_event(BEGIN[0])[5:])
    answer, registry.schema_of = registry.schema_of, away  # type: ignore[method-assign]
    for _ in range(1_000 // len(partition.log[0].value() or b"") + 2):
        with pytest.raises(Connection):
            partition.judge()
    registry.schemas[7] = current("TransitionEvent")
    registry.schema_of = answer  # type: ignore[method-assign]
    partition.judge()
    assert partition.task.position == 1


def test_where_a_registry_does_not_answer_the_partition_stops_before_that_event() -> None:
    registry = FakeRegistry({})

    def away(schema_id: int) -> object:
        raise Connection("the registry is away")

    partition = Partition(codec=Codec(registry))
    partition.publish(*BEGIN)
    partition.append(KEY, b"\0\0\0\0\7" + partition.codec.encode_event(event("StepStarted"))[5:])
    partition.publish(event("StepStarted", step_id="later"))
    answer, registry.schema_of = registry.schema_of, away  # type: ignore[method-assign]
    with pytest.raises(Connection):
        partition.judge()
    assert partition.task.position == 2
    partition.commit()
    registry.schemas[7] = current("TransitionEvent")
    registry.schema_of = answer  # type: ignore[method-assign]
    partition.judge()
    partition.commit()
    now = partition.state()
    assert now is not None
    assert list(now["steps"]) == ["a", "later"]
    assert partition.codes() == []


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_completed_step_makes_a_checkpoint_of_the_state_after_it() -> None:
    partition = begun()
    completed = event("StepCompleted", step_id="s", at=T0 + 5, outputs="1")
    (record,) = partition.settle(completed).checkpoints
    checkpoint = partition.codec.decode_checkpoint(record.value)
    assert record.key == KEY + b"/1"
    assert checkpoint == {
        "id": checkpoint_id(RUN, completed["event_id"]), "workflow_state_id": RUN, "step_id": "s", "timestamp": T0 + 5,
        "version": 3, "snapshot": partition.state(),
    }  # fmt: skip
    assert checkpoint["snapshot"]["checkpoint_count"] == 1


def test_a_later_event_of_the_same_commit_is_not_in_the_checkpoint() -> None:
    partition = begun()
    partition.settle(event("StepCompleted", step_id="a"), event("StepCompleted", step_id="b"))
    assert [list(checkpoint["snapshot"]["steps"]) for checkpoint in partition.snapshots()] == [["a"], ["a", "b"]]


def test_a_requested_checkpoint_has_the_id_and_time_that_were_asked_for() -> None:
    partition = begun()
    asked = "ABCDEF00-0000-4000-8000-00000000000A"
    partition.settle(event("CheckpointRequested", step_id="s", checkpoint_id=asked, timestamp=T0 - 99))
    (checkpoint,) = partition.snapshots()
    assert (checkpoint["id"], checkpoint["timestamp"], checkpoint["step_id"]) == (asked.lower(), T0 - 99, "s")


def test_an_id_of_the_event_in_upper_case_gives_the_same_checkpoint_id() -> None:
    partition = begun()
    event_id = "abcdef00-0000-4000-8000-00000000000a"
    partition.settle(event("CheckpointRequested", id=event_id.upper(), run=RUN.upper()))
    assert partition.snapshots()[0]["id"] == checkpoint_id(RUN, event_id)


def test_a_given_snapshot_is_kept_as_it_was_given() -> None:
    partition = begun()
    snapshot = state("completed", step("x", "completed"), id=OTHER_RUN, version=1000, checkpoint_count=9)
    partition.settle(event("CheckpointRequested", snapshot=snapshot))
    (checkpoint,) = partition.snapshots()
    assert (checkpoint["snapshot"], checkpoint["version"], checkpoint["workflow_state_id"]) == (snapshot, 3, RUN)


def test_a_timestamp_orders_nothing() -> None:
    partition = begun()
    for timestamp in (T0 + 100, T0 - 100):
        partition.settle(event("CheckpointRequested", timestamp=timestamp))
    assert [checkpoint["timestamp"] for checkpoint in partition.snapshots()] == [T0 + 100, T0 - 100]


@pytest.mark.parametrize("commits", [1, 23])
def test_the_last_ten_checkpoints_are_kept_in_ten_slots(commits: int) -> None:
    partition = begun()
    completed = [event("StepCompleted", attempt=n + 1) for n in range(23)]
    size = len(completed) // commits
    for begin in range(0, len(completed), size):
        changes = partition.settle(*completed[begin : begin + size])
        assert len(changes.checkpoints) == min(size, 10), "no slot is written twice in one commit"
    assert [checkpoint["snapshot"]["checkpoint_count"] for checkpoint in partition.snapshots()] == list(range(14, 24))
    assert set(partition.compacted_checkpoints()) == {KEY + b"/%d" % slot for slot in range(10)}


@pytest.mark.parametrize(
    ("taken", "keep", "left"),
    [(3, 0, []), (3, 2, [2, 3]), (3, 3, [1, 2, 3]), (3, 99, [1, 2, 3]), (14, 4, [11, 12, 13, 14]), (14, 0, []),
     (14, 10, list(range(5, 15))), (14, 11, list(range(5, 15))), (0, 0, [])],
)  # fmt: skip
@pytest.mark.parametrize("together", [True, False])
def test_trimming_keeps_the_newest(taken: int, keep: int, left: list[int], together: bool) -> None:
    partition = begun()
    requested = [event("CheckpointRequested") for _ in range(taken)]
    trimmed = event("CheckpointsTrimmed", keep=keep)
    if together:
        partition.settle(*requested, trimmed)
    else:
        partition.settle(*requested)
        partition.settle(trimmed)
    assert [checkpoint["snapshot"]["checkpoint_count"] for checkpoint in partition.snapshots()] == left


def test_a_checkpoint_after_a_trim_has_the_next_slot() -> None:
    partition = begun()
    partition.settle(event("CheckpointRequested"), event("CheckpointsTrimmed"), event("CheckpointRequested"))
    assert list(partition.compacted_checkpoints()) == [KEY + b"/2"]


@pytest.mark.parametrize("together", [True, False])
def test_a_deleted_runs_checkpoints_go_with_it(together: bool) -> None:
    partition = begun()
    requested = [event("CheckpointRequested") for _ in range(14)]
    if not together:
        partition.settle(*requested)
        requested = []
    changes = partition.settle(*requested, event("WorkflowDeleted"))
    assert {record.key: record.value for record in changes.checkpoints} == {
        KEY + b"/%d" % slot: None for slot in range(10)
    }
    assert partition.compacted_checkpoints() == {}


def test_of_a_run_made_anew_in_the_commit_that_deleted_it_only_the_new_checkpoints_stay() -> None:
    partition = begun()
    partition.settle(*(event("CheckpointRequested") for _ in range(14)))
    changes = partition.settle(event("WorkflowDeleted"), event("WorkflowCreated"), event("CheckpointRequested"))
    assert list(partition.compacted_checkpoints()) == [KEY + b"/1"]
    assert len(changes.checkpoints) == 10
    assert partition.snapshots()[0]["version"] == 2


@pytest.mark.parametrize(("policy", "steps"), [("step", ["a", "b"]), ("requested", ["b"]), ("off", [])])
def test_the_policy_says_which_checkpoints_are_made(policy: str, steps: list[str]) -> None:
    partition = begun(policy)
    partition.settle(event("StepCompleted", step_id="a"), event("CheckpointRequested", step_id="b"))
    assert [checkpoint["step_id"] for checkpoint in partition.snapshots()] == steps


def test_a_checkpoint_can_be_restored() -> None:
    partition = begun()
    partition.settle(event("StepCompleted", step_id="a"), event("StepCompleted", step_id="b"), event("WorkflowFailed"))
    first = partition.snapshots()[0]
    partition.settle(event("WorkflowRestored", checkpoint_id=first["id"], snapshot=first["snapshot"], id=an_id()))
    now = partition.state()
    assert now is not None
    assert (now["status"], list(now["steps"]), now["version"], now["checkpoint_count"]) == ("running", ["a"], 6, 2)


def test_a_task_takes_no_more_when_there_is_much_to_commit_and_ends_with_the_same_states(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task, "CHUNK_BYTES", 100_000)
    steps = [event("StepCompleted", step_id=f"s{n}", outputs=f'"{"x" * 1_000}"') for n in range(600)]
    bounded, unbounded = Partition(most_uncommitted=1_000_000), Partition()
    for partition in (bounded, unbounded):
        partition.publish(*BEGIN, *steps)
    assert unbounded.judge_and_commit_all() == 1
    assert bounded.judge_and_commit_all() > 3
    assert list(bounded.store.items()) == list(unbounded.store.items())
    assert bounded.compacted_checkpoints() == unbounded.compacted_checkpoints()

"""However a log is cut into fetches and commits, rolled back, cached or read again: the same bytes come out."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.codec import Codec
from tests.unit.histories import histories, random_history
from tests.unit.partition import Message, Partition, header
from tests.unit.records import OTHER_RUN, RUN, event
from tests.unit.reference_fold import judge

RUNS = (RUN, OTHER_RUN)
CODEC = Codec()
Log = list[Message]


def _log(history: list[EventRecord], spoiled: list[tuple[int, bytes | None]]) -> Log:
    records = [(one["run_id"].lower().encode(), CODEC.encode_event(one)) for one in history]
    for at, value in spoiled:
        records.insert(at, (RUN.encode(), cast(Any, value)))
    return [Message(offset, *record) for offset, record in enumerate(records)]


garbage = st.sampled_from([None, b"", b"\0\0\0\0\1", b"\xc3\x01", CODEC.encode_event(event("WorkflowStarted"))[:-1]])
logs = st.builds(
    _log,
    histories(RUNS, most=50),
    st.lists(st.tuples(st.integers(0, 60), garbage), max_size=4),
)


class Outcome:
    """All that a partition has written."""

    def __init__(self, partition: Partition) -> None:
        self.states = dict(partition.store.items())
        self.checkpoints = partition.compacted_checkpoints()
        self.rejections = [(record.key, record.value, sorted(record.headers)) for record in partition.rejections]
        self.last_offsets = {record.key: int(header(record, "source-offset")) for record in partition.states}

    def same(self, other: Outcome) -> None:
        assert self.states == other.states
        assert self.checkpoints == other.checkpoints
        assert self.rejections == other.rejections


def one_at_a_time(log: Log) -> Outcome:
    partition = Partition(codec=CODEC)
    for message in log:
        partition.task.process([message])
        partition.commit()
    return Outcome(partition)


def in_any_way(log: Log, choose: Callable[[int], int], cache_bytes: int = 1 << 30) -> Outcome:
    """Fetches of any length, after each a commit, a rollback or nothing."""
    partition = Partition(codec=CODEC, cache_bytes=cache_bytes)
    partition.log = log
    rollbacks = 0
    while partition.task.position < len(log):
        partition.judge(1 + choose(9))
        what = choose(4)
        if what == 0:
            partition.commit()
        elif what == 1 and rollbacks < 20:
            rollbacks += 1
            if choose(2):
                partition.task.changes()  # what is written is then aborted
            assert partition.task.rollback() == partition.task.committed
    partition.commit()
    return Outcome(partition)


@settings(max_examples=50)
@given(logs, st.data(), st.sampled_from([0, 5_000, 1 << 30]))
def test_any_batching_with_any_rollbacks_and_any_cache_gives_the_same_bytes(
    log: Log, data: st.DataObject, cache_bytes: int
) -> None:
    cuts = data.draw(st.lists(st.integers(0, 2**16), min_size=1, max_size=40))
    position = iter(range(10**9))
    in_any_way(log, lambda n: cuts[next(position) % len(cuts)] % n, cache_bytes).same(one_at_a_time(log))


@pytest.mark.parametrize("cache_bytes", [0, 9_000, 1 << 30])
def test_long_random_logs_in_random_batches_give_the_same_bytes(cache_bytes: int) -> None:
    rng = Random(cache_bytes)
    for _ in range(25):
        log = _log(random_history(rng, RUNS, 90), [(rng.randrange(80), b"garbage")])
        in_any_way(log, rng.randrange, cache_bytes).same(one_at_a_time(log))


def test_a_second_implementation_comes_to_the_same_states_and_rejections() -> None:
    rng = Random(11)
    for _ in range(25):
        history = random_history(rng, RUNS, 90)
        states: dict[str, dict[str, Any] | None] = dict.fromkeys(RUNS)
        rejected = []
        for one in history:
            run = one["run_id"].lower()
            verdict, states[run] = judge(states[run], cast(Any, one), "step")
            rejected += [verdict] if verdict not in ("applied", "duplicate") else []
        outcome = in_any_way(_log(history, []), rng.randrange)
        assert outcome.states == {
            run.encode(): CODEC.encode_state(cast(Any, run_state)) for run, run_state in states.items() if run_state
        }
        assert [dict(headers)["code"].decode() for _, _, headers in outcome.rejections] == rejected


@settings(max_examples=30)
@given(logs)
def test_every_state_says_the_last_offset_that_was_judged_for_its_run(log: Log) -> None:
    partition = Partition(codec=CODEC)
    partition.log = log
    partition.judge()
    for record in partition.commit().states:
        assert int(header(record, "source-offset")) == max(m.offset() for m in log if m.key() == record.key)


@settings(max_examples=30)
@given(logs)
def test_a_commit_without_an_applied_event_writes_no_state_and_no_checkpoint(log: Log) -> None:
    partition = Partition(codec=CODEC)
    for message in log:
        applied = partition.task.counts.applied
        before = dict(partition.store.items())
        partition.task.process([message])
        changes = partition.commit()
        if partition.task.counts.applied == applied:
            assert (changes.states, changes.checkpoints) == ([], [])
            assert dict(partition.store.items()) == before
        else:
            assert changes.rejections == []
            assert len(changes.states) == 1


def test_no_more_is_kept_than_the_cache_may_hold() -> None:
    partition = Partition(codec=CODEC, cache_bytes=30_000)
    for number in range(200):
        run = f"00000000-0000-4000-8000-{number:012}"
        partition.settle(event("WorkflowCreated", run=run), event("WorkflowStarted", run=run))
        assert partition.task._kept_bytes <= 30_000
        assert partition.task._kept_bytes == sum(partition.task._sizes.values())
        assert set(partition.task._runs) == set(partition.task._sizes)
    assert 0 < len(partition.task._runs) < 30


def test_the_runs_that_changed_last_are_kept() -> None:
    partition = Partition(codec=CODEC, cache_bytes=30_000)
    runs = [f"00000000-0000-4000-8000-{number:012}" for number in range(40)]
    for run in runs:
        partition.settle(event("WorkflowCreated", run=run), event("WorkflowCreated", run=runs[0]),
                         event("WorkflowResumed", run=runs[0]), event("ContextUpdated", run=runs[0]))  # fmt: skip
    assert {runs[0].encode(), runs[-1].encode()} <= set(partition.task._runs)
    assert runs[1].encode() not in partition.task._runs


def test_a_run_that_has_ended_is_not_kept() -> None:
    partition = Partition(codec=CODEC)
    partition.settle(event("WorkflowCreated"), event("WorkflowCompleted"))
    assert partition.task._runs == {}
    partition.settle(event("CheckpointRequested"))
    assert len(partition.snapshots()) == 1

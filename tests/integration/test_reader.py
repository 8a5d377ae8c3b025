from __future__ import annotations

import os
import threading
import time
import uuid
from pathlib import Path

import pytest

from llm_orchestrator_state.client.reading import Change, StateReader
from llm_orchestrator_state.errors import (
    Closed,
    Configuration,
    Connection,
    EventRejected,
    ForeignStore,
    InvalidState,
    NotFound,
    Serialization,
    StoreLocked,
    TimedOut,
    TopicMismatch,
)
from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.model.verdicts import Code
from llm_orchestrator_state.store.rocks import RocksStores
from tests.integration.harness import DEADLINE_S, Stage, event, until, whole_run
from tests.integration.reading import delivered, reader, settled, working


def runs_of(number: int, partition: int | None = None) -> list[str]:
    found: list[str] = []
    while len(found) < number:
        run_id = str(uuid.uuid4())
        if partition is None or partition_of(run_id.encode(), 2) == partition:
            found.append(run_id)
    return found


def test_a_reader_knows_every_run_and_its_checkpoints_and_where_each_goes_on(stage: Stage) -> None:
    done, begun, other = runs_of(3)
    stage.publish(
        *whole_run(done),
        event(begun, "workflow_created", 20, labels={"team": "a", "env": "prod"}, parent={"id": done, "step_id": "s"}),
        event(begun, "workflow_started", 21),
        *(event(begun, "step_created", 22, step_id=name) for name in ("one", "two", "three", "four", "five")),
        event(begun, "step_completed", 23, step_id="one", attempt=1, outputs={"n": 1}),
        event(begun, "step_started", 24, step_id="two", attempt=1),
        event(begun, "step_failed", 25, step_id="three", attempt=1, error="no"),
        event(begun, "step_skipped", 26, step_id="five"),
        event(other, "workflow_created", 10, workflow_id="other"),
    )
    stage.run_to_end()
    settled(stage)
    with reader(stage, checkpoints=True) as runs:
        state = runs.get(done.upper())
        assert state is not None
        assert (str(state.id), state.status, state.version) == (done, "completed", 7)
        assert runs.get(uuid.uuid4()) is None
        assert runs.list().ids == [begun, other, done]
        assert [str(each.id) for each in runs.list(active=True)] == [begun, other]
        assert runs.list(status="completed").ids == [done]
        assert runs.list(labels={"team": "a"}).ids == [begun]
        assert runs.list(labels={"team": "b"}).ids == []
        assert runs.list(parent=done).ids == [begun]
        assert runs.list(stale_for=1).ids == [begun, other]
        assert runs.by_workflow_id("triage").ids == [begun, done]
        assert runs.by_workflow_id("none").ids == []
        assert {status: n for status, n in runs.counts().items() if n} == {"completed": 1, "running": 1, "pending": 1}
        assert [each.version for each in runs.checkpoints(done)] == [4, 6]
        latest = runs.latest_checkpoint(done)
        assert latest is not None
        assert latest.snapshot.steps["step-1"].outputs == {"n": 1}
        assert runs.latest_checkpoint(other) is None
        point = runs.resume_point(begun)
        assert point.done == {"one": {"n": 1}}
        assert (point.running, point.failed, point.to_do, point.skipped) == (["two"], ["three"], ["four"], ["five"])
        with pytest.raises(NotFound):
            runs.resume_point(uuid.uuid4())
        lag = runs.lag()
        assert lag.records == 0


def test_a_published_event_is_told_applied_rejected_or_duplicate(stage: Stage) -> None:
    [run_id] = runs_of(1)
    with working(stage), reader(stage) as runs:
        [created] = delivered(stage, event(run_id, "workflow_created"))
        state = runs.applied(created, DEADLINE_S)
        assert state is not None
        assert state.version == 1
        assert runs.get(run_id) == state
        [again] = delivered(stage, event(run_id, "workflow_created"))
        with pytest.raises(EventRejected) as rejected:
            runs.applied(again, DEADLINE_S)
        assert rejected.value.code is Code.RUN_EXISTS
        assert rejected.value.event_id == again.event_id
        started = event(run_id, "workflow_started", 1)
        first, copy = delivered(stage, started, started)
        [late_copy] = delivered(stage, started)
        for each in (late_copy, copy, first):
            state = runs.applied(each, DEADLINE_S)
            assert state is not None
            assert (state.version, state.status) == (2, "running")
        [deleted] = delivered(stage, event(run_id, "workflow_deleted", 2))
        assert runs.applied(deleted, DEADLINE_S) is None
        assert runs.get(run_id) is None


def test_a_reader_that_begins_later_knows_what_was_rejected_before(stage: Stage) -> None:
    [run_id] = runs_of(1)
    events = [event(run_id, "workflow_created"), *(event(run_id, "workflow_created", n) for n in range(1, 300))]
    places = delivered(stage, *events, event(run_id, "workflow_started", 400))
    stage.run_to_end()
    with reader(stage) as runs:
        for each in (places[299], places[1], places[150]):
            with pytest.raises(EventRejected):
                runs.applied(each, DEADLINE_S)
        for each in (places[-1], places[0]):
            state = runs.applied(each, DEADLINE_S)
            assert state is not None
            assert state.version == 2


def test_an_event_that_nobody_judges_is_not_called_applied(stage: Stage) -> None:
    [created] = delivered(stage, event(runs_of(1)[0], "workflow_created"))
    with reader(stage) as runs:
        with pytest.raises(TimedOut, match="check that a worker runs"):
            runs.applied(created, 0.3)
        with pytest.raises(Connection, match="publish it again"):
            runs.applied(created._replace(offset=-1), 1)


def test_what_is_applied_can_be_read_from_the_checkpoints_too(stage: Stage) -> None:
    with working(stage), reader(stage, checkpoints=True) as runs:
        for run_id in runs_of(10):
            *_, requested = delivered(
                stage,
                event(run_id, "workflow_created"),
                event(run_id, "checkpoint_requested", 1, step_id="s", checkpoint_id=str(uuid.uuid4())),
            )
            assert runs.applied(requested, DEADLINE_S) is not None
            checkpoint = runs.latest_checkpoint(run_id)
            assert checkpoint is not None
            assert checkpoint.version == 2


def test_pages_follow_each_other_in_one_order(stage: Stage) -> None:
    ids = runs_of(25)
    stage.publish(*(event(run_id, "workflow_created", n // 5) for n, run_id in enumerate(ids)))
    stage.run_to_end()
    settled(stage)
    with reader(stage) as runs:
        whole = runs.list()
        assert list(whole.ids) == sorted(ids, key=lambda run_id: (ids.index(run_id) // 5, run_id), reverse=True)
        pages, cursor = [], None
        while True:
            page = runs.list(limit=7, cursor=cursor)
            pages.append(list(page.ids))
            if (cursor := page.cursor) is None:
                break
        assert [len(page) for page in pages] == [7, 7, 7, 4]
        assert [run_id for page in pages for run_id in page] == whole.ids
        with pytest.raises(InvalidState, match="cursor"):
            runs.list(cursor="here")


def test_a_watch_tells_every_run_that_changes_and_what_leaves_the_filter(stage: Stage) -> None:
    present, run_id = runs_of(2)
    stage.publish(event(present, "workflow_created"))
    stage.run_to_end()
    settled(stage)
    with working(stage), reader(stage) as runs:
        changes = runs.watch(active=True, current=True)
        first = next(changes)
        assert (first.run_id, first.matches) == (present, True)
        told: list[Change] = []
        for second, kind in enumerate(
            ("workflow_created", "workflow_started", "workflow_completed", "workflow_deleted")
        ):
            [each] = delivered(stage, event(run_id, kind, second))
            runs.applied(each, DEADLINE_S)
            if kind != "workflow_deleted":
                told.append(next(changes))
        assert [(each.state.version, each.matches) for each in told if each.state] == [(1, True), (2, True), (3, False)]
        assert changes.next(0) is None, "a run that it does not allow was deleted"
        changes.close()
        assert list(changes) == []


def test_a_watcher_that_is_slow_is_told_of_each_run_once_and_as_it_is_now(stage: Stage) -> None:
    ids = runs_of(20)
    with working(stage), reader(stage) as runs:
        changes = runs.watch()
        for kind in ("workflow_created", "workflow_started", "workflow_resumed", "workflow_paused", "workflow_resumed"):
            for each in delivered(stage, *(event(run_id, kind) for run_id in ids)):
                runs.applied(each, DEADLINE_S)
        told = [changes.next(DEADLINE_S) for _ in ids]
        assert {(each.run_id, each.state.version) for each in told if each and each.state} == {(i, 5) for i in ids}
        assert changes.next(0) is None


def test_a_run_that_becomes_stale_is_told_by_the_clock(stage: Stage) -> None:
    [run_id] = runs_of(1)
    now = event(run_id, "workflow_created")
    now["occurred_at"] = time.time_ns() // 1000
    with working(stage), reader(stage) as runs:
        changes = runs.watch(stale_for=1.0)
        [created] = delivered(stage, now)
        runs.applied(created, DEADLINE_S)
        change = changes.next(DEADLINE_S)
        assert change is not None
        assert (change.run_id, change.matches) == (run_id, True)


def test_waiting_for_a_run_ends_with_the_state_that_fits(stage: Stage) -> None:
    [run_id] = runs_of(1)
    with working(stage), reader(stage) as runs:
        timer = threading.Timer(0.2, stage.publish, whole_run(run_id))
        timer.start()
        assert runs.wait_for(run_id, lambda state: state.status == "completed", DEADLINE_S).version == 7
        timer.join()
        assert runs.wait_for(run_id, lambda state: state.version == 7, 0).status == "completed"
        with pytest.raises(TimedOut):
            runs.wait_for(run_id, lambda state: state.version == 8, 0.1)


# --- directories --------------------------------------------------------------------------------------------------------


def positions(directory: Path, stage: Stage) -> list[int]:
    stores = RocksStores(directory, stage.topics.state, identity(stage))
    found = []
    for partition in stage.partitions:
        store = stores.open_read_only(partition)
        assert store is not None
        at = store.positions()
        assert at is not None
        found.append(at.state)
        store.close()
    return found


def all_ends(stage: Stage) -> int:
    return sum(stage.ends("state").values()) + sum(stage.ends("checkpoints").values())


def identity(stage: Stage) -> tuple[str, ...]:
    admin = stage.log.admin
    topic = admin.topics([stage.topics.state])[stage.topics.state]
    assert topic is not None
    return ("reader", admin.cluster_id, topic.topic_id)


def test_a_directory_is_gone_on_with_where_it_was_left(stage: Stage, tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    first, second = runs_of(2, partition=1)
    stage.publish(*whole_run(first), event(second, "workflow_created"))
    stage.run_to_end()
    settled(stage)
    with reader(stage, directory=directory, checkpoints=True) as runs:
        assert runs.ready(DEADLINE_S).remaining == 0
        ids = runs.list().ids
        checkpoints = runs.checkpoints(first)
        until(lambda: runs.lag().records == 0)
    assert positions(directory, stage) == [stage.ends("state")[0], stage.ends("state")[1]]
    before = all_ends(stage)
    stage.publish(event(second, "workflow_deleted", 60))
    stage.run_to_end()
    settled(stage)
    with reader(stage, directory=directory, checkpoints=True) as runs:
        assert runs.ready(DEADLINE_S).records == all_ends(stage) - before, "only what is new was read"
        assert set(ids) == {first, second}
        assert runs.list().ids == [first]
        assert runs.checkpoints(first) == checkpoints
        assert len(checkpoints) == 2


def test_a_directory_that_was_away_for_too_long_is_begun_anew(stage: Stage, tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    kept, ghost = runs_of(2, partition=0)
    stage.publish(event(kept, "workflow_created"), event(ghost, "workflow_created"))
    stage.run_to_end()
    settled(stage)
    with reader(stage, directory=directory) as runs:
        assert set(runs.list().ids) == {kept, ghost}
    store = RocksStores(directory, stage.topics.state, identity(stage)).open(0)
    at = store.positions()
    assert at is not None
    # as after a tombstone that compaction has removed: what the store has and the topic has not must go
    stranger = runs_of(1, partition=0)[0]
    [value] = store.get_many([ghost.encode()])
    store.write([(stranger.encode(), value)], at._replace(level_at=at.level_at - 13 * 3600))
    store.close()
    with reader(stage, directory=directory) as runs:
        assert set(runs.list().ids) == {kept, ghost}


def test_two_readers_on_one_directory_and_a_foreign_directory_are_refused(stage: Stage, tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    with reader(stage, directory=directory), pytest.raises(StoreLocked, match="in use by another reader"):
        reader(stage, directory=directory).ready()
    stores = RocksStores(directory / "foreign", stage.topics.state, ("reader", "other", "topic"))
    stores.open(0).close()
    with pytest.raises(ForeignStore):
        reader(stage, directory=directory / "foreign").ready()
    with reader(stage, directory=directory) as runs:
        assert runs.list().ids == []


# --- bad use ------------------------------------------------------------------------------------------------------------


def test_a_reader_of_some_partitions_says_so_rather_than_nothing(stage: Stage) -> None:
    [here], [there] = runs_of(1, partition=0), runs_of(1, partition=1)
    stage.publish(event(here, "workflow_created"), event(there, "workflow_created"))
    stage.run_to_end()
    settled(stage)
    with reader(stage, partitions=[0]) as runs:
        assert runs.list().ids == [here]
        assert runs.get(here) is not None
        with pytest.raises(Configuration, match="partition 1"):
            runs.get(there)
        with pytest.raises(Configuration, match="checkpoints=True"):
            runs.checkpoints(here)
    with pytest.raises(Configuration, match="expected some of 0 to 1"):
        reader(stage, partitions=[2]).ready()


def test_bad_use_is_told_and_not_answered(stage: Stage) -> None:
    runs = reader(stage)
    assert runs.list().ids == []
    changes = runs.watch()
    with pytest.raises(InvalidState, match="not a UUID"):
        runs.get("order-1234")
    with pytest.raises(InvalidState, match="Invalid workflow status"):
        runs.list(status="cancelled")
    with pytest.raises(TypeError, match="there is no filter state"):
        runs.list(state="running")  # type: ignore[call-arg]
    child = os.fork()
    if child == 0:
        try:
            runs.list()
        except Closed:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    runs.close()
    runs.close()
    for use in (runs.list, lambda: runs.get(uuid.uuid4()), lambda: next(changes), runs.ready):
        with pytest.raises(Closed):
            use()
    with pytest.raises(TopicMismatch, match="no topic set"):
        StateReader(stage.bootstrap, topic_prefix=f"{stage.topics.prefix}-none").list()


def test_a_state_that_cannot_be_read_is_not_left_out_silently(stage: Stage) -> None:
    good, bad = runs_of(2)
    stage.publish(event(good, "workflow_created"))
    stage.run_to_end()
    stage._producer.produce(stage.topics.state, b"\xc3\x01" + bytes(8) + b"newer", bad.encode())
    assert stage._producer.flush(DEADLINE_S) == 0
    with reader(stage) as runs:
        assert runs.get(good) is not None
        for ask in (lambda: runs.get(bad), runs.list, runs.counts):
            with pytest.raises(Serialization):
                ask()


def test_a_topic_that_goes_away_ends_the_reader_with_an_error(stage: Stage) -> None:
    with reader(stage) as runs:
        changes = runs.watch()
        assert len(runs.list()) == 0
        stage.log.admin.client.delete_topics([stage.topics.state])[stage.topics.state].result()
        with pytest.raises(TopicMismatch, match="is gone"):
            until(lambda: runs.lag() is None)
        with pytest.raises(TopicMismatch, match="is gone"):
            runs.list()
        with pytest.raises(TopicMismatch, match="is gone"):
            next(changes)

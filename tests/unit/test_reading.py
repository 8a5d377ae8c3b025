from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orchestrator_state import AsyncStateReader
from llm_orchestrator_state.client.producer import Delivered
from llm_orchestrator_state.client.reading.feeds import Place, StateFeed
from llm_orchestrator_state.client.reading.filter import RunFilter
from llm_orchestrator_state.client.reading.index import RunIndex
from llm_orchestrator_state.client.reading.life import Life
from llm_orchestrator_state.client.reading.page import in_order, read_cursor
from llm_orchestrator_state.client.reading.rejections import REMEMBERED, Rejected, RejectionFeed
from llm_orchestrator_state.client.reading.resume import ResumePoint
from llm_orchestrator_state.client.reading.run import UNREADABLE, Run, RunReader
from llm_orchestrator_state.client.reading.settling import Settling
from llm_orchestrator_state.client.reading.tables import Tables
from llm_orchestrator_state.client.reading.watching import Watch
from llm_orchestrator_state.client.reading.window import Window, WindowReader
from llm_orchestrator_state.errors import Closed, EventRejected, InvalidState, StateError
from llm_orchestrator_state.kafka.interface import LogRange
from llm_orchestrator_state.model import StepState, WorkflowState
from llm_orchestrator_state.model.ids import short_id
from llm_orchestrator_state.model.status import StepStatus, WorkflowStatus
from llm_orchestrator_state.model.verdicts import Code
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.memory import MemoryStore
from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.codec import Codec
from tests.unit.strategies import data_of

STATES = data_of(schemas.current("WorkflowState"))
KEYS = [str(uuid.UUID(int=n)).encode() for n in range(6)]


def a_run(key: bytes = KEYS[0], status: str = "running", updated_at: int = 1, judged: int = 0, **fields: Any) -> Run:
    values: dict[str, Any] = {"partition": 0, "workflow_id": "w", "labels": {}, "parent": None, **fields}
    return Run(key=key, status=status, updated_at=updated_at, judged=judged, **values)


# --- what is kept of a state ----------------------------------------------------------------------------------------------


@given(STATES)
def test_what_is_kept_of_a_state_is_what_the_state_says(state: Any) -> None:
    run = RunReader(None).read(KEYS[0], 3, 7, Codec().encode_state(state))
    assert run.status == state["status"]
    assert run.workflow_id == state["workflow_id"]
    assert run.labels == state["labels"]
    assert run.parent == (state["parent"]["id"] if state["parent"] else None)
    assert run.updated_at == state["updated_at"]
    assert (run.partition, run.judged) == (3, 7)


@given(STATES, st.integers(min_value=0))
def test_a_state_that_is_cut_off_is_kept_as_unreadable_or_was_read_before_the_cut(state: Any, at: int) -> None:
    value = Codec().encode_state(state)
    run = RunReader(None).read(KEYS[0], 0, 0, value[: at % len(value)])
    assert run.status in {UNREADABLE, state["status"]}


def test_filters_are_checked_and_combined() -> None:
    run = a_run(labels={"team": "a", "env": "prod"}, parent=KEYS[1].decode(), updated_at=5_000_000)
    at = datetime.fromtimestamp(5, UTC)

    def allows(now_s: float = 100, **filters: Any) -> bool:
        return RunFilter.of(filters).allows(run, int(now_s * 1e6))  # type: ignore[arg-type]

    assert allows()
    assert allows(status="Running", active=True, labels={"team": "a"}, parent=KEYS[1].decode().upper(), workflow_id="w")
    assert not allows(status="paused")
    assert not allows(labels={"team": "a", "env": "test"})
    assert not allows(parent=KEYS[2].decode())
    assert not allows(workflow_id="W")
    assert allows(updated_since=at)
    assert not allows(updated_since=at + timedelta(microseconds=1))
    assert allows(now_s=10, stale_for=5)
    assert not allows(now_s=9.9, stale_for=timedelta(seconds=5))
    for wrong in ({"status": "cancelled"}, {"stale_for": -1.0}, {"stale_for": float("nan")}, {"parent": "x"},
                  {"updated_since": datetime(2026, 1, 1)}, {"status": "failed", "active": True},  # noqa: DTZ001
                  {"stale_for": "15m"}, {"labels": ["team"]}, {"updated_since": "2026-01-01T00:00:00Z"}):  # fmt: skip
        with pytest.raises(InvalidState):
            RunFilter.of(wrong)  # type: ignore[arg-type]


def test_stale_runs_are_active_ones_unless_a_status_is_asked_for() -> None:
    done = a_run(status="completed")
    assert not RunFilter.of({"stale_for": 1}).allows(done, 10**9)
    assert RunFilter.of({"stale_for": 1, "status": "completed"}).allows(done, 10**9)


runs = st.builds(
    a_run,
    key=st.sampled_from(KEYS),
    status=st.sampled_from(["pending", "running", "completed"]),
    updated_at=st.integers(0, 3),
    workflow_id=st.sampled_from(["v", "w"]),
    parent=st.sampled_from([None, KEYS[0].decode(), KEYS[1].decode()]),
)
filters = st.builds(
    RunFilter,
    statuses=st.sampled_from(
        [None, frozenset({"running"}), frozenset({"completed"}), frozenset({"pending", "running"})]
    ),
    workflow_id=st.sampled_from([None, "v", "none"]),
    parent=st.sampled_from([None, KEYS[0].decode()]),
)


@given(st.lists(st.tuples(runs, st.booleans())), filters, st.integers(1, 4))
def test_the_index_finds_what_looking_at_every_run_would_find(
    changes: list[tuple[Run, bool]], wanted: RunFilter, limit: int
) -> None:
    index, model = RunIndex(), dict[bytes, Run]()
    for run, removed in changes:
        before = index.remove(run.key) if removed else index.put(run)
        assert before == model.pop(run.key, None)
        if not removed:
            model[run.key] = run
    expected = sorted(
        (run for run in model.values() if wanted.allows(run, 0)), key=lambda r: (r.updated_at, r.key), reverse=True
    )
    found = [run for run in index.candidates(wanted) if wanted.allows(run, 0)]
    assert in_order(found, None, None) == (expected, None)
    paged: list[Run] = []
    cursor = None
    while True:
        page, cursor = in_order(found, limit, read_cursor(cursor))
        paged += page
        assert len(page) == limit or cursor is None
        if cursor is None:
            break
    assert paged == expected
    assert sum(index.counts().values()) == len(index) == len(model)
    assert index.counts()[WorkflowStatus.RUNNING] == sum(run.status == "running" for run in model.values())


# --- watches --------------------------------------------------------------------------------------------------------------


class Woken:
    times = 0

    def __call__(self) -> None:
        self.times += 1


def test_a_watch_holds_one_entry_a_run_and_wakes_once() -> None:
    index, woken = RunIndex(), Woken()
    watch = Watch(RunFilter(), None, woken)
    for n in range(1000):
        run = a_run(KEYS[n % 3], updated_at=n)
        watch.changed(index.put(run), run)
    assert woken.times == 1
    assert len(watch._pending) == 3
    assert [watch.take(index.get) for _ in range(4)] == [KEYS[0], KEYS[1], KEYS[2], None]


def test_a_watch_tells_what_enters_stays_and_leaves() -> None:
    watch = Watch(RunFilter.of({"status": "running"}), None, Woken())
    index = RunIndex()

    def told(status: str | None) -> bool:
        run = None if status is None else a_run(status=status)
        watch.changed(index.remove(KEYS[0]) if run is None else index.put(run), run)
        return watch.take(index.get) is not None

    changes = ["pending", "running", "running", "completed", "completed", "running", None, None]
    assert [told(status) for status in changes] == [False, True, True, True, False, True, True, False]


def test_a_watch_of_stale_runs_tells_when_they_become_so_and_when_not_any_more() -> None:
    index, second = RunIndex(), 1_000_000
    now = time.time_ns() // 1000
    watch = Watch(RunFilter.of({"stale_for": 10}), None, Woken())
    index.put(old := a_run(updated_at=now - 11 * second))
    index.put(young := a_run(KEYS[1], updated_at=now - 5 * second))
    watch.begin([old, young], tell=True)
    assert watch.take(index.get) == KEYS[0]
    assert watch.take(index.get) is None
    assert 0 < (watch.next_due_s() or 0) <= 5
    again = a_run(updated_at=now)
    watch.changed(index.put(again), again)
    assert watch.take(index.get) == KEYS[0]
    watch.changed(index.get(KEYS[1]), a_run(KEYS[1], status="completed"))
    assert watch.take(index.get) is None


def test_a_watch_of_stale_runs_that_nobody_asks_keeps_one_entry_a_run_however_often_they_change() -> None:
    index, now = RunIndex(), time.time_ns() // 1000
    watch = Watch(RunFilter.of({"stale_for": 10}), None, Woken())
    for n in range(5_000):
        for key in KEYS[:2]:
            changed = a_run(key, updated_at=now + n)
            watch.changed(index.put(changed), changed)
    assert len(watch._due) == 2
    older = a_run(KEYS[0], updated_at=now - 20_000_000)  # a save may set it back
    watch.changed(index.put(older), older)
    assert watch.take(index.get) == KEYS[0]
    assert watch.take(index.get) is None


# --- what has become of an event ------------------------------------------------------------------------------------------


class Record(NamedTuple):
    the_key: bytes | None
    the_value: bytes | None
    the_headers: list[tuple[str, bytes]]

    def key(self) -> bytes | None:
        return self.the_key

    def value(self) -> bytes | None:
        return self.the_value

    def headers(self) -> list[tuple[str, bytes]]:
        return self.the_headers


def rejection(offset: int) -> Any:
    return Record(KEYS[0], b"", [("code", b"fenced"), ("detail", b"too low"), ("source-offset", b"%d" % offset)])


class Scene:
    """One partition of which everything is told by hand."""

    def __init__(self) -> None:
        self.life = Life()
        self.index = RunIndex()
        self.settling = Settling(self.life, self.index, lambda _: self.rejections, self.window)
        self.rejections = RejectionFeed(Place("rejections", 0), 0, self.life, self.settling.rejected)
        self.states = StateFeed(
            Place("state", 0), MemoryStore(), Positions(None, 0, 0.0), self.life, self.index, RunReader(None)
        )
        self.states.listeners.append(self.settling)

    def window(self, _partition: int, key: bytes) -> Window | None:
        (value,) = self.states.values([key])
        return None if value is None else WindowReader(None).read(value)

    def publish(
        self, offset: int, event_id: uuid.UUID | None = None, *, checkpoints: bool = False
    ) -> Future[Window | None]:
        delivered = Delivered(str(event_id or uuid.uuid4()), KEYS[0].decode(), 0, offset)
        return self.settling.add(delivered, checkpoints=checkpoints)

    def state(self, offset: int, position: int, applied: Sequence[uuid.UUID] = ()) -> None:
        state = WorkflowState.new("w", "W")
        state.recent_event_ids = b"".join(short_id(str(event_id)) for event_id in applied)
        value = Codec().encode_state(state.to_record())
        self.states.take([Record(KEYS[0], value, [("source-offset", b"%d" % offset)])], position)  # type: ignore[list-item]

    def confirm(self, needed: int) -> None:
        for wait in self.settling.to_confirm():
            wait.needs = [(self.rejections, needed)]
        self.settling.moved()


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.rejections.add_older({}, 0)
    return made


def test_an_event_is_applied_only_when_the_rejections_were_read_up_to_their_end(scene: Scene) -> None:
    waiting = scene.publish(5)
    scene.state(4, 1)
    assert scene.settling.to_confirm() == []
    scene.state(7, 2)
    scene.confirm(needed=3)
    assert not waiting.done()
    scene.rejections.take([], 3)
    scene.settling.moved()
    assert waiting.result(0) == Window(0, b"", b"")
    assert not scene.settling


def test_an_event_that_the_run_remembers_is_applied_at_once(scene: Scene) -> None:
    ours = uuid.uuid4()
    waiting, other = scene.publish(5, ours), scene.publish(6)
    scene.state(7, 2, [uuid.uuid4(), ours, uuid.uuid4()])
    window = waiting.result(0)
    assert window is not None
    assert window.has(short_id(str(ours)))
    assert not other.done()
    assert scene.publish(4, ours).result(0) == window


def test_its_checkpoint_is_waited_for_all_the_same(scene: Scene) -> None:
    ours = uuid.uuid4()
    waiting = scene.publish(5, ours, checkpoints=True)
    scene.state(5, 2, [ours])
    assert not waiting.done()
    assert [wait.judged for wait in scene.settling.to_confirm()] == ["by window"]


def test_a_window_tells_the_version_that_an_event_made_or_one_left_behind() -> None:
    first, second, third = (bytes([n]) * 8 for n in range(3))
    assert Window(7, second, first + second).version_after(second) == 7
    assert Window(7, third, first + second + third).version_after(second) == 6
    assert Window(7, third, first + second).version_after(second) == 6  # the third had an attempt
    assert Window(40, third, third).version_after(first) == 8
    assert Window(3, third, third).version_after(first) == 1


def test_a_rejection_that_arrives_before_that_end_wins(scene: Scene) -> None:
    waiting = scene.publish(5)
    scene.state(7, 2)
    scene.confirm(needed=3)
    scene.rejections.take([rejection(5)], 3)
    with pytest.raises(EventRejected) as rejected:
        waiting.result(0)
    assert (rejected.value.code, rejected.value.detail) == (Code.FENCED, "too low")


def test_a_rejection_that_came_before_the_question_is_remembered(scene: Scene) -> None:
    scene.rejections.take([rejection(5), rejection(6)], 3)
    with pytest.raises(EventRejected):
        scene.publish(6).result(0)


def test_rejections_are_remembered_up_to_a_bound_and_older_events_are_asked_for_anew(scene: Scene) -> None:
    scene.rejections.take([rejection(n) for n in range(REMEMBERED + 10)], REMEMBERED + 10)
    assert scene.rejections.knows(10)
    assert not scene.rejections.knows(9)
    scene.publish(9)
    assert len(scene.settling.unplaced) == 1
    scene.rejections.add_older({9: Rejected(Code.FENCED, "")}, 9)
    assert not scene.settling


def test_who_does_not_wait_any_more_is_forgotten(scene: Scene) -> None:
    waiting = scene.publish(5)
    assert scene.settling
    waiting.cancel()
    assert scene.settling.to_confirm() == []
    assert not scene.settling
    scene.rejections.take([rejection(5)], 1)


# --- its end --------------------------------------------------------------------------------------------------------------


def test_what_fails_in_a_thread_is_raised_by_every_call_and_to_whoever_waits() -> None:
    life = Life()
    waiting = life.future()
    woken = Woken()
    life.listen(woken)

    def work() -> None:
        raise ValueError("what")

    thread = threading.Thread(target=life.guarded(work))
    thread.start()
    thread.join()
    for call in (life.check, lambda: waiting.result(0), lambda: life.future().result(0)):
        with pytest.raises(StateError, match="ValueError: what"):
            call()
    assert woken.times == 1
    life.end(Closed("later"))
    with pytest.raises(StateError, match="ValueError"):
        life.check()


# --- directories ----------------------------------------------------------------------------------------------------------


def nothing(_partition: int, _store: object) -> None:
    """Nothing to load."""


@pytest.mark.parametrize(
    ("positions", "known", "kept"),
    [
        (Positions(None, 5, time.time()), LogRange(0, 9, 9), True),
        (Positions(None, 5, time.time() - 11 * 3600), LogRange(5, 5, 5), True),
        (Positions(None, 5, time.time() - 13 * 3600), LogRange(0, 9, 9), False),
        (Positions(None, 5, time.time()), LogRange(6, 9, 9), False),
        (Positions(None, 5, time.time()), LogRange(0, 4, 4), False),
    ],
)
def test_a_directory_is_gone_on_with_only_where_nothing_can_be_missing(
    tmp_path: Path, positions: Positions, known: LogRange, kept: bool
) -> None:
    def opened() -> tuple[Tables, MemoryStore | Any, Positions]:
        tables = Tables(tmp_path, "state", ("cluster", "topic"), tombstones_live_s=86_400)
        store, found = tables.open(0, known, nothing)
        return tables, store, found

    tables, store, _ = opened()
    store.write([(KEYS[0], b"value")], positions)
    tables.close(damaged=False)
    tables, store, found = opened()
    assert list(store.items()) == ([(KEYS[0], b"value")] if kept else [])
    assert found.state == (5 if kept else known.start)
    tables.close(damaged=False)


def test_a_damaged_directory_is_begun_anew(tmp_path: Path) -> None:
    def load(_partition: int, store: Any) -> None:
        loaded.extend(store.items())

    def items(written: Sequence[tuple[bytes, bytes]]) -> None:
        tables = Tables(tmp_path, "state", ("cluster", "topic"), tombstones_live_s=86_400)
        store, _ = tables.open(0, LogRange(0, 9, 9), load)
        if written:
            store.write(written, Positions(None, 5, time.time()))
        tables.close(damaged=False)

    loaded: list[tuple[bytes, bytes]] = []
    items([(key, bytes(100)) for key in KEYS])
    items([])
    assert len(loaded) == len(KEYS)
    table = max((tmp_path / "state" / "0").glob("*.sst"), key=lambda file: file.stat().st_size)
    data = bytearray(table.read_bytes())
    data[: len(data) // 2] = bytes(len(data) // 2)
    table.write_bytes(data)
    loaded.clear()
    items([])
    assert loaded == []
    assert list((tmp_path / "state").glob("0.corrupt-*"))


# --- resuming -------------------------------------------------------------------------------------------------------------


def test_a_reader_that_was_given_up_while_it_connects_is_not_waited_for() -> None:
    opening = AsyncStateReader("127.0.0.1:1")._opening
    with opening._lock:  # as long as it connects
        opening.abandon()
        closing = threading.Thread(target=opening.close, daemon=True)
        closing.start()
        closing.join(30)
        assert not closing.is_alive()


def test_a_step_of_an_unknown_status_is_not_taken_for_another() -> None:
    state = WorkflowState.new("w", "W")
    state.steps = {"a": StepState(step_id="a", status=StepStatus.UNKNOWN)}
    with pytest.raises(InvalidState, match="newer than this program"):
        ResumePoint.of(state)

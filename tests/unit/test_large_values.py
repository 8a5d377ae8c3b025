"""States whose large values are in the outputs topic: records made by hand, read as the readers read them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from llm_orchestrator_state import AsyncStateReader, StateReader
from llm_orchestrator_state.client.publishing.beginning import Beginning
from llm_orchestrator_state.client.publishing.run_events import RunEvents
from llm_orchestrator_state.client.reading.answers import Answers
from llm_orchestrator_state.client.reading.feeds import Place, TableFeed
from llm_orchestrator_state.client.reading.filter import RunFilter
from llm_orchestrator_state.client.reading.life import Life, fulfil
from llm_orchestrator_state.client.reading.moves import Moves
from llm_orchestrator_state.client.reading.outputs import OutputFeed
from llm_orchestrator_state.client.reading.references import Value
from llm_orchestrator_state.client.reading.resolving import Resolver
from llm_orchestrator_state.client.reading.values import ENTRY_BYTES, ValueCache
from llm_orchestrator_state.client.reading.waiting import Deadline, LateError, answer, awaited
from llm_orchestrator_state.client.stores.events import requested, saved
from llm_orchestrator_state.errors import NotFound, Serialization, TimedOut
from llm_orchestrator_state.model import Checkpoint, WorkflowState
from llm_orchestrator_state.model.carried import with_references
from llm_orchestrator_state.model.events import TransitionEvent
from llm_orchestrator_state.model.form_writing import write_state
from llm_orchestrator_state.model.records import OutputRefRecord, StateRecord
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.memory import MemoryStore
from llm_orchestrator_state.testing import InMemoryPipeline, InMemoryStateStore
from llm_orchestrator_state.testing.log import Message
from llm_orchestrator_state.testing.readers import LogCore, LogValues
from llm_orchestrator_state.wire.codec import Codec, KeptState
from tests.unit.records import OTHER_RUN, RUN, event, state, step

DEADLINE_S = 30.0
CONTEXT, PLAN, DRAFT = b'{"ticket": 7.50}', b'{"plan": [1, 2]}', b'"a draft"'


def ref(n: int, text: bytes) -> OutputRefRecord:
    return {"n": n, "bytes": len(text), "sha256": Value.of(text).sha256, "born": 0}


def referring(version: int = 1, run: str = RUN, **outputs: tuple[int, bytes]) -> StateRecord:
    """A running state; of the context and of each step: its output's number and text."""
    steps = [step(name, "completed", outputs_ref=ref(*outputs[name])) for name in outputs if name != "context"]
    whole = state("running", *steps, step("small", "completed", outputs="[0]"), id=run, version=version, output_count=9)
    if "context" in outputs:
        whole |= {"context": "null", "context_ref": ref(*outputs["context"])}
    return whole


class CountedValues(LogValues):
    """asked: how often values were fetched."""

    asked = 0

    def fetch(self, partition: int, keys: Sequence[bytes]) -> Future[list[Value | None]]:
        self.asked += 1
        return super().fetch(partition, keys)


class Topics:
    """The topics of an in-memory pipeline, of which each record is told by hand; nothing is folded."""

    def __init__(self) -> None:
        self.pipeline = InMemoryPipeline()
        self.log = self.pipeline._log
        self._codec = Codec()

    def state(self, record: StateRecord) -> None:
        self._put(self.log.tables.states[0], record["id"], self._codec.encode_state(record))

    def deleted(self, run: str = RUN) -> None:
        self._put(self.log.tables.states[0], run, None)

    def output(self, n: int, text: bytes | None, run: str = RUN) -> None:
        self._put(self.log.outputs[0], f"{run}/{n}", text)

    def checkpoint(self, slot: int, snapshot: StateRecord, checkpoint_id: str) -> None:
        head = {
            "id": checkpoint_id, "workflow_state_id": snapshot["id"], "step_id": "a", "timestamp": 0,
            "version": snapshot["version"],
        }  # fmt: skip
        value = self._codec.encode_checkpoint(head, KeptState(snapshot, 0).encode())
        self._put(self.log.tables.checkpoints[0], f"{snapshot['id']}/{slot}", value)

    def _put(self, feed: TableFeed, key: str, value: bytes | None) -> None:
        feed.take([Message(key.encode(), value, 0, feed.position, [("source-offset", b"0")])], feed.position + 1)
        with self.log.life.lock:
            self.log.moves.moved()

    def core(self, newer_s: float = DEADLINE_S) -> tuple[LogCore, CountedValues]:
        core, values = LogCore(self.log), CountedValues(self.log)
        core.answers = Answers(core.queries, Resolver(values, self.log.moves, newer_s=newer_s))
        return core, values


@pytest.fixture
def topics() -> Topics:
    """A run with a large context and a large plan, and one without anything large."""
    made = Topics()
    made.output(1, CONTEXT)
    made.output(2, PLAN)
    made.state(referring(context=(1, CONTEXT), plan=(2, PLAN)))
    made.state(state(id=OTHER_RUN))
    return made


@pytest.fixture
def reader(topics: Topics) -> Iterator[StateReader]:
    with topics.pipeline.reader() as made:
        yield made


def is_complete(found: WorkflowState | None) -> bool:
    assert found is not None
    assert found.context == {"ticket": 7.5}
    assert found.steps["plan"].outputs == {"plan": [1, 2]}
    assert found.steps["small"].outputs == [0]
    return True


# --- what is told ---------------------------------------------------------------------------------------------------------


def test_every_call_of_a_reader_tells_the_values_that_a_state_refers_to(topics: Topics, reader: StateReader) -> None:
    topics.checkpoint(3, referring(context=(1, CONTEXT), plan=(2, PLAN)), str(OTHER_RUN))
    assert is_complete(reader.get(RUN))
    assert is_complete(next(found for found in reader.list() if str(found.id) == RUN))
    assert is_complete(reader.by_workflow_id("triage")[reader.list().ids.index(RUN)])
    assert is_complete(reader.resume_point(RUN).state)
    assert reader.resume_point(RUN).done["plan"] == {"plan": [1, 2]}
    assert is_complete(reader.wait_for(RUN, lambda found: found.context["ticket"] == 7.5, DEADLINE_S))
    assert is_complete(reader.checkpoints(RUN)[0].snapshot)
    latest = reader.latest_checkpoint(RUN)
    assert latest is not None
    assert is_complete(latest.snapshot)
    with reader.watch(current=True) as changes:
        told = [changes.next(DEADLINE_S) for _ in range(2)]
    assert is_complete(next(each.state for each in told if each and each.run_id == RUN))
    assert is_complete(topics.pipeline.state(RUN))


def test_so_does_every_call_that_is_awaited(topics: Topics) -> None:
    topics.checkpoint(3, referring(context=(1, CONTEXT), plan=(2, PLAN)), str(OTHER_RUN))

    async def ask(reader: AsyncStateReader) -> None:
        async with reader:
            assert is_complete(await reader.get(RUN))
            page = await reader.list()
            assert is_complete(next(found for found in page if str(found.id) == RUN))
            assert is_complete((await reader.checkpoints(RUN))[0].snapshot)
            assert is_complete(await reader.wait_for(RUN, lambda found: found.context, DEADLINE_S))
            async with reader.watch(current=True) as changes:
                told = [await anext(changes), await anext(changes)]
            assert is_complete(next(each.state for each in told if each.run_id == RUN))

            page = await reader.list()
            for n in (1, 2):
                topics.output(n, None)
            assert is_complete(page[page.ids.index(RUN)])  # nothing is left that would block the event loop

    asyncio.run(ask(topics.pipeline.async_reader()))


def test_a_store_gives_them_too(topics: Topics) -> None:
    topics.checkpoint(3, referring(context=(1, CONTEXT), plan=(2, PLAN)), OTHER_RUN)
    topics.deleted(OTHER_RUN)
    store = InMemoryStateStore(topics.pipeline)
    assert is_complete(store.load_workflow_state(RUN))
    assert is_complete(store.load_workflow_state_by_workflow_id("triage"))
    assert is_complete(store.list_active_workflows()[0])
    assert is_complete(store.restore_from_checkpoint(OTHER_RUN))
    latest = store.get_latest_checkpoint(RUN)
    assert latest is not None
    assert is_complete(latest.snapshot)


def test_numbers_in_a_large_value_keep_their_digits_in_a_record(reader: StateReader) -> None:
    record = reader.record(RUN)
    assert record is not None
    assert record["context"] == CONTEXT.decode()
    assert b'"context":{"ticket": 7.50}' in write_state(record)


def test_the_reference_stays_as_information(reader: StateReader) -> None:
    found = reader.get(RUN)
    assert found is not None
    assert found.context_ref is not None
    assert found.steps["plan"].outputs_ref is not None
    assert found.steps["plan"].outputs_ref.bytes == len(PLAN)


@pytest.mark.parametrize("wrong", [{"sha256": bytes(32)}, {"bytes": 1}])
def test_a_value_that_is_not_the_one_that_was_written_is_never_told(topics: Topics, wrong: dict[str, Any]) -> None:
    whole = referring(plan=(2, PLAN))
    found = whole["steps"]["plan"]["outputs_ref"]
    assert found is not None
    found.update(wrong)  # type: ignore[typeddict-item] # the mistake
    topics.state(whole)
    with (
        topics.pipeline.reader() as reader,
        pytest.raises(Serialization, match=f"output {RUN}/2 is not what step 'plan'"),
    ):
        reader.get(RUN)


def test_nothing_is_fetched_for_who_asks_for_no_values(topics: Topics) -> None:
    core, values = topics.core()
    page = core.answers.runs(RunFilter(), None, None)
    assert len(page.ids) == len(page.bare()) == 2
    assert list(core.queries.counts())
    record = answer(core.answers.record(RUN, values=False))
    assert record is not None
    assert record["context"] == "null"
    watch = core.watch(RunFilter(), None, lambda: None, current=True)
    while answer(core.next_change(watch, values=False)) is not None:
        pass
    assert answer(core.answers.state(OTHER_RUN)) is not None
    assert values.asked == 0


def test_a_slow_watcher_has_no_values_before_it_takes_the_change(topics: Topics) -> None:
    core, values = topics.core()
    watch = core.watch(RunFilter(), None, lambda: None, current=False)
    for version in range(2, 50):
        topics.output(version + 1, PLAN)
        topics.state(referring(version, plan=(version + 1, PLAN)))
    assert values.asked == 0
    change = answer(core.next_change(watch))
    assert change is not None
    assert change.state is not None
    assert change.state["version"] == 49
    assert values.asked == 1
    assert answer(core.next_change(watch)) is None


# --- values that are gone, or not there yet -------------------------------------------------------------------------------


class Asked(threading.Thread):
    """A question that a thread asks; it has found a value missing when this is made."""

    def __init__(self, topics: Topics, question: Any, moves: int = 1) -> None:
        super().__init__(daemon=True)
        self._question = question
        self.result: Any = None
        self.start()
        waiting = topics.log.moves
        deadline = threading.Event()
        while len(waiting._waiting) < moves:
            assert self.is_alive() or waiting._waiting
            deadline.wait(0.001)

    def run(self) -> None:
        self.result = self._question()

    def answered(self) -> Any:
        self.join(DEADLINE_S)
        assert not self.is_alive()
        return self.result


def test_of_a_run_that_has_moved_on_the_newer_state_is_told(topics: Topics) -> None:
    topics.output(2, None)  # its transaction's other topics are not visible yet
    core, _ = topics.core()
    asked = Asked(topics, lambda: answer(core.answers.state(RUN)))
    topics.output(3, DRAFT)
    topics.state(referring(2, context=(1, CONTEXT), plan=(3, DRAFT)))
    found = asked.answered()
    assert (found.version, found.context, found.steps["plan"].outputs) == (2, {"ticket": 7.5}, "a draft")


def test_a_value_that_becomes_visible_after_its_state_is_waited_for(topics: Topics) -> None:
    topics.state(referring(2, context=(1, CONTEXT), plan=(3, DRAFT)))
    core, _ = topics.core()
    asked = Asked(topics, lambda: answer(core.answers.state(RUN)))
    topics.output(3, DRAFT)
    assert asked.answered().steps["plan"].outputs == "a draft"


def test_a_run_that_is_deleted_meanwhile_is_not_there(topics: Topics) -> None:
    topics.output(1, None)
    core, _ = topics.core()
    asked = Asked(topics, lambda: answer(core.answers.state(RUN)))
    topics.deleted()
    assert asked.answered() is None


def test_of_a_checkpoint_whose_value_is_gone_the_newer_one_is_told(topics: Topics) -> None:
    topics.checkpoint(3, referring(5, plan=(4, PLAN)), OTHER_RUN)
    core, _ = topics.core()
    asked = Asked(topics, lambda: answer(core.answers.latest_checkpoint(RUN)))
    topics.checkpoint(3, referring(15, plan=(2, PLAN)), RUN)
    assert asked.answered().version == 15


def test_a_value_that_never_comes_is_an_error_and_not_a_state_without_it(topics: Topics) -> None:
    topics.output(2, None)
    core, _ = topics.core(newer_s=0.05)
    for ask in (core.answers.state, core.answers.record):
        with pytest.raises(TimedOut, match=f"refers to output {RUN}/2, which the outputs topic does not have"):
            answer(ask(RUN))
    with pytest.raises(TimedOut):
        asyncio.run(awaited(core.answers.state(RUN)))


class EverMoving(Moves):
    """Of topics on which something is always new."""

    def next(self) -> Future[None]:
        future = super().next()
        fulfil(future)
        return future


def test_that_error_comes_on_a_busy_topic_too(topics: Topics) -> None:
    topics.output(2, None)
    core, values = topics.core()
    core.answers = Answers(core.queries, Resolver(values, EverMoving(topics.log.life), newer_s=0.05))
    with pytest.raises(TimedOut):
        answer(core.answers.state(RUN))


def test_a_state_of_a_page_whose_value_is_gone_since_is_the_newer_one(topics: Topics, reader: StateReader) -> None:
    page = reader.list()
    at = page.ids.index(RUN)
    topics.output(2, None)
    topics.state(referring(2, context=(1, CONTEXT)))
    assert page[at].version == 2
    assert [found.version for found in page] == [2 if run_id == RUN else 1 for run_id in page.ids]


def test_a_run_of_a_page_that_was_deleted_since_is_told_so_or_left_out(topics: Topics, reader: StateReader) -> None:
    page = reader.list()
    at = page.ids.index(RUN)
    topics.deleted()
    for n in (1, 2):
        topics.output(n, None)
    with pytest.raises(NotFound, match="deleted after it was listed"):
        page[at]
    assert [str(found.id) for found in page] == [OTHER_RUN]
    assert page.loaded().ids == [OTHER_RUN]


def test_a_page_that_was_loaded_needs_nothing_any_more(topics: Topics) -> None:
    core, values = topics.core()
    page = core.answers.runs(RunFilter(), None, None).loaded()
    assert values.asked == 1
    for n in (1, 2):
        topics.output(n, None)
    at = page.ids.index(RUN)
    assert is_complete(page[at])
    assert is_complete(page[at : at + 1][0])
    assert len(list(page)) == len(page.ids) == 2
    assert values.asked == 1


def test_a_change_whose_values_are_late_is_told_when_they_are_there(topics: Topics, reader: StateReader) -> None:
    with reader.watch() as changes:
        topics.state(referring(2, context=(1, CONTEXT), plan=(3, DRAFT)))
        assert changes.next(0.01) is None
        topics.output(3, DRAFT)
        change = changes.next(DEADLINE_S)
        assert change is not None
        assert change.state is not None
        assert change.state.steps["plan"].outputs == "a draft"
        assert changes.next(0) is None


def test_so_is_one_that_nobody_awaits_any_more(topics: Topics) -> None:
    async def ask(reader: AsyncStateReader) -> None:
        async with reader:
            await reader.ready()
            async with reader.watch() as changes:
                topics.state(referring(2, context=(1, CONTEXT), plan=(3, DRAFT)))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(changes), 0.01)
                topics.output(3, DRAFT)
                change = await asyncio.wait_for(anext(changes), DEADLINE_S)
                assert change.state is not None
                assert change.state.steps["plan"].outputs == "a draft"

    asyncio.run(ask(topics.pipeline.async_reader()))


def test_a_change_that_cannot_be_read_does_not_stop_the_others(topics: Topics, reader: StateReader) -> None:
    with reader.watch() as changes:
        topics.state(referring(2, plan=(1, PLAN)))
        with pytest.raises(Serialization):
            changes.next(DEADLINE_S)
        topics.state(state(id=OTHER_RUN, version=2))
        change = changes.next(DEADLINE_S)
        assert change is not None
        assert change.run_id == OTHER_RUN


def test_who_has_little_time_is_told_that_it_is_over(topics: Topics) -> None:
    topics.output(2, None)
    core, _ = topics.core()
    with pytest.raises(LateError):
        answer(core.answers.state(RUN), Deadline(0.01))


# --- the index and the cache ----------------------------------------------------------------------------------------------


def test_the_cache_keeps_what_was_asked_for_last_within_its_bytes() -> None:
    cache = ValueCache(3 * (1000 + ENTRY_BYTES))
    values = [Value.of(b"%1000d" % n) for n in range(5)]
    for n in range(3):
        cache.put(b"%d" % n, values[n])
    assert cache.get(b"0") == values[0]
    cache.put(b"3", values[3])
    assert [cache.get(b"%d" % n) is not None for n in range(4)] == [True, False, True, True]
    assert cache.bytes == 3 * (1000 + ENTRY_BYTES)
    cache.put(b"3", values[4])
    assert cache.bytes == 3 * (1000 + ENTRY_BYTES)
    cache.put(b"huge", Value.of(bytes(100_000)))
    assert cache.get(b"huge") is None
    assert cache.bytes <= 3 * (1000 + ENTRY_BYTES)
    cache.drop(b"3")
    cache.drop(b"3")
    assert cache.get(b"3") is None


def test_the_index_knows_where_values_are_and_forgets_what_is_deleted_also_from_the_cache() -> None:
    cache, life = ValueCache(), Life()
    feed = OutputFeed(Place("outputs", 0), MemoryStore(), Positions(None, 0, 0.0), life, cache, goal=5)
    feed.take([Message(b"r/1", PLAN, 0, 0), Message(b"r/2", DRAFT, 0, 1), Message(b"r/1", PLAN, 0, 3)], 4)
    assert feed.offsets([b"r/1", b"r/2", b"r/3"]) == [3, 1, None]
    assert not feed.is_level()
    cache.put(b"r/2", Value.of(DRAFT))
    feed.take([Message(b"r/2", None, 0, 4)], 5)
    assert feed.offsets([b"r/1", b"r/2"]) == [3, None]
    assert cache.get(b"r/2") is None
    assert feed.is_level()


# --- states in events -----------------------------------------------------------------------------------------------------


COMPACT = b'{"plan":[1,2]}'
"""As this program writes it."""


def changed(topics: Topics) -> WorkflowState:
    """A run that was read: then its context was changed, the outputs of one step removed, and those of another left."""
    topics.output(3, COMPACT)
    topics.state(referring(2, context=(1, CONTEXT), plan=(3, COMPACT), draft=(2, PLAN)))
    with topics.pipeline.reader() as reader:
        found = reader.get(RUN)
    assert found is not None
    found.context = {"ticket": 7}
    found.steps["draft"].outputs = None
    return found


def given(event: TransitionEvent) -> StateRecord:
    _, fields = event.to_record()["transition"]
    whole: StateRecord = fields.get("state") or fields["snapshot"]
    return whole


def test_a_value_that_has_not_changed_goes_as_its_reference_and_a_changed_one_without_it(topics: Topics) -> None:
    found = changed(topics)
    checkpoint = Checkpoint.new(found.id, "a", found)
    run = RunEvents(Beginning(found.id))
    for each in (saved(found, 2), requested(checkpoint, 0), run.restored(checkpoint)):
        whole = given(each)
        assert (whole["context"], whole["context_ref"]) == ('{"ticket":7}', None)
        assert (whole["steps"]["plan"]["outputs"], whole["steps"]["plan"]["outputs_ref"]) == (None, ref(3, COMPACT))
        assert (whole["steps"]["draft"]["outputs"], whole["steps"]["draft"]["outputs_ref"]) == (None, None)
    assert found.steps["draft"].outputs_ref is not None, "what the user has is not changed"


def test_who_replaces_whatever_is_there_sends_values_only(topics: Topics) -> None:
    whole = given(saved(changed(topics), 0))
    assert (whole["steps"]["plan"]["outputs"], whole["steps"]["plan"]["outputs_ref"]) == (COMPACT.decode(), None)


def test_an_event_that_was_read_with_references_still_has_them_when_it_is_written(topics: Topics) -> None:
    topics.output(3, COMPACT)
    whole = referring(2, context=(1, CONTEXT), plan=(3, COMPACT))
    record = event("WorkflowRestored", snapshot=whole)
    assert TransitionEvent.from_record(record).to_record() == record


def test_one_output_is_not_referred_to_in_two_places() -> None:
    whole = referring(plan=(3, PLAN), copy=(3, PLAN))
    for name in ("plan", "copy"):
        whole["steps"][name]["outputs"] = PLAN.decode()
    steps = with_references(whole)["steps"]
    assert (steps["plan"]["outputs"], steps["plan"]["outputs_ref"]) == (None, ref(3, PLAN))
    assert (steps["copy"]["outputs"], steps["copy"]["outputs_ref"]) == (PLAN.decode(), None)
    assert whole["steps"]["plan"]["outputs"] == PLAN.decode(), "the given one stays as it is"


def test_many_threads_that_ask_for_one_run_are_all_answered(topics: Topics) -> None:
    topics.output(2, None)
    core, _ = topics.core()
    threads = [Asked(topics, lambda: answer(core.answers.state(RUN)), moves=1) for _ in range(8)]
    topics.output(2, PLAN)
    for thread in threads:
        assert is_complete(thread.answered())

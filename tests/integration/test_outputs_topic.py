"""Values that go out: on a real broker, through restarts, a lost disk, a rebuild, and what is not there any more."""

from __future__ import annotations

import hashlib
import shutil
import uuid

import msgspec
import pytest
from confluent_kafka import Producer

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.rebuild import folded_for, rebuild, refuse_used
from llm_orchestrator_state.errors import OffsetMismatch, TopicMismatch
from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.model.records import EventRecord, StateRecord
from llm_orchestrator_state.model.referring import references
from tests.integration.agreement import assert_agreement, differences, reports
from tests.integration.harness import DEADLINE_S, Stage, event, whole_run

LIMIT = 64
SECRET = "what nobody should know"


@pytest.fixture
def large(stage: Stage) -> Stage:
    """A topic set in which values soon go out."""
    stage.format = msgspec.structs.replace(stage.format, inline_limit=LIMIT)
    return stage


def text(n: int) -> str:
    return f"{SECRET} {n} " + "x" * 60


def run_with_values(run_id: str) -> list[EventRecord]:
    """A context that is out, and of two steps the outputs, the first of which was replaced since its checkpoint."""
    created, started, *_ = whole_run(run_id)
    completed = [("a", 1), ("b", 2), ("a", 3)]
    return [
        created, started,
        event(run_id, "context_updated", 3, patch={"text": text(0)}),
        *(event(run_id, "step_completed", 4 + n, step_id=step, outputs=text(n)) for step, n in completed),
        event(run_id, "context_updated", 9, patch={"more": text(4)}),
    ]  # fmt: skip


def outputs_of(stage: Stage, run_id: str) -> dict[int, bytes]:
    key = run_id.encode()
    table = stage.table("outputs", partition_of(key, len(stage.partitions)))
    return {int(name.rpartition(b"/")[2]): value for name, value in table.items() if name.startswith(key)}


def state_of(stage: Stage, run_id: str) -> StateRecord:
    key = run_id.encode()
    return stage.codec.decode_state(stage.table("state", partition_of(key, len(stage.partitions)))[key])


def assert_all_there(stage: Stage, run_id: str) -> None:
    outputs, state = outputs_of(stage, run_id), state_of(stage, run_id)
    named = {ref["n"]: ref["sha256"] for ref, _ in references(state)}
    assert len(named) == 3
    assert {n: hashlib.sha256(outputs[n]).digest() for n in named} == named


def test_values_are_written_before_the_states_that_refer_to_them_and_verify_finds_them(large: Stage) -> None:
    runs = [str(uuid.uuid4()) for _ in range(4)]
    large.publish(*(each for run_id in runs for each in run_with_values(run_id)))
    large.run_to_end()
    for run_id in runs:
        assert_all_there(large, run_id)
    assert_agreement(large, large.stores())
    assert differences(reports(large)) == []


@pytest.mark.parametrize("lost", ["the disk", "nothing"])
def test_a_context_is_merged_after_a_restart_whatever_was_lost(large: Stage, lost: str) -> None:
    run_id, quiet = str(uuid.uuid4()), str(uuid.uuid4())
    large.publish(*run_with_values(run_id), *run_with_values(quiet))
    large.run_to_end()
    if lost == "the disk":
        shutil.rmtree(large.directory / "state")
    large.publish(event(run_id, "context_updated", 20, patch={"last": 1}))
    large.run_to_end()
    ref = state_of(large, run_id)["context_ref"]
    assert ref is not None
    merged = msgspec.json.decode(outputs_of(large, run_id)[ref["n"]])
    assert merged == {"a": 1, "text": text(0), "more": text(4), "last": 1}
    assert_agreement(large, large.stores())


def test_a_worker_does_not_guess_at_a_context_that_the_outputs_topic_has_lost(large: Stage) -> None:
    run_id = str(uuid.uuid4())
    large.publish(*run_with_values(run_id))
    large.run_to_end()
    ref = state_of(large, run_id)["context_ref"]
    assert ref is not None
    forge(large, run_id, ref["n"])
    large.run_to_end()  # the store has it
    shutil.rmtree(large.directory / "state")
    with pytest.raises(OffsetMismatch, match=f"does not have {run_id}/{ref['n']}"):
        large.run_to_end()


def forge(stage: Stage, run_id: str, n: int, value: bytes | None = None) -> None:
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    partition = partition_of(run_id.encode(), len(stage.partitions))
    producer.produce(stage.topics.outputs, value, f"{run_id}/{n}".encode(), partition)
    assert producer.flush(DEADLINE_S) == 0


@pytest.mark.parametrize(("value", "what"), [(None, "output 3 is missing there"), (b"{}", "output 3 is another than")])
def test_verify_tells_what_the_outputs_topic_does_not_have(large: Stage, value: bytes | None, what: str) -> None:
    run_id = str(uuid.uuid4())
    large.publish(*run_with_values(run_id))
    large.run_to_end()
    forge(large, run_id, 1, b"nobody refers to this one any more")
    assert differences(reports(large)) == []
    forge(large, run_id, 3, value)
    [difference] = [each for report in reports(large) for each in report.differences]
    assert (difference.run, difference.where) == (run_id, "outputs topic")
    assert difference.what.startswith(what)


def test_a_rebuild_publishes_outputs_too_and_a_worker_goes_on_there(large: Stage) -> None:
    run_id = str(uuid.uuid4())
    large.publish(*run_with_values(run_id))
    large.run_to_end()
    fresh = Stage(large.bootstrap, f"{large.topics.prefix}-fresh", large.directory / "fresh")
    fresh.format = large.format
    config = folded_for(large.config("rebuild"), fresh.format)
    assert [*rebuild(large.log, SystemClock(), config, large.stores("rebuilt"), fresh.topics)]
    for role in ("state", "checkpoints", "outputs"):
        for p in large.partitions:
            assert fresh.table(role, p) == large.table(role, p)
    with pytest.raises(TopicMismatch, match="a fresh set"):
        refuse_used(large.log, fresh.topics, 2)
    fresh.publish(event(run_id, "context_updated", 60, patch={"text": None}))
    fresh.run_to_end()
    assert_all_there(fresh, run_id)


def test_a_rebuild_of_a_topic_set_that_keeps_everything_inline_moves_large_values_out(stage: Stage) -> None:
    run_id = str(uuid.uuid4())
    stage.format = msgspec.structs.replace(stage.format, inline_limit=None)
    stage.publish(*run_with_values(run_id))
    stage.run_to_end()
    assert outputs_of(stage, run_id) == {}
    fresh = Stage(stage.bootstrap, f"{stage.topics.prefix}-fresh", stage.directory / "fresh")
    fresh.format = msgspec.structs.replace(fresh.format, inline_limit=LIMIT)
    config = folded_for(stage.config("rebuild"), fresh.format)
    assert [*rebuild(stage.log, SystemClock(), config, stage.stores("rebuilt"), fresh.topics)]
    assert_all_there(fresh, run_id)
    with pytest.raises(TopicMismatch, match="keeps everything inline"):
        folded_for(config, stage.format)


def test_a_deleted_run_leaves_no_payload_in_the_topics_nor_in_the_store(large: Stage) -> None:
    run_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    large.publish(*run_with_values(run_id))
    large.run_to_end()
    large.publish(event(run_id, "workflow_deleted", 60), *whole_run(other))
    large.run_to_end()
    for role in ("state", "checkpoints", "outputs"):
        for p in large.partitions:
            assert not [key for key in large.table(role, p) if key.startswith(run_id.encode())]
    for p in large.partitions:
        store = large.stores().open(p)
        try:
            assert [store.context(f"{run_id}/{n}".encode()) for n in range(9)] == [None] * 9
            assert store.get_many([run_id.encode()]) == [None]
        finally:
            store.close()

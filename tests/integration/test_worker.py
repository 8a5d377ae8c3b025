from __future__ import annotations

import gzip
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.local.expected import differences, expected_states
from llm_orchestrator_state.model.form_writing import state_form
from llm_orchestrator_state.wire.jsonlines import parse_line
from tests.integration.agreement import assert_agreement, local_states
from tests.integration.harness import Stage, event, headers_of, new_runs, step_until, whole_run

REAL_FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "support-dialogues" / "events.jsonl.gz"


def test_a_lone_event_becomes_a_state_on_the_same_partition_with_its_source_offset(stage: Stage) -> None:
    run_id = str(uuid.uuid4())
    with stage.worker() as worker:
        step_until(worker, lambda: len(worker.progress().partitions) == 2)
        [(partition, offset)] = stage.publish(event(run_id, "workflow_created"))
        step_until(worker, lambda: worker.progress().counts.applied)
        step_until(worker, lambda: worker.progress().commits)
        [message] = stage.records("state", partition)
        assert partition == partition_of(run_id.encode(), 2)
        assert message.key() == run_id.encode()
        assert message.headers() == [("source-offset", b"%d" % offset)]
        state = stage.codec.decode_state(message.value())
        assert (state["id"], state["version"], state["status"]) == (run_id, 1, "pending")
    assert local_states(stage.stores(), partition) == {run_id.encode(): message.value()}
    assert stage.records("state", 1 - partition) == []


def test_a_completed_step_becomes_a_checkpoint_and_a_bad_event_a_rejection(stage: Stage) -> None:
    run_id = str(uuid.uuid4())
    where = stage.publish(*whole_run(run_id, steps=1), bad := event(run_id, "workflow_paused", 9))
    partition, offset = where[-1]
    stage.run_to_end()
    [checkpoint] = stage.records("checkpoints", partition)
    assert checkpoint.key() == f"{run_id}/1".encode()
    snapshot = stage.codec.decode_checkpoint(checkpoint.value())["snapshot"]
    assert snapshot["steps"]["step-0"]["status"] == "completed"
    assert snapshot["status"] == "running"
    [rejection] = stage.records("rejections", partition)
    headers = headers_of(rejection)
    assert headers.pop("detail")
    assert headers == {
        "code": b"illegal_transition",
        "source-topic": stage.topics.events.encode(),
        "source-partition": b"%d" % partition,
        "source-offset": b"%d" % offset,
        "event-id": bad["event_id"].encode(),
    }
    assert rejection.key() == run_id.encode()
    assert rejection.value() == stage.codec.encode_event(bad)
    assert_agreement(stage, stage.stores())


def test_a_run_that_changes_often_in_one_commit_is_emitted_once(stage: Stage) -> None:
    run_id = str(uuid.uuid4())
    [(partition, offset), *_] = reversed(stage.publish(*whole_run(run_id, steps=30)))
    worker = stage.run_to_end()
    assert worker.progress().commits == 1
    [message] = stage.records("state", partition)
    assert headers_of(message)["source-offset"] == b"%d" % offset
    assert len(stage.records("checkpoints", partition)) == 10
    assert_agreement(stage, stage.stores())


def test_a_deleted_run_is_a_tombstone_everywhere(stage: Stage) -> None:
    run_id = str(uuid.uuid4())
    stage.publish(*whole_run(run_id), *new_runs(5))
    stage.run_to_end()
    [(partition, offset)] = stage.publish(event(run_id, "workflow_deleted", 60))
    stage.run_to_end()
    last = stage.records("state", partition)[-1]
    assert (last.key(), last.value()) == (run_id.encode(), None)
    assert last.headers() == [("source-offset", b"%d" % offset)]
    assert not [key for key in stage.table("checkpoints", partition) if key.startswith(run_id.encode())]
    assert_agreement(stage, stage.stores())


def test_an_aborted_transaction_of_a_publisher_leaves_no_trace(stage: Stage) -> None:
    stage.publish(*new_runs(3))
    producer = stage.log.producer("a-publisher")
    producer.init_transactions(10)
    for commits in (False, True):
        producer.begin_transaction()
        run_id = str(uuid.uuid4()).encode()
        value = stage.codec.encode_event(event(run_id.decode(), "workflow_created"))
        producer.produce(stage.topics.events, value, run_id, partition_of(run_id, 2), headers=[])
        producer.flush(10)
        (producer.commit_transaction if commits else producer.abort_transaction)(10)
    worker = stage.run_to_end()
    assert worker.progress().counts.applied == 3 * 7 + 1
    assert [len(stage.table("state", p)) for p in stage.partitions] == [
        len(local_states(stage.stores(), p)) for p in stage.partitions
    ]


@pytest.mark.skipif(not REAL_FILE.exists(), reason=f"the real dialogues are not here: {REAL_FILE}")
def test_real_dialogues_end_in_the_expected_states_and_publishing_them_again_changes_nothing(stage: Stage) -> None:
    records = [parse_line(line) for line in gzip.decompress(REAL_FILE.read_bytes()).splitlines()]
    stage.publish(*records)
    stage.run_to_end()
    first = _states(stage)
    expected = expected_states(REAL_FILE)
    assert expected is not None
    forms = {run: msgspec.json.decode(msgspec.json.encode(state_form(state))) for run, state in first.items()}
    assert list(differences(expected[1], forms)) == []
    for _ in range(2):
        stage.publish(*records)
        worker = stage.run_to_end()
    assert worker.progress().counts.duplicate > 0.95 * len(records)
    last = _states(stage)
    judged_again = {"version", "last_event_id", "recent_event_ids"}
    changed = {run for run in first if last[run] != first[run]}
    assert last.keys() == first.keys()
    assert len(changed) <= 1
    for run in changed:
        assert {name for name in first[run] if first[run][name] != last[run][name]} <= judged_again
    assert_agreement(stage, stage.stores())


def _states(stage: Stage) -> dict[str, Any]:
    """With what went out to the outputs topic in its place."""
    found: dict[str, Any] = {}
    for partition in stage.partitions:
        outputs = stage.table("outputs", partition)
        for value in stage.table("state", partition).values():
            state: Any = stage.codec.decode_state(value)
            for holder, name in [(state, "context"), *((step, "outputs") for step in state["steps"].values())]:
                if ref := holder[f"{name}_ref"]:
                    holder[name] = outputs[f"{state['id']}/{ref['n']}".encode()].decode()
                    holder[f"{name}_ref"] = None
            found[state["id"]] = state
    return found

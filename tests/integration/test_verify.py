from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Producer

from llm_orchestrator_state.kafka.interface import GroupOffset, Kafka
from tests.integration.agreement import differences, reports
from tests.integration.harness import DEADLINE_S, Stage, event, headers_of, new_runs, until, whole_run
from tests.integration.processes import Processes
from tests.integration.test_offsets import publish_with_rejections_last, trim


def forge(stage: Stage, partition: int, key: bytes, value: bytes | None, source_offset: int) -> None:
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    headers: list[Any] = [("source-offset", b"%d" % source_offset)]
    producer.produce(stage.topics.state, value, key, partition, headers=headers)
    assert producer.flush(DEADLINE_S) == 0


def states_of(stage: Stage, number: int) -> list[tuple[int, str, bytes, int]]:
    """Runs after a worker: partition, run, bytes, source offset."""
    stage.publish(*new_runs(number))
    stage.run_to_end()
    return [
        (p, (m.key() or b"").decode(), m.value() or b"", int(headers_of(m)["source-offset"]))
        for p in stage.partitions
        for m in stage.records("state", p)
    ]


def test_nothing_is_different_after_a_worker(stage: Stage) -> None:
    publish_with_rejections_last(stage)
    stage.run_to_end()
    found = reports(stage)
    assert differences(found) == []
    assert [report.store for report in found] == ["level", "level"]
    assert sum(report.runs for report in found) == 10
    assert sum(report.applied for report in found) == 70
    assert sum(report.rejected for report in found) == 10
    assert sum(report.events for report in found) == 80


def test_nothing_is_different_while_a_worker_goes_on_under_load(stage: Stage, processes: Processes) -> None:
    load = processes.load(seed=7, rate=1_500)
    worker = processes.worker()
    until(lambda: sum(offset or 0 for offset in stage.committed().values()) > 1_500)
    for _ in range(3):
        found = reports(stage)
        assert differences(found) == []
        assert all(report.events > 100 and report.different == 0 for report in found)
    load.send(signal.SIGTERM)
    assert load.ended() == 0
    until(lambda: stage.committed() == stage.ends("events"))
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.log
    assert differences(found := reports(stage)) == []
    assert [(report.store, report.in_flight) for report in found] == [("level", 0)] * 2


class Interrupted:
    """A Kafka in which something happens behind the answer to the group's offsets."""

    def __init__(self, kafka: Kafka, happens: Callable[[], object]) -> None:
        self._kafka = kafka
        self._happens: Callable[[], object] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kafka, name)

    def group_offsets(self, partitions: Sequence[int]) -> dict[int, GroupOffset]:
        answer = self._kafka.group_offsets(partitions)
        if happens := self._happens:
            self._happens = None
            happens()
        return answer


def test_what_is_judged_during_a_verify_is_not_different(stage: Stage) -> None:
    changing, going = str(uuid.uuid4()), str(uuid.uuid4())
    stage.publish(*whole_run(going), *whole_run(changing)[:-1], *new_runs(5))
    stage.run_to_end()

    def go_on() -> None:
        stage.publish(event(going, "workflow_deleted", 60), event(changing, "workflow_paused", 60), *new_runs(2))
        stage.run_to_end()

    assert differences(reports(stage, None, Interrupted(stage.log, go_on))) == []


def test_a_state_record_that_is_not_the_processors_is_found(stage: Stage) -> None:
    (partition, run, value, offset), *_ = states_of(stage, 10)
    state = stage.codec.decode_state(value)
    forge(stage, partition, run.encode(), stage.codec.encode_state({**state, "version": 99}), offset)
    assert differences(reports(stage, None)) == [(run, "state topic", "other bytes than the log's fold")]
    assert (run, "local store", "other bytes than the state topic's") in differences(reports(stage))


def test_a_run_that_is_missing_in_the_state_topic_is_found(stage: Stage) -> None:
    (partition, run, _, offset), *_ = states_of(stage, 10)
    forge(stage, partition, run.encode(), None, offset)
    assert differences(reports(stage, None)) == [(run, "state topic", "missing there, and the log has it")]


def test_a_run_that_the_log_does_not_have_is_found(stage: Stage) -> None:
    (partition, run, value, offset), *_ = states_of(stage, 10)
    stranger = str(uuid.uuid4())
    forge(stage, partition, stranger.encode(), value.replace(run.encode(), stranger.encode()), offset)
    assert differences(reports(stage, None)) == [(stranger, "state topic", "there, and the log does not have it")]


def test_a_local_store_that_was_altered_is_found(stage: Stage) -> None:
    in_0 = [each for each in states_of(stage, 20) if each[0] == 0]
    (_, altered, value, _), (_, missing, _, _), *_ = in_0
    stranger = str(uuid.uuid4())
    store = stage.stores().open(0)
    positions = store.positions()
    assert positions is not None
    store.write([(altered.encode(), value + b"!"), (missing.encode(), None), (stranger.encode(), value)], positions)
    store.close()
    assert set(differences(reports(stage))) == {
        (altered, "local store", "other bytes than the state topic's"),
        (missing, "local store", "missing there, and the state topic has it"),
        (stranger, "local store", "there, and the state topic does not have it"),
    }


def test_runs_begun_before_the_logs_start_are_not_verifiable_and_not_different(stage: Stage) -> None:
    old, older = str(uuid.uuid4()), new_runs(10)
    stage.publish(*older, *whole_run(old)[:-1])
    stage.run_to_end()
    trim(stage, stage.ends("events"))
    stage.publish(event(old, "workflow_paused", 60), *new_runs(5))
    stage.run_to_end()
    found = reports(stage)
    assert differences(found) == []
    assert sum(report.not_verifiable for report in found) == 11
    assert sum(report.runs for report in found) == 16


def test_a_run_whose_creation_is_published_again_behind_the_logs_start_is_not_verifiable(stage: Stage) -> None:
    old, begin = str(uuid.uuid4()), whole_run(str(uuid.uuid4()))
    stage.publish(*whole_run(old), *begin)
    stage.run_to_end()
    trim(stage, stage.ends("events"))
    stage.publish(begin[0], event(old, "workflow_created"), *new_runs(3))
    stage.run_to_end()
    found = reports(stage)
    assert differences(found) == []
    assert sum(report.not_verifiable for report in found) == 2
    assert sum(report.runs for report in found) == 5

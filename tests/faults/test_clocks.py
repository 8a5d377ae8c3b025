"""Clocks that are wrong: the fold has none, and a store is kept only when its age is known."""

from __future__ import annotations

import random
import shutil
import time
import uuid
from functools import partial

import pytest
from confluent_kafka import Producer

from llm_orchestrator_state.engine import same_topics
from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.errors import TopicMismatch
from tests.faults.proof import assert_nothing_lost, untidy
from tests.faults.topics import delete
from tests.integration.agreement import local_states
from tests.integration.harness import DEADLINE_S, Later, Stage, event, step_until, whole_run
from tests.integration.test_recovery import HOUR_S

DAY_S = 24 * HOUR_S


class Jumping(SystemClock):
    """A wall clock that is set back or forth by up to three days whenever it is looked at."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def time(self) -> float:
        return time.time() + self._chance.uniform(-3 * DAY_S, 3 * DAY_S)


class SetBack(SystemClock):
    by_s = 0.0

    def time(self) -> float:
        return time.time() - self.by_s


def test_a_worker_whose_wall_clock_jumps_by_days_loses_nothing(stage: Stage) -> None:
    for seed in range(4):
        stage.publish_raw(*untidy(seed, 300))
        stage.run_to_end(clock=Jumping(seed))
        assert_nothing_lost(stage)


def test_what_a_worker_does_from_time_to_time_goes_on_when_its_wall_clock_is_set_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(same_topics, "LOOK_S", 0.05)
    monkeypatch.setattr(same_topics, "CONFIRM_S", 0.05)
    clock = SetBack()
    with stage.worker(clock=clock) as worker:
        step_until(worker, lambda: worker.progress().partitions == (0, 1))
        clock.by_s = 3 * DAY_S
        delete(stage, "events")
        with pytest.raises(TopicMismatch, match="deleted under a running worker"):
            step_until(worker, lambda: False)


@pytest.mark.parametrize(
    ("noted_s", "found_s", "warm"),
    [
        (0, 11 * HOUR_S, True),
        (60, 0, True),
        (-3 * DAY_S, 0, False),
        (3 * DAY_S, 0, False),
        (3 * DAY_S, 3 * DAY_S, True),
        (0, -2 * HOUR_S, False),
    ],
)
def test_a_store_whose_age_is_too_high_or_lies_in_the_future_is_restored_cold(
    stage: Stage, caplog: pytest.LogCaptureFixture, noted_s: float, found_s: float, warm: bool
) -> None:
    """A store that was noted by a clock days ahead would be warm for days, though it had missed a tombstone."""
    deleted = str(uuid.uuid4())
    [(partition, _), *_] = stage.publish(*whole_run(deleted))
    stage.run_to_end(clock=Later(noted_s))
    shutil.copytree(stage.directory / "state", stage.directory / "older")
    stage.publish(event(deleted, "workflow_deleted", 60))
    stage.run_to_end(clock=Later(noted_s))
    with stage.worker("older", clock=Later(found_s)) as worker:
        step_until(worker, lambda: worker.progress().partitions == (0, 1))
    assert local_states(stage.stores("older"), partition) == {}
    assert ("restoring from the start" not in caplog.text) == warm


@pytest.mark.parametrize("hours", [-24 * 400, 3])
def test_events_of_publishers_whose_clocks_are_wrong_are_judged_as_they_come(stage: Stage, hours: int) -> None:
    """Kafka's default is to refuse a record whose timestamp is more than an hour ahead."""
    producer = Producer({"bootstrap.servers": stage.bootstrap, "partitioner": "murmur2_random"})
    refused: list[object] = []
    now_ms = int(time.time() * 1000)
    for n, (key, value) in enumerate(untidy(hours, 400)):
        timestamp = now_ms + int(hours * HOUR_S * 1000) if n % 2 else now_ms
        note = partial(lambda error, _: refused.append(error) if error else None)
        producer.produce(stage.topics.events, value, key, timestamp=timestamp, on_delivery=note)
    assert producer.flush(DEADLINE_S) == 0
    assert refused == []
    stage.run_to_end()
    assert_nothing_lost(stage)


def test_events_that_happened_in_any_order_are_folded_in_that_of_the_log(stage: Stage) -> None:
    chance = random.Random(7)
    runs = [whole_run(str(uuid.uuid4()), steps=3) for _ in range(20)]
    wild = [{**each, "occurred_at": chance.randrange(-(10**15), 10**15)} for run in runs for each in run]
    stage.publish(*wild)  # type: ignore[arg-type] # a copy of a TypedDict with a field replaced
    stage.run_to_end()
    folds = assert_nothing_lost(stage)
    for fold in folds:
        assert {stage.codec.decode_state(value)["status"] for value in fold.states.values()} == {"completed"}

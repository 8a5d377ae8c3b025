from __future__ import annotations

import logging

import pytest

from llm_orchestrator_state.engine.restoring import Restoring, SoFar


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


def test_a_restore_says_every_few_seconds_how_far_it_is_and_how_long_it_will_take(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    told = Restoring(clock, 3, start=1_000, end=2_001_000)
    with caplog.at_level(logging.INFO):
        for position in range(13_500, 501_001, 12_500):
            clock.now += 0.25
            told.at(position)
    assert [record.getMessage() for record in caplog.records] == [
        "partition 3: restoring, 250,000 of 2,000,000 records, 50,000/s, 35s left",
        "partition 3: restoring, 500,000 of 2,000,000 records, 50,000/s, 30s left",
    ]
    assert told.so_far == SoFar(records=500_000, left=1_500_000, per_s=50_000)


def test_a_restore_that_is_soon_over_says_nothing_and_one_that_stands_still_no_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    told = Restoring(clock, 3, start=0, end=10)
    with caplog.at_level(logging.INFO):
        told.at(10)
        clock.now += 6
        told.at(0)
    assert [record.getMessage() for record in caplog.records] == [
        "partition 3: restoring, 0 of 10 records, 0/s, unknown time left"
    ]

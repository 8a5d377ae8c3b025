"""The same input, published three times."""

from __future__ import annotations

from typing import Any

import pytest

from llm_orchestrator_state.model.verdicts import Code
from tests.faults.proof import assert_nothing_lost
from tests.integration.harness import Stage, new_runs
from tests.unit.test_real_data import COUNTING, events, needs_data

State = dict[str, Any]


def states(stage: Stage) -> dict[bytes, State]:
    return {
        key: dict(stage.codec.decode_state(value))
        for partition in stage.partitions
        for key, value in stage.table("state", partition).items()
    }


def rejections(stage: Stage) -> set[str]:
    return {code for fold in assert_nothing_lost(stage) for _, code in fold.rejections}


def test_runs_of_an_sdk_published_three_times_are_those_of_once_and_nothing_is_rejected(stage: Stage) -> None:
    published = new_runs(100, steps=12)
    stage.publish(*published)
    stage.run_to_end()
    once = states(stage)
    stage.publish(*published, *published)
    counts = stage.run_to_end().progress().counts
    assert (counts.applied, counts.duplicate, counts.all_rejected) == (0, 2 * len(published), 0)
    assert states(stage) == once
    assert rejections(stage) == set()


@needs_data
@pytest.mark.parametrize("name", ["events-real-times", pytest.param("events", marks=pytest.mark.long)])
def test_real_dialogues_published_three_times_are_those_of_once(stage: Stage, name: str) -> None:
    published = events(name)
    stage.publish(*published)
    stage.run_to_end()
    once = states(stage)
    stage.publish(*published, *published)
    counts = stage.run_to_end().progress().counts
    assert counts.duplicate > 0.97 * 2 * len(published), "nearly all of it is silent"
    thrice = states(stage)
    changed = [run for run in once if thrice[run] != once[run]]
    assert len(changed) <= 1, "an event is judged anew only behind 32 others of its run that bear no attempt"
    for run in changed:
        assert {field for field, value in thrice[run].items() if value != once[run][field]} <= set(COUNTING)
    assert thrice.keys() == once.keys()
    assert rejections(stage) <= {Code.STALE_ATTEMPT, Code.ILLEGAL_TRANSITION, Code.RUN_EXISTS}

"""The engine survives seeded schedules of accidents."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

from tests.simulation.schedule import run_schedule

SCHEDULES = 3_000
PER_TEST = 250


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    """No logging and no automatic garbage collection; what workers froze is thawed."""
    logging.disable(logging.CRITICAL)
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SCHEDULES, PER_TEST))
def test_state_topic_local_store_and_rejections_are_the_pure_fold_of_the_log_after_any_schedule(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        try:
            run_schedule(seed)
        except Exception as error:
            error.add_note(f"replay: python -m tests.simulation --seed {seed} --trace")
            raise


def test_the_same_seed_gives_the_same_run() -> None:
    runs: list[list[str]] = [[], []]
    for run in runs:
        run_schedule(11, trace=run.append)
    assert runs[0] == runs[1]
    assert len(runs[0]) > 100


def test_a_traced_run_is_the_run_that_was_not_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[float] = []
    monkeypatch.setattr("tests.simulation.ending.Ending.check", lambda ending: ends.append(ending._scene.rng.random()))
    run_schedule(11)
    run_schedule(11, trace=lambda _: None)
    assert ends[0] == ends[1]

"""Each safeguard inside the engine is reached, and needed: without it, some schedule fails.

test_rules.py shows the second from outside, at the engine's ports. What takes more schedules than the suite has time
for is shown by name: python -m tests.simulation --seeds 0:5000 --without "a part of its rule".
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

from tests.simulation.coverage import first_failure, reached
from tests.simulation.safeguards import SAFEGUARDS, Safeguard

MOST_SCHEDULES = 400
"""Within which a missing safeguard must be found out."""

COVERED_BY = 400
"""Schedules that reach every safeguard but the rare ones."""


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    """No logging and no automatic garbage collection; what workers froze is thawed."""
    logging.disable(logging.CRITICAL)
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    logging.disable(logging.NOTSET)


def test_schedules_reach_every_safeguard() -> None:
    found = reached(range(COVERED_BY))
    assert [safeguard.rule for times, safeguard in found if not times and not safeguard.rare] == []


@pytest.mark.parametrize("safeguard", [s for s in SAFEGUARDS if not s.rare], ids=lambda safeguard: safeguard.rule)
def test_a_schedule_fails_without_the_safeguard_that(safeguard: Safeguard) -> None:
    assert first_failure(safeguard, range(MOST_SCHEDULES)), f"{MOST_SCHEDULES} schedules pass without it"

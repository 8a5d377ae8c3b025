"""How often the safeguards are reached by schedules, and which schedule fails without one."""

from __future__ import annotations

from collections.abc import Iterable

from tests.simulation.rewriting import counted, replaced
from tests.simulation.safeguards import SAFEGUARDS, Safeguard
from tests.simulation.schedule import run_schedule


def reached(seeds: Iterable[int]) -> list[tuple[int, Safeguard]]:
    """How often, each by these schedules. Raises what a schedule raises."""
    with counted(safeguard.line for safeguard in SAFEGUARDS) as hits:
        for seed in seeds:
            run_schedule(seed)
    return [(hits[safeguard.line], safeguard) for safeguard in SAFEGUARDS]


def first_failure(safeguard: Safeguard, seeds: Iterable[int]) -> tuple[int, Exception] | None:
    """The seed of the first schedule that fails without the safeguard, and with what. It must pass with it."""
    found = None
    with replaced(safeguard.without):
        for seed in seeds:
            try:
                run_schedule(seed, given=safeguard.given, emphasis=safeguard.emphasis)
            except Exception as failure:  # noqa: BLE001 - whatever the schedule ends with, it noticed
                found = seed, failure
                break
    if found is not None:
        run_schedule(found[0], given=safeguard.given, emphasis=safeguard.emphasis)
    return found

"""One seeded schedule: events, workers and accidents interleaved, then a calm in which everything must come right."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Mapping
from random import Random

from tests.simulation import conditions
from tests.simulation.accidents import Accidents
from tests.simulation.conditions import Conditions
from tests.simulation.ending import Ending
from tests.simulation.fleet import Fleet
from tests.simulation.refusals import Refusals
from tests.simulation.scene import Scene

_MEANWHILE: dict[str, float] = {"step_any": 60, "publish": 10, "wait": 15, "kill": 3, "stop": 5}
"""While a process stands still."""

REFUSED = 0.1
"""Of the schedules end with something that a worker must not go on with."""


class Schedule:
    def __init__(
        self, rng: Random, given: Conditions, emphasis: Mapping[str, float] | None, trace: Callable[[str], None] | None
    ) -> None:
        self._rng = rng
        self._scene = Scene(rng, given, trace)
        self._fleet = Fleet(self._scene)
        self._accidents = Accidents(self._scene, given, self._fleet)
        self._act = self._chooser({**self._weights(given), **(emphasis or {})})
        self._fleet.meanwhile = self._chooser(_MEANWHILE)

    def _weights(self, given: Conditions) -> dict[str, float]:
        """How often each action is chosen: a method of Fleet or Accidents."""
        rare = self._rng.random() < 0.3
        stormy = self._rng.random() < 0.2
        return {
            "step_any": 60, "publish": 18, "publish_in_transaction": 3, "wait": 4, "start": 4, "kill": 1.5,
            "pause": 1.5, "resume": 2, "stop": 1, "restart": 1, "compact": 1, "storm": 2 * stormy,
            "lose_registry": 2 * given.registry, "delete_directory": 1.5 * rare, "impersonate": 0.7 * rare,
            "lose_group_offsets": 1.5 * rare, "sleep": 0.6 * rare, "trim_events": rare, "turn_clock": rare,
        }  # fmt: skip

    def _chooser(self, weights: dict[str, float]) -> Callable[[], None]:
        actions = [getattr(self._fleet, name, None) or getattr(self._accidents, name) for name in weights]
        cumulative = list(itertools.accumulate(weights.values()))
        random = self._rng.random

        def act() -> None:
            actions[bisect.bisect_right(cumulative, random() * cumulative[-1])]()

        return act

    def run(self) -> None:
        """Raises Violation, or whatever a worker raised that nothing in the schedule explains."""
        self._scene.cluster.transactions.rates = self._scene.rates
        for _ in range(self._rng.choice((30, 60, 90))):
            self._act()
        self._scene.begin_calm()
        self._accidents.publisher.finish()
        ending = Ending(self._scene, self._fleet)
        ending.calm_down()
        ending.check()
        if self._rng.random() < REFUSED:
            Refusals(self._scene, self._fleet).check()


def run_schedule(
    seed: int,
    *,
    given: Mapping[str, object] | None = None,
    emphasis: Mapping[str, float] | None = None,
    trace: Callable[[str], None] | None = None,
) -> None:
    """Same arguments, same run. Raises Violation or the worker's own exception.

    For a schedule that is to dwell on some accidents, `given` replaces fields of its Conditions, and `emphasis` weights
    of Schedule._weights().
    """
    rng = Random(seed)
    drawn = conditions.drawn(rng)._replace(**(given or {}))  # type: ignore[arg-type] # a table's values, of any field
    with drawn.in_force():
        Schedule(rng, drawn, emphasis, trace).run()

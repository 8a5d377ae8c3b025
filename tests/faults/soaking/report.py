"""What a soak tells at its end."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tests.faults.soaking.watch import Recovery


class Report(NamedTuple):
    """differences: by what they are. ends: of workers that ended without being asked to."""

    seed: int
    minutes: float
    rate: int
    events: int
    faults: Counter[str]
    recoveries: Sequence[Recovery]
    unrecovered: int
    differences: Counter[str]
    workers_started: int
    ends: Counter[str]

    def lines(self) -> Iterator[str]:
        yield f"seed {self.seed}, {self.minutes:g} min, {self.events} events ({self.rate}/s), {self.faults.total()} faults"
        yield f"{self.workers_started} workers started; ended by themselves: {dict(self.ends) or 'none'}"
        yield ""
        yield "| fault | times | recovery p50 | longest |"
        yield "|---|--:|--:|--:|"
        for kind, times in sorted(self.faults.items()):
            took = [each.seconds for each in self.recoveries if each.kind == kind]
            yield f"| {kind} | {times} | {_seconds(took, statistics.median)} | {_seconds(took, max)} |"
        took = [each.seconds for each in self.recoveries]
        yield f"| all | {self.faults.total()} | {_seconds(took, statistics.median)} | {_seconds(took, max)} |"
        yield ""
        yield f"differences: {self.differences.total()}"
        for what, times in self.differences.items():
            yield f"  {times} {what}"

    def as_json(self) -> str:
        """One line."""
        took = [round(1000 * each.seconds) for each in self.recoveries]
        found: dict[str, Any] = {
            "events": self.events,
            "faults": self.faults.total(),
            "differences": self.differences.total(),
            "recovery_ms": {"p50": round(statistics.median(took)) if took else None, "max": max(took, default=None)},
            "unrecovered": self.unrecovered,
            "faults_by_kind": dict(self.faults),
            "differences_by_kind": dict(self.differences),
            "workers_started": self.workers_started,
            "workers_ended_by_themselves": dict(self.ends),
            "seed": self.seed,
            "minutes": self.minutes,
        }
        return json.dumps(found)


def _seconds(values: Sequence[float], of: Any) -> str:
    return f"{of(values):.1f} s" if values else "-"

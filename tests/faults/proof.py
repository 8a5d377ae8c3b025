"""What must hold after a fault, whichever it was."""

from __future__ import annotations

import random
from itertools import islice

from tests.integration.agreement import Folded, assert_agreement, differences, reports
from tests.integration.harness import Stage
from tests.integration.load import Published, traffic


def untidy(seed: int, number: int) -> list[Published]:
    """Events as real logs have them: some twice, some out of turn, some of no run, and bytes that are none."""
    return list(islice(traffic(random.Random(seed)), number))


def assert_nothing_lost(stage: Stage, state: str = "state") -> list[Folded]:
    """Every event is judged once, and what was written is the log's fold; `verify` says so too."""
    folds = assert_agreement(stage, stage.stores(state))
    found = reports(stage, state)
    assert differences(found) == []
    assert [(report.not_judged, report.store) for report in found] == [(0, "level")] * len(found)
    return folds

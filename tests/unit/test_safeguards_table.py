"""The simulation's table of safeguards names places in the engine that are there."""

from __future__ import annotations

import pytest

from tests.simulation.rewriting import counted, replaced
from tests.simulation.safeguards import SAFEGUARDS, Safeguard


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda safeguard: safeguard.rule)
def test_a_safeguards_place_and_the_text_that_is_taken_out_occur_once_in_the_engine(safeguard: Safeguard) -> None:
    """Where it does not: adapt tests/simulation/safeguards.py to the engine, and see that a schedule still fails with
    python -m tests.simulation --without "a part of its rule".
    """
    with counted([safeguard.line]) as hits:
        assert hits == {safeguard.line: 0}
    with replaced(safeguard.without):
        pass


def test_every_safeguard_has_a_rule_of_its_own() -> None:
    assert len({safeguard.rule for safeguard in SAFEGUARDS}) == len(SAFEGUARDS)

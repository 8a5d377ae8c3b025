"""Stories that chance makes up: which workflow, and what becomes of the run."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from .story import Beat, Fate, Over
from .storyteller import Storyteller
from .workflows import code_review, invoice_extraction, meeting_notes, research_agent, support_triage

WORKFLOWS = {support_triage: 36, research_agent: 16, code_review: 18, invoice_extraction: 20, meeting_notes: 10}
"""By how often they come."""

FATES = {
    Fate.COMPLETES: 870, Fate.FAILS: 40, Fate.IS_RESCUED: 18, Fate.IS_CANCELLED: 18, Fate.TIMES_OUT: 12,
    Fate.HANGS: 10, Fate.WAITS: 24, Fate.STAYS_QUEUED: 8,
}  # fmt: skip
"""By how often they come. One that finds no occasion, such as a wait where nothing is to be approved, is none."""

LATEST_CALL = 4
"""At which fate strikes: short workflows have no more."""


class Story(NamedTuple):
    """What happens to one run, and to its sub-workflow where it has one.

    beats: in order of time.
    """

    runs: int
    beats: list[Beat]


def story(rng: Random, *, with_child: bool) -> Story:
    """A new one. with_child: it has a sub-workflow."""
    teller = Storyteller(rng, [])
    if not with_child:  # else the sub-workflow comes to be whatever happens, and only it can fail
        teller.fate = rng.choices(list(FATES), list(FATES.values()))[0]
        teller.calls_to_fate = rng.randint(1, LATEST_CALL)
    try:
        if with_child:
            research_agent(teller, checked=True)
        else:
            rng.choices(list(WORKFLOWS), list(WORKFLOWS.values()))[0](teller)
        teller.complete()
    except Over:
        pass
    return Story(2 if with_child else 1, sorted(teller.beats, key=lambda beat: beat.at))

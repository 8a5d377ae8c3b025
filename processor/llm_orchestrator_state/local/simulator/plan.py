"""What a seed, a number of runs and a number of orchestrators make: families of runs, and who has which."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import msgspec

from .stories import Story, story
from .story import CHILD, ROOT, SECOND, STRANGER

BLOCK = 9
"""Families."""

WITH_CHILD = 4
"""Which one of a block has two runs: at a known place, so that any number of runs can be had exactly."""

STORIES = 100 * BLOCK
"""Different ones of a seed; after these they come again, with other ids: made up anew they would slow a load down."""

SPACING = SECOND * 2 // 5
"""Mean time between the beginnings of two families, in microseconds."""

LONGEST_STORY = 300 * SECOND
"""No story is longer, whatever chance says and however often it is taken over; checked by a test."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The same plan makes the same events, relative to the start.

    runs: sub-workflows included.
    """

    seed: int
    runs: int
    orchestrators: int

    @property
    def families(self) -> int:
        blocks, rest = divmod(self.runs, BLOCK + 1)
        return blocks * BLOCK + (rest if rest <= WITH_CHILD else max(rest - 1, WITH_CHILD + 1))

    @property
    def longest(self) -> int:
        """Microseconds from the start in which everything has happened."""
        return self.families * SPACING + LONGEST_STORY

    def families_of(self, seat: int) -> Iterator[Family]:
        """In the order in which they begin."""
        last_is_single = self.runs % (BLOCK + 1) == WITH_CHILD + 1
        for number in range(seat, self.families, self.orchestrators):
            of_story = number % STORIES
            if last_is_single and number == self.families - 1:
                of_story += 1
            yield self._family(number, _story(self.seed, of_story))

    def families_of_seat(self, seat: int) -> int:
        return len(range(seat, self.families, self.orchestrators))

    def _family(self, number: int, told: Story) -> Family:
        rng = Random(f"{self.seed}/family/{number}")  # noqa: S311 - a simulation
        begins = number * SPACING + int(rng.random() * SPACING)
        ids = {run: new_id(rng) for run in (ROOT, CHILD, STRANGER)}
        return Family(number, begins, told, ids, rng)


class Family(NamedTuple):
    """A run and its sub-workflow, where it has one.

    begins: microseconds after the start. rng: for the ids of its events.
    """

    number: int
    begins: int
    story: Story
    ids: dict[int, str]
    rng: Random


def new_id(rng: Random) -> str:
    """UUID text."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


@functools.lru_cache(maxsize=STORIES)
def _story(seed: int, number: int) -> Story:
    rng = Random(f"{seed}/story/{number}")  # noqa: S311 - a simulation
    return story(rng, with_child=number % BLOCK == WITH_CHILD)

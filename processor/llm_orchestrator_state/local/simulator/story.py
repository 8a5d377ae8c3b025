"""What a story is made of: the beats of runs, and the calls that models and tools are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from random import Random
from typing import Any, NamedTuple

from ...model.verdicts import Code

ROOT, CHILD, STRANGER = range(3)
"""Whom a beat is about: the family's first run, its sub-workflow, or a run that nobody created."""

SECOND = 1_000_000
Sample = Callable[[Random], Mapping[str, Any]]
Span = tuple[float, float]
"""Seconds, least and most."""


class Beat(NamedTuple):
    """One event of a story.

    at: microseconds since the story's begin. kind, fields: of the transition, as records have them.
    verdict: what the processor will say; None: applied.
    expects: the expected version, counted from the run's version at that moment; None: none is sent.
    twice: it is published again at once, as after an answer that was lost: a duplicate.
    """

    at: int
    run: int
    kind: str
    fields: dict[str, Any]
    verdict: Code | None = None
    expects: int | None = None
    twice: bool = False


class Fate(Enum):
    """What becomes of a run."""

    COMPLETES = auto()
    FAILS = auto()
    IS_RESCUED = auto()
    IS_CANCELLED = auto()
    TIMES_OUT = auto()
    HANGS = auto()
    WAITS = auto()
    STAYS_QUEUED = auto()


class Model(NamedTuple):
    """A language model. Prices in micro-USD a token, speed in seconds a token of output."""

    name: str
    input_price: float
    output_price: float
    seconds_per_token: float


class Trouble(NamedTuple):
    """How a call goes wrong.

    error: with {model} where a model's name is to be. seconds: after which; None: after a third of the call's time.
    billed: there was an answer, of no use, and its tokens are paid for.
    """

    error: str
    error_type: str
    seconds: float | None = None
    billed: bool = False


class Call(NamedTuple):
    """One unit of work: a model's or a tool's call.

    seconds: how long it takes, of a model's call until the first token. prompt, tokens (in and out): of a model's call.
    flaky: the share of attempts that fail and are tried again.
    """

    step: str
    seconds: Span
    outputs: Sample
    model: Model | None = None
    tokens: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    prompt: str = ""
    inputs: Sample | None = None
    troubles: Sequence[Trouble] = ()
    flaky: float = 0.0


class Over(Exception):
    """Nothing more happens to the run."""

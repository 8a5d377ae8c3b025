"""What holds for a whole schedule: the topic set's size and policy, and how near the engine's bounds are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

from llm_orchestrator_state.engine import outputs, size_limit, task, worker
from llm_orchestrator_state.kafka.format import CheckpointPolicy

INLINE_LIMIT = 24
"""Bytes: one of the values in payloads.py goes out by itself, and of most others the second."""

DEFAULT_CACHE = 32 * 1024 * 1024

SMALL_COMMIT = 15_000
"""Bytes of memory: a few events."""

SMALL_STATE = 4_000
"""Bytes: a few times a state without large values, so that some events fit and some do not."""
SMALL_REJECTION = 900

_SMALL_COMMITS = {
    (task, "CHUNK_BYTES"): 1_500,
    (task, "FIRST_LOOKUP"): 2,
    (task, "MAX_LOOKUP"): 2,
    (worker, "NOTE_LEVEL_S"): 0.05,
}
"""Bounds that a few small events reach, so that a commit comes in the middle of what was fetched."""

_SMALL_STATES = {(size_limit, "MAX_STATE_BYTES"): SMALL_STATE, (outputs, "MAX_REJECTION_BYTES"): SMALL_REJECTION}


class Conditions(NamedTuple):
    """registry: events are framed for one. small_states, small_commits: bounds are near.

    burst: probability that a history goes on with many events of one sort. faults, stalls: probabilities per call.
    """

    partitions: int = 2
    checkpoints: CheckpointPolicy = "step"
    registry: bool = False
    small_states: bool = False
    small_commits: bool = False
    burst: float = 0.0
    cache_bytes: int = DEFAULT_CACHE
    commit_interval_s: float = 0.2
    inline_limit: int | None = INLINE_LIMIT
    faults: float = 0.0
    stalls: float = 0.0

    @property
    def uncommitted_bytes(self) -> int:
        return SMALL_COMMIT if self.small_commits else 1 << 30

    @property
    def largest_value(self) -> int:
        """Characters of a JSON value."""
        return SMALL_STATE if self.small_states else 0

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """The engine's bounds are constants, of the format or with a measured reason: no settings."""
        changed = (_SMALL_COMMITS if self.small_commits else {}) | (_SMALL_STATES if self.small_states else {})
        before = {(module, name): getattr(module, name) for module, name in changed}
        for (module, name), value in changed.items():
            setattr(module, name, value)
        try:
            yield
        finally:
            for (module, name), value in before.items():
                setattr(module, name, value)


def drawn(rng: Random) -> Conditions:
    return Conditions(
        partitions=rng.choice((2, 2, 3)),
        checkpoints=rng.choice(("step", "step", "step", "step", "step", "requested", "off")),
        registry=rng.random() < 0.15,
        small_states=rng.random() < 0.15,
        small_commits=rng.random() < 0.25,
        burst=rng.choice((0.0, 0.0, 0.04)),
        cache_bytes=rng.choice((DEFAULT_CACHE, DEFAULT_CACHE, 0, 12_000)),
        commit_interval_s=rng.choice((0.2, 0.2, 0.2, 0.02, 1.0)),
        inline_limit=rng.choice((INLINE_LIMIT, INLINE_LIMIT, None)),
        faults=rng.choice((0.0, 0.004, 0.012, 0.03)),
        stalls=rng.choice((0.0, 0.0, 0.004, 0.03)),
    )

"""What the states must be in the end: the fold of the log, as verify has it, against which every contender is held."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.replay import replay
from llm_orchestrator_state.store.memory import MemoryStore
from tests.benchmarks.system import Topics


class Emitted(NamedTuple):
    """What a contender has written to the state topic. wrong: runs whose last state is not the log's, or is missing."""

    records: int
    bytes: int
    runs: int
    wrong: int


class Reference:
    """The fold of a topic set's event log, in which everything must have been applied."""

    def __init__(self, made: Topics) -> None:
        self._codec = made.codec
        self._digests: dict[bytes, bytes] = {}
        for partition, log in made.cluster.log_ranges(made.cluster.topics.events, range(made.partitions)).items():
            store = MemoryStore()
            applied = 0
            for task, _ in replay(made.cluster, SystemClock(), made.config(), partition, store, log.start, log.end):
                applied = task.counts.applied
            assert applied == log.end - log.start, "the workloads have no duplicates, and nothing to reject"
            for key, value in store.items():
                self._digests[key] = self._digest(value)

    def compare(self, made: Topics) -> Emitted:
        latest: dict[bytes, bytes | None] = {}
        records = size = 0
        for message in made.states():
            value = message.value()
            latest[message.key() or b""] = value
            records += 1
            size += len(value or b"")
        # by value: the order of a state's steps is the product's own promise
        wrong = sum(self._digests.get(key) != (value and self._digest(value)) for key, value in latest.items())
        return Emitted(records, size, len(self._digests), wrong + len(self._digests.keys() - latest.keys()))

    def _digest(self, message: bytes) -> bytes:
        state = self._codec.decode_state(message)
        return hashlib.blake2b(msgspec.json.encode(state, order="deterministic"), digest_size=16).digest()

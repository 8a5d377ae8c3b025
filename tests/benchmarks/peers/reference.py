"""What the states must be in the end: the fold of the log, as verify has it, against which every contender is held."""

from __future__ import annotations

from typing import NamedTuple

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.replay import replay
from llm_orchestrator_state.model.records import StateRecord
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
        self._decode = made.codec.decode_state
        self._states: dict[bytes, bytes] = {}
        self.events = 0
        for partition, log in made.cluster.log_ranges(made.cluster.topics.events, range(made.partitions)).items():
            store = MemoryStore()
            applied = 0
            for task, _ in replay(made.cluster, SystemClock(), made.config(), partition, store, log.start, log.end):
                applied = task.counts.applied
            assert applied == log.end - log.start, "the workloads have no duplicates, and nothing to reject"
            self._states.update(store.items())
            self.events += applied

    def compare(self, made: Topics) -> Emitted:
        latest: dict[bytes, bytes | None] = {}
        records = size = 0
        for message in made.records(made.cluster.topics.state):
            value = message.value()
            latest[message.key() or b""] = value
            records += 1
            size += len(value or b"")
        keys = self._states.keys() | latest.keys()
        wrong = sum(not self._is_same(self._states.get(key), latest.get(key)) for key in keys)
        return Emitted(records, size, len(self._states), wrong)

    def _is_same(self, expected: bytes | None, found: bytes | None) -> bool:
        """By value where the bytes differ: the order of a state's steps is the product's own promise, and the count of
        checkpoints is that of the topic set's policy, which is another one each time.
        """
        if expected is None or found is None:
            return False
        return expected == found or self._value(expected) == self._value(found)

    def _value(self, state: bytes) -> StateRecord:
        return {**self._decode(state), "checkpoint_count": 0}

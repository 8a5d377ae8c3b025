"""Under what conditions contenders meet, and what a contender is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from llm_orchestrator_state.kafka.format import CheckpointPolicy
from tests.benchmarks.program import Program
from tests.benchmarks.system import Topics

OURS, KAFKA_STREAMS, QUIX, FAUST = "ours", "kafka_streams", "quix", "faust"
CHECKPOINTS = "ours_checkpoints"
"""Ours, with a checkpoint after each completed step."""

COMPILED = "ours_compiled"
"""Ours, in the build of deploy/compile."""

FLOOR = "floor"
"""No contender, but what consuming and decoding alone allow."""

DEFAULT_CACHE_BYTES = 10 << 20
LARGE_CACHE_BYTES = 64 << 20

COMPRESSION = "lz4"
"""What the product's producers use; the peers' own default is none."""


class Conditions(NamedTuple):
    """One log, and how it is to be processed.

    workers: threads or processes that do the work.
    """

    workload: str
    events: int
    workers: int
    commit_ms: int

    @property
    def name(self) -> str:
        return f"{self.workload}.workers_{self.workers}.commit_{self.commit_ms}"

    @property
    def cache_bytes(self) -> int:
        """Of Kafka Streams' record cache: its default, and a larger one where commits are rare enough to fill it."""
        return LARGE_CACHE_BYTES if self.commit_ms >= 1000 else DEFAULT_CACHE_BYTES


class Contender(Protocol):
    """Something that folds the event log into the state topic.

    checkpoints: the topic set's policy. Peers have none.
    """

    name: str
    checkpoints: CheckpointPolicy

    def programs(self, made: Topics, group: str, directory: Path, conditions: Conditions) -> list[Program]:
        """Started, and not waited for. Each says {"what": "began", "at": …}: the moment of perf_counter() at which it had
        its first event.

        group: the consumer group that commits offsets of the event log. directory: empty, for its local state.
        """

    def means(self, conditions: Conditions) -> str:
        """How it does it, for the table's reader."""


def environment(made: Topics, group: str, directory: Path, conditions: Conditions) -> dict[str, str]:
    """What the peers' programs are told."""
    names = made.cluster.topics
    told = {
        "BOOTSTRAP": made.system.bootstrap,
        "EVENTS": names.events,
        "STATES": names.state,
        "GROUP": group,
        "DIRECTORY": str(directory),
        "PARTITIONS": str(made.partitions),
        "WORKERS": str(conditions.workers),
        "COMMIT_MS": str(conditions.commit_ms),
        "CACHE_BYTES": str(conditions.cache_bytes),
        "COMPRESSION": COMPRESSION,
    }
    return {f"PEER_{name}": value for name, value in told.items()}

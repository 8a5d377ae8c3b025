"""The product's worker, as one contender."""

from __future__ import annotations

from pathlib import Path

from llm_orchestrator_state.settings import ENVIRONMENT_PREFIX
from tests.benchmarks.peers.conditions import Conditions
from tests.benchmarks.program import Program
from tests.benchmarks.system import Topics


class Ours:
    name = "ours"

    def programs(self, made: Topics, group: str, directory: Path, conditions: Conditions) -> list[Program]:
        assert group == made.cluster.group, "the group of a worker is made of the topic prefix"
        settings = made.environment(conditions.commit_ms / 1000) | {f"{ENVIRONMENT_PREFIX}STATE_DIR": str(directory)}
        return [
            Program(
                "tests.benchmarks.worker",
                environment=settings | {f"{ENVIRONMENT_PREFIX}INSTANCE_ID": f"benchmark-{number}"},
                log=made.system.directory / "ours.log",
            )
            for number in range(conditions.workers)
        ]

    def means(self, conditions: Conditions) -> str:
        processes = "one process" if conditions.workers == 1 else f"{conditions.workers} processes"
        return f"{processes}, default settings"

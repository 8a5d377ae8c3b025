"""The product's worker, as one contender."""

from __future__ import annotations

import os
from pathlib import Path

from llm_orchestrator_state.kafka.format import CheckpointPolicy
from llm_orchestrator_state.settings import ENVIRONMENT_PREFIX
from tests.benchmarks.peers.conditions import OURS, Conditions
from tests.benchmarks.program import Program
from tests.benchmarks.system import Topics


class Ours:
    """checkpoints: step, for one after each completed step. command: the module that is run, and its arguments.

    package: the directory of another build of the package.
    """

    def __init__(
        self,
        name: str = OURS,
        checkpoints: CheckpointPolicy = "off",
        command: tuple[str, ...] = ("tests.benchmarks.worker",),
        package: Path | None = None,
    ) -> None:
        self.name = name
        self.checkpoints: CheckpointPolicy = checkpoints
        self._command = command
        self._package = package

    @classmethod
    def as_started(cls) -> Ours:
        """As a user starts it. It says nothing of its beginning."""
        return cls(command=("llm_orchestrator_state", "worker"))

    def programs(self, made: Topics, group: str, directory: Path, conditions: Conditions) -> list[Program]:
        assert group == made.cluster.group, "the group of a worker is made of the topic prefix"
        settings = made.environment(conditions.commit_ms / 1000) | {f"{ENVIRONMENT_PREFIX}STATE_DIR": str(directory)}
        if self._package:
            settings["PYTHONPATH"] = os.pathsep.join([str(self._package), os.environ.get("PYTHONPATH", "")])
        return [
            Program(
                *self._command,
                environment=settings | {f"{ENVIRONMENT_PREFIX}INSTANCE_ID": f"benchmark-{number}"},
                log=made.system.directory / "ours.log",
            )
            for number in range(conditions.workers)
        ]

    def means(self, conditions: Conditions) -> str:
        processes = "one process" if conditions.workers == 1 else f"{conditions.workers} processes"
        checkpoints = "" if self.checkpoints == "off" else ", a checkpoint after each completed step"
        build = ", compiled" if self._package else ""
        return f"{processes}, default settings{checkpoints}{build}"

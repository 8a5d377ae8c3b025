"""Quix Streams and Faust: the programs of python/, each in a virtual environment of its own in the user's cache."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from llm_orchestrator_state.errors import MissingProgram
from llm_orchestrator_state.kafka.format import CheckpointPolicy
from llm_orchestrator_state.local.jars import locked
from llm_orchestrator_state.settings import xdg_directory
from llm_orchestrator_state.wire import schemas
from tests.benchmarks.peers.conditions import Conditions, environment
from tests.benchmarks.program import Program
from tests.benchmarks.system import Topics

SOURCES = Path(__file__).with_name("python")
CHECKOUT = Path(__file__).parents[3]
MEANS = {
    "quix": "one process, state as JSON; emits every change",
    "faust": "one process, state as JSON; emits every change, outside its transactions",
}


class PythonPeer:
    """name: quix or faust. directory: for the schemas. Raises MissingProgram where pip cannot install it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.checkpoints: CheckpointPolicy = "off"
        self._python = _environment(name)
        self._schemas = directory
        for message in ("TransitionEvent", "WorkflowState"):
            text = json.dumps(schemas.plain(schemas.current(message)))
            (directory / f"{message}.avsc").write_text(text)

    def programs(self, made: Topics, group: str, directory: Path, conditions: Conditions) -> list[Program]:
        assert conditions.workers == 1, "it is measured in one process"
        return [
            Program(
                f"tests.benchmarks.peers.python.{self.name}_peer",
                environment=environment(made, group, directory, conditions)
                | {"PEER_SCHEMAS": str(self._schemas), "PYTHONPATH": str(CHECKOUT)},
                log=made.system.directory / f"{self.name}.log",
                launcher=[str(self._python), "-m"],
            )
        ]

    def means(self, conditions: Conditions) -> str:
        return MEANS[self.name]


def _environment(name: str) -> Path:
    """Its Python; the first time takes some 20 s."""
    requirements = SOURCES / f"{name}-requirements.txt"
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:8]
    target = xdg_directory("CACHE") / f"{name}-{key}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_name(f"{target.name}.lock")):
        # written last, so that an environment which has it is a whole one
        whole = target / "installed"
        if not whole.exists():
            shutil.rmtree(target, ignore_errors=True)
            venv.create(target, with_pip=True)
            _install(target / "bin" / "python", requirements)
            whole.touch()
    return target / "bin" / "python"


def _install(python: Path, requirements: Path) -> None:
    words = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(requirements)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    if ran.returncode:
        lines = [line for line in ran.stderr.splitlines() if line.strip()]
        raise MissingProgram(f"pip failed: {next(reversed(lines), ran.returncode)}; try: {' '.join(words)}")

"""The command line on one topic set, in this process."""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

import pytest

from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.client.reading import StateReader
from tests.integration.harness import Stage
from tests.integration.reading import reader

WORKERS_LOG = re.compile(r"\d{4}-\S+ info engine\.").match
"""Of a worker in a thread of this process."""


class Commands:
    """Calls are `words...`; flags for the stage's topic set go before them."""

    def __init__(self, stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
        self.stage = stage
        self._capfd = capfd

    @property
    def flags(self) -> list[str]:
        return ["--bootstrap-servers", self.stage.bootstrap, "--topic-prefix", self.stage.topics.prefix]

    def __call__(self, *words: str, code: int = 0) -> tuple[str, str]:
        """stdout and stderr of a command that ends with this code."""
        self._capfd.readouterr()
        found = run([*self.flags, *words])
        out, err = self._capfd.readouterr()
        assert found == code, err
        return out, err

    def objects(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*words, "--json", code=code)[0].splitlines()]

    def refusal(self, *words: str, code: int) -> str:
        """Of a command that prints nothing but one line about why it did nothing."""
        out, err = self(*words, code=code)
        assert out == ""
        [line] = [line for line in err.splitlines() if not WORKERS_LOG(line)]
        assert line.startswith("error: ")
        return line

    @cached_property
    def runs(self) -> StateReader:
        """Closed with the test."""
        return reader(self.stage)

    def version(self, run_id: str) -> int:
        """Of the run, as the state topic has it; 0 where there is none."""
        state = self.runs.get(run_id)
        return 0 if state is None else state.version

    def close(self) -> None:
        if "runs" in vars(self):
            self.runs.close()

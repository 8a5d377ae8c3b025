from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_orchestrator_state.errors import MissingProgram
from tests.integration.harness import Stage
from tests.integration.processes import Processes
from tests.integration.registry import SchemaRegistry


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    """A topic set of two partitions."""
    made = Stage(kafka, topic_prefix, tmp_path)
    yield made
    made.close()


@pytest.fixture
def processes(stage: Stage) -> Iterator[Processes]:
    """Whatever is started with it ends with the test."""
    started = Processes(stage)
    yield started
    started.kill()


@pytest.fixture(scope="session")
def schema_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchemaRegistry]:
    """One for all tests of this process; whoever kills it starts it again."""
    try:
        made = SchemaRegistry(tmp_path_factory.mktemp("registry"))
    except MissingProgram as missing:
        pytest.skip(f"a real schema registry {missing}")
    with made:
        yield made


@pytest.fixture
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For commands in this process: no settings, and no cache, but a test's own."""
    for name in [name for name in os.environ if name.startswith("LLM_ORCHESTRATOR_STATE_")]:
        monkeypatch.delenv(name)
    for kind in ("CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.chdir(tmp_path)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.harness import Stage
from tests.integration.processes import Processes


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

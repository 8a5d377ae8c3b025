"""A deleted run leaves no payload in the compacted topics, the stores and the readers' directories: the files are read.

The marker is a text in which nothing occurs twice, so LZ4 leaves it as it is. Compaction is made to come within seconds by
the broker's defaults and, for what a topic sets itself, by the topic's settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from llm_orchestrator_state import StateReader
from llm_orchestrator_state.store import rocks, rocks_options
from tests.cluster import KafkaCluster
from tests.integration.harness import Stage, event, until, whole_run
from tests.topic_settings import alter

MARKER = "bQ7xLw2ZkT9vRj4NcY8mHd3P"
LARGE = {"text": "x" * 20_000}
"""More than is kept in a state."""

COMPACTED = ("state", "checkpoints", "outputs")

QUICK: dict[str, Any] = {
    "log.roll.ms": 1000,
    "log.cleaner.backoff.ms": 200,
    "log.cleaner.min.cleanable.ratio": 0.01,
    "log.segment.delete.delay.ms": 100,
}


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Stage]:
    """On a broker that compacts at once. What a topic's delete.retention.ms keeps are tombstones, which hold nothing."""
    with KafkaCluster(tmp_path / "kafka", **QUICK) as kafka:
        stage = Stage(kafka.bootstrap, "forget", tmp_path, partitions=1)
        for role in COMPACTED:
            alter(stage.log.admin, stage.name(role), max_compaction_lag_ms="1000")
        yield stage
        stage.close()


def holding(directory: Path) -> list[str]:
    """Names of the files with the marker; of one that vanishes meanwhile there is nothing to say."""
    found = []
    for path in directory.rglob("*"):
        try:
            if path.is_file() and MARKER.encode() in path.read_bytes():
                found.append(str(path.relative_to(directory)))
        except FileNotFoundError:
            continue
    return found


def roles_holding(stage: Stage) -> set[str]:
    """The topics in whose files it is."""
    files = holding(stage.directory / "kafka")
    return {role for role, name in stage.topics.names().items() if any(f"/{name}-" in file for file in files)}


def flushed(stage: Stage, store: str) -> None:
    """With what is in the write-ahead log in table files, as it is sooner or later."""
    opened = stage.stores(store).open(0)
    opened._database.flush()
    opened.close()


def until_work_has(stage: Stage, reader: StateReader, holds: Callable[[], bool]) -> None:
    """Others go on, as they do, until it holds; a file's age is counted in seconds.

    With large outputs too: a segment ends only when the next record comes.
    """

    def worked() -> bool:
        run = str(uuid4())
        stage.publish(*whole_run(run)[:-1], event(run, "step_completed", 9, step_id="answer", attempt=1, outputs=LARGE))
        stage.run_to_end()
        until(lambda: reader.lag().records == 0)
        time.sleep(0.5)
        return holds()

    until(worked, 90)


def test_what_a_deleted_run_said_is_in_no_file_but_the_event_logs(
    quick: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rocks_options, "FORGET_S", 1)
    monkeypatch.setattr(rocks, "TIDY_S", 0)
    stage, run = quick, str(uuid4())
    created, *rest = whole_run(run)
    cache = tmp_path / "reader"
    stage.publish(
        event(run, "workflow_created", context={"said": MARKER}, labels={"who": MARKER}),
        *rest[:-1],
        event(run, "step_completed", 9, step_id="answer", attempt=1, outputs={"text": MARKER + LARGE["text"]}),
        event(run, "workflow_failed", 10, error=MARKER),
    )
    stage.run_to_end()
    assert created["run_id"] == run
    with StateReader(stage.bootstrap, topic_prefix="forget", directory=cache, checkpoints=True) as reader:
        until(lambda: reader.get(run) is not None and reader.lag().records == 0)
        assert roles_holding(stage) >= {"events", *COMPACTED}
        assert holding(cache) != []
        flushed(stage, "state")
        assert holding(tmp_path / "state") != []

        stage.publish(event(run, "workflow_deleted", 11))
        until_work_has(stage, reader, lambda: not (set(COMPACTED) & roles_holding(stage)))
        until_work_has(stage, reader, lambda: not holding(tmp_path / "state") and not holding(cache))
        assert reader.get(run) is None
    assert roles_holding(stage) == {"events"}, "until its retention ends"

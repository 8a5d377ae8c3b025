"""Readers of a stage's topics, beside a worker that goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llm_orchestrator_state.client.producer import Delivered
from llm_orchestrator_state.client.reading import AsyncStateReader, StateReader
from llm_orchestrator_state.model.records import EventRecord
from tests.integration.harness import Stage, until


@contextmanager
def working(stage: Stage) -> Iterator[None]:
    """A worker in a thread."""
    stop, failures = threading.Event(), []

    def work() -> None:
        try:
            with stage.worker() as worker:
                while not stop.is_set():
                    worker.step(0.05)
        except Exception as failure:
            failures.append(failure)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failures


def reader(stage: Stage, **options: Any) -> StateReader:
    return StateReader(stage.bootstrap, topic_prefix=stage.topics.prefix, **options)


def async_reader(stage: Stage, **options: Any) -> AsyncStateReader:
    return AsyncStateReader(stage.bootstrap, topic_prefix=stage.topics.prefix, **options)


def delivered(stage: Stage, *records: EventRecord) -> list[Delivered]:
    """The events, when all are in the log."""
    places = stage.publish(*records)
    return [Delivered(r["event_id"], r["run_id"], *place) for r, place in zip(records, places, strict=True)]


def settled(stage: Stage) -> None:
    """What a worker has committed is visible to everyone."""
    for role in ("state", "checkpoints", "rejections"):
        topic = stage.name(role)
        until(lambda topic=topic: all(  # type: ignore[misc]
            log.stable == log.end for log in stage.log.log_ranges(topic, stage.partitions).values()
        ))  # fmt: skip

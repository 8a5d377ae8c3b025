"""The stores on a real broker: what every store does, in both forms."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from llm_orchestrator_state import AsyncKafkaStateStore, KafkaStateStore, StateStore
from llm_orchestrator_state.testing import StateStoreConformance, blocking, event_loop
from tests.integration.harness import Stage
from tests.integration.reading import working


@pytest.fixture(scope="module")
def work(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A topic set with a worker, for all tests here."""
    stage = Stage(kafka, f"test-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("stores"))
    with working(stage):
        yield stage
    stage.close()


@pytest.fixture(scope="module")
def blocking_store(work: Stage) -> Iterator[StateStore]:
    with KafkaStateStore(work.bootstrap, topic_prefix=work.topics.prefix) as store:
        yield store


@pytest.fixture(scope="module")
def awaited_store(work: Stage) -> Iterator[StateStore]:
    with event_loop() as loop:
        store = AsyncKafkaStateStore(work.bootstrap, topic_prefix=work.topics.prefix)
        asyncio.run_coroutine_threadsafe(store.__aenter__(), loop).result()
        yield blocking(store, loop)
        asyncio.run_coroutine_threadsafe(store.close(), loop).result()


class TestKafkaStateStore(StateStoreConformance):
    @pytest.fixture
    def store(self, blocking_store: StateStore) -> StateStore:
        return blocking_store


class TestAsyncKafkaStateStore(StateStoreConformance):
    @pytest.fixture
    def store(self, awaited_store: StateStore) -> StateStore:
        return awaited_store

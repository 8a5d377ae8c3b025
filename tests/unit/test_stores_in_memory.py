"""The stores in memory: what every store does, and what is theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm_orchestrator_state import AsyncInMemoryStateStore, InMemoryStateStore, StateStore
from llm_orchestrator_state.testing import StateStoreConformance, blocking, event_loop


class TestInMemoryStateStore(StateStoreConformance):
    @pytest.fixture
    def store(self) -> StateStore:
        return InMemoryStateStore()


class TestAsyncInMemoryStateStore(StateStoreConformance):
    @pytest.fixture
    def store(self) -> Iterator[StateStore]:
        with event_loop() as loop:
            yield blocking(AsyncInMemoryStateStore(), loop)

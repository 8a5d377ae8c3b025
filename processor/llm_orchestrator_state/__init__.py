"""The state of LLM workflow runs on Kafka.

Public are the names below, and this package's ``model`` (states, events), ``errors`` and ``testing`` (the whole pipeline
in memory); the command ``llm-orchestrator-state`` does the rest. Every other module is private.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client.publishing import AsyncPublisher, Delivery, Publisher, run_id_for
    from .client.reading import AsyncStateReader, StateReader
    from .client.stores import AsyncKafkaStateStore, AsyncStateStore, KafkaStateStore, StateStore
    from .testing import AsyncInMemoryStateStore, InMemoryStateStore

EXPORTS = {
    "AsyncPublisher": "client.publishing",
    "Delivery": "client.publishing",
    "Publisher": "client.publishing",
    "run_id_for": "client.publishing",
    "AsyncStateReader": "client.reading",
    "StateReader": "client.reading",
    "AsyncInMemoryStateStore": "testing",
    "AsyncKafkaStateStore": "client.stores",
    "AsyncStateStore": "client.stores",
    "InMemoryStateStore": "testing",
    "KafkaStateStore": "client.stores",
    "StateStore": "client.stores",
}
"""Where each public name comes from. They are imported when they are used: the command line starts without them."""

__all__ = [
    "AsyncInMemoryStateStore",
    "AsyncKafkaStateStore",
    "AsyncPublisher",
    "AsyncStateReader",
    "AsyncStateStore",
    "Delivery",
    "InMemoryStateStore",
    "KafkaStateStore",
    "Publisher",
    "StateReader",
    "StateStore",
    "run_id_for",
]


def __getattr__(name: str) -> Any:
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{EXPORTS[name]}", __name__), name)
    globals()[name] = found  # this function is asked once a name
    return found


def __dir__() -> list[str]:
    return sorted(globals().keys() | EXPORTS.keys())

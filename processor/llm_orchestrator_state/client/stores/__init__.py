"""The crate's state store: whole states saved and loaded, on the same topics as the events."""

from .async_kafka import AsyncKafkaStateStore
from .async_store import AsyncEventStateStore
from .health import Health
from .kafka import KafkaStateStore
from .protocol import AsyncStateStore, StateStore
from .store import EventStateStore

__all__ = [
    "AsyncEventStateStore",
    "AsyncKafkaStateStore",
    "AsyncStateStore",
    "EventStateStore",
    "Health",
    "KafkaStateStore",
    "StateStore",
]

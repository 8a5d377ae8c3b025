"""State readers on the pipeline in memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TypeVar

from ..client.producer import Delivered
from ..client.reading import AsyncStateReader, Lag, Progress, StateReader
from ..client.reading.core import CLOSED, Core
from ..client.reading.life import Life, fulfil, refuse
from ..client.reading.opening import Opening
from ..client.reading.references import Value
from ..client.reading.values import Values
from ..client.reading.window import Window
from ..errors import Closed, Configuration, EventRejected
from .log import Log

T = TypeVar("T")


class LogValues(Values):
    """What a log's outputs topic has."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def fetch(self, partition: int, keys: Sequence[bytes]) -> Future[list[Value | None]]:
        with self._log.life.lock:
            texts = self._log.outputs[partition].values(keys)
        future: Future[list[Value | None]] = Future()
        fulfil(future, [None if text is None else Value.of(text) for text in texts])
        return future


class LogCore(Core):
    """A log's own tables: nothing in it is ever waited for."""

    def __init__(self, log: Log) -> None:
        super().__init__(Life(log.life.lock), log.tables, None, LogValues(log), log.moves)
        self._log = log

    def close(self) -> None:
        self.life.end(Closed(CLOSED))

    def is_ready(self) -> bool:
        return True

    def when_ready(self) -> Future[None]:
        return self._done(None)

    def progress(self) -> Progress:
        self.life.check()
        return Progress(0, 0)

    def lag(self) -> Future[Lag]:
        return self._done(self.known_lag())

    def known_lag(self) -> Lag:
        self.life.check()
        return Lag(0, time.time())

    def settle(self, delivered: Delivered, *, checkpoints: bool = True) -> Future[Window | None]:  # noqa: ARG002 - all is
        self.life.check()
        self.followed.check_followed(delivered.partition)
        if not self._log.has(delivered.partition, delivered.offset):
            raise Configuration(
                f"event {delivered.event_id} is none of this pipeline's; give a delivery of its own publisher() or "
                "async_publisher()"
            )
        rejected = self._log.rejected_at(delivered.partition, delivered.offset)
        if rejected is not None:
            failed: Future[Window | None] = Future()
            refuse(failed, EventRejected(rejected.code, rejected.detail, delivered.event_id))
            return failed
        with self.life.lock:
            return self._done(self._window(delivered.partition, delivered.run_id.encode()))

    def _done(self, value: T) -> Future[T]:
        self.life.check()
        future: Future[T] = Future()
        fulfil(future, value)
        return future


class InMemoryStateReader(StateReader):
    """A StateReader of a pipeline's runs and checkpoints, of all its partitions."""

    def __init__(self, log: Log) -> None:
        # not the constructor of its class, which is for Kafka
        self._opening = Opening(lambda: LogCore(log))


class AsyncInMemoryStateReader(AsyncStateReader):
    """InMemoryStateReader, for asyncio."""

    def __init__(self, log: Log) -> None:
        self._opening = Opening(lambda: LogCore(log))

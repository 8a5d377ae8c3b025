"""The store on Kafka, for programs that block."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from ...errors import EventRejected
from ...kafka.registry import Mode
from ...model.events import TransitionEvent
from ..producer import Delivered
from ..publishing.publisher import Publisher
from ..reading.kafka_core import KafkaCore
from ..reading.opening import Opening
from ..reading.options import TOPIC_PREFIX, Options
from ..reading.reader import not_settled
from ..reading.window import Window
from .calls import Outcome, Outcomes
from .checking import checked, closed, publisher_properties, silent
from .events import touches_checkpoints
from .health import Health
from .reader_runs import ReaderRuns
from .store import EventStateStore

TIMEOUT_S = 30.0
"""Longer than a worker's takeover by another one."""


class KafkaStateStore(EventStateStore):
    """A StateStore whose runs are those of a topic set: what it saves goes to the processor as an event.

    A context manager; the first call, or entering it, connects, and reads all states and checkpoints. Threads may share
    one; a fork needs its own. What this store has written it reads at once; what others write, some milliseconds later.

    bootstrap_servers, topic_prefix, schema_registry_url, properties: as of a Publisher. directory, group: as of a
    StateReader.
    timeout_s: longest wait of any call; the first reading is waited for as long as it takes.

    Raises what Publisher and StateReader raise.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic_prefix: str = TOPIC_PREFIX,
        directory: Path | str | None = None,
        group: str | None = None,
        schema_registry_url: str | None = None,
        schema_registry_mode: Mode = "register",
        schema_registry_properties: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._publisher = Publisher(
            bootstrap_servers,
            topic_prefix=topic_prefix,
            schema_registry_url=schema_registry_url,
            schema_registry_mode=schema_registry_mode,
            schema_registry_properties=schema_registry_properties,
            properties=publisher_properties(properties),
        )
        options = Options(
            bootstrap_servers=bootstrap_servers,
            topic_prefix=topic_prefix,
            checkpoints=True,
            directory=directory,
            partitions=None,
            group=group,
            schema_registry_url=schema_registry_url,
            schema_registry_properties=schema_registry_properties,
            properties=properties,
        )
        self._opening = Opening(lambda: KafkaCore(options))
        self._closed = False
        weakref.finalize(self, self._opening.close)

    def __enter__(self) -> Self:
        self._runs()
        self._publisher.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything. Once is enough, and more does nothing."""
        self._closed = True
        try:
            self._publisher.close()
        finally:
            self._opening.close()

    def health_check(self) -> Health:
        """See StateStore: the brokers, their topics, and the workers; it writes nothing."""
        core = self._core()
        lag = core.lag()
        try:
            behind = lag.result(self._timeout_s).records
        except TimeoutError:
            raise silent(self._timeout_s) from None
        finally:
            lag.cancel()
        return checked(core, behind)

    def _runs(self) -> ReaderRuns:
        return ReaderRuns(self._core())

    def _core(self) -> KafkaCore:
        if self._closed:
            raise closed()
        core = self._opening.core()
        if not core.is_ready():
            core.when_ready().result()
        return core

    def _settle(self, events: Sequence[TransitionEvent]) -> Outcomes:
        until = monotonic() + self._timeout_s
        core = self._core()
        deliveries = [self._publisher.publish(event) for event in events]
        delivered = [delivery.result(max(0.0, until - monotonic())) for delivery in deliveries]
        futures = [
            core.settle(each, checkpoints=touches_checkpoints(event))
            for each, event in zip(delivered, events, strict=True)
        ]
        try:
            return [self._outcome(*each, until) for each in zip(futures, delivered, strict=True)]
        finally:
            for future in futures:
                future.cancel()

    def _outcome(self, future: Future[Window | None], delivered: Delivered, until: float) -> Outcome:
        try:
            return future.result(max(0.0, until - monotonic()))
        except EventRejected as rejected:
            return rejected
        except TimeoutError:
            raise not_settled(delivered, self._timeout_s) from None

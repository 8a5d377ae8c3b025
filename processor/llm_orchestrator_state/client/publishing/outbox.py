"""What both publishers are made of: everything but the waiting."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Mapping
from itertools import islice
from time import monotonic
from typing import Any, get_args
from uuid import UUID

from ...errors import Closed, Configuration, StateError
from ...kafka.properties import with_pass_through
from ...kafka.registry import ConfluentRegistry, Mode
from ...kafka.topics import TopicSet
from ...settings import Settings
from ...wire.framing import Registry
from ..producer import CLOSING_TIMEOUT_S
from ..transport import EVENT_PRODUCER, KafkaTransport, Transport
from .delivery import Report
from .encoding import EventEncoder

log = logging.getLogger(__name__)

MAX_UNTOLD = 10_000
"""Deliveries that failed and that nobody was told of. A program that goes on and on with new runs while the brokers are
away never asks: it is told by its next event."""

MAX_NAMED = 20
"""Events in one error's text."""

TOPIC_PREFIX = Settings().topic_prefix


class Outbox:
    """A transport that is opened when it is needed, and the deliveries that failed and were not yet told to anyone.

    Raises Configuration for arguments that do not fit.
    """

    def __init__(
        self,
        bootstrap_servers: str | None,
        topic_prefix: str,
        schema_registry_url: str | None,
        schema_registry_mode: Mode,
        schema_registry_properties: Mapping[str, str] | None,
        properties: Mapping[str, str] | None,
        transport: Transport | None,
    ) -> None:
        if (bootstrap_servers is None) == (transport is None):
            raise Configuration(
                "a publisher needs either bootstrap_servers (host:port of Kafka) or a transport; give one of them"
            )
        self._pid = os.getpid()
        self._closed = False
        self._untold: dict[Report[Any], StateError] = {}
        self._transport: Transport | None = None
        topics = TopicSet(topic_prefix)
        registry = _registry(schema_registry_url, topics, schema_registry_mode, schema_registry_properties)
        encoder = EventEncoder(registry)
        self.encode, self._prepare = encoder.encode, encoder.prepare
        self._connect: Callable[[], Transport]
        if transport is not None:
            self._connect = lambda: transport
        else:
            servers = bootstrap_servers or ""
            with_pass_through(EVENT_PRODUCER, servers, properties or {})  # mistakes are told before it connects
            self._connect = lambda: KafkaTransport.connect(servers, properties, topics.events)

    # --- its life -----------------------------------------------------------------------------------------------------

    def check_usable(self) -> None:
        """Raises Closed."""
        if os.getpid() != self._pid:
            raise Closed(
                f"this publisher belongs to process {self._pid}, and a fork has no connection of its own; "
                "make one in each process, after the fork"
            )
        if self._closed:
            raise Closed("this publisher is closed; publish inside its with block, or make another")

    @property
    def is_open(self) -> bool:
        """Whether there may be something to wait for: in a fork there is not, whatever was pending in its parent."""
        return self._transport is not None and os.getpid() == self._pid

    @property
    def transport(self) -> Transport | None:
        """None where it must be opened first. Raises Closed, and the failures where nobody has asked for so many."""
        if self._closed or os.getpid() != self._pid:
            self.check_usable()
        if len(self._untold) >= MAX_UNTOLD:
            self.raise_failures()
        return self._transport

    def open(self) -> Transport:
        """May take seconds. Raises Connection, TopicMismatch, Configuration and Closed."""
        if (opened := self.transport) is not None:
            return opened
        self._prepare()
        self._transport = opened = self._connect()
        # for a publisher that nobody closes, at the latest when the program ends
        self._abandon = weakref.finalize(self, _abandon, opened, self._pid)
        return opened

    def close(self) -> None:
        """What is pending is given up. Once is enough, and more does nothing."""
        self._closed = True
        transport, self._transport = self._transport, None
        if transport is not None and os.getpid() == self._pid:
            self._abandon.detach()
            transport.close()

    # --- deliveries ---------------------------------------------------------------------------------------------------

    def poll(self, timeout_s: float) -> int:
        return self._transport.poll(timeout_s) if self._transport else 0

    def pending(self) -> int:
        return self._transport.pending() if self._transport and self.is_open else 0

    # --- failures -----------------------------------------------------------------------------------------------------

    def failed(self, delivery: Report[Any], error: StateError) -> None:
        if not self._untold:
            log.error("%s", error)  # the first of many: the rest would only repeat it
        self._untold[delivery] = error

    def told(self, delivery: Report[Any]) -> None:
        self._untold.pop(delivery, None)

    def raise_failure_of(self, run_id: UUID) -> None:
        """Raises what an earlier event of this run failed with, if nobody was told: no log with an unseen gap."""
        if self._untold:
            for delivery, error in self._untold.items():
                if delivery.is_of(run_id):
                    raise error

    def raise_failures(self) -> None:
        """Raises the failures that nobody was told; once."""
        untold, self._untold = self._untold, {}
        if not untold:
            return
        first = next(iter(untold.values()))
        if len(untold) == 1:
            raise first
        others = [delivery.event_id for delivery in islice(untold, 1, 1 + MAX_NAMED)]
        left = len(untold) - 1 - len(others)
        more = f", and {left} more" if left else ""
        raise type(first)(
            f"{len(untold)} events were not delivered; the first: {first}; the others: {', '.join(others)}{more}"
        )


def _registry(url: str | None, topics: TopicSet, mode: Mode, properties: Mapping[str, str] | None) -> Registry | None:
    if mode not in get_args(Mode):
        raise Configuration(f"schema_registry_mode is {mode!r}; expected one of {', '.join(get_args(Mode))}")
    return None if url is None else ConfluentRegistry(url, topics, properties, mode=mode)


def _abandon(transport: Transport, pid: int) -> None:
    if os.getpid() != pid:
        return  # a fork: these connections are the parent's
    give_up_at = monotonic() + CLOSING_TIMEOUT_S
    while transport.pending() and monotonic() < give_up_at:
        transport.poll(0.1)
    if lost := transport.pending():
        log.error("a publisher was not closed, and %d events were not delivered; close() tells of failures", lost)
    transport.close()

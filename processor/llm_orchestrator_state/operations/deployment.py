"""What `doctor` examines, taken once and looked at by all checks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Literal

from ..errors import Connection, StateError
from ..kafka.admin import Admin
from ..kafka.cluster import Cluster
from ..kafka.direct import Address
from ..kafka.format import Format
from ..kafka.inspection import Broker, brokers, replicas
from ..kafka.properties import is_plaintext
from ..kafka.registry import ConfluentRegistry
from ..kafka.topics import TopicSet
from ..settings import Settings
from .observing import observe
from .status import Status

Need = Literal["nothing", "broker", "topics"]
"""What must be there for a check to make sense."""


class Deployment:
    """connect: reaches the cluster, or raises StateError. registry: the one that is set, None where none is; raises too.

    unreachable: addresses that the listeners check could not reach.
    format: as the topics check has found it; None before, and where it has failed.
    """

    def __init__(
        self,
        settings: Settings,
        connect: Callable[[], Cluster],
        registry: Callable[[], ConfluentRegistry | None],
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.registry = registry
        self.settings = settings
        self.environ = environ
        self.topics = TopicSet(settings.topic_prefix)
        self.format: Format | None = None
        self.unreachable: set[Address] = set()
        self._connect = connect
        self._status: Status | StateError | None = None
        self._lost = False

    @cached_property
    def cluster(self) -> Cluster:
        try:
            return self._connect()
        except StateError:
            self.lose()
            raise

    @property
    def admin(self) -> Admin:
        return self.cluster.admin

    @cached_property
    def brokers(self) -> list[Broker]:
        return brokers(self.admin)

    @cached_property
    def visible(self) -> set[str]:
        """Topics of the set that exist and may be seen."""
        return set(replicas(self.admin, list(self.topics.names().values())))

    @property
    def status(self) -> Status:
        """Taken once, also when that has failed: several checks look at it, and each try may wait for a time-out."""
        if self._status is None:
            try:
                self._status = observe(self.cluster, self.settings.state_dir)
            except StateError as error:
                self._status = error
        if isinstance(self._status, StateError):
            raise self._status
        return self._status

    def direct(self) -> list[Address]:
        """Brokers that can be asked by a plain connection; none where the listeners want TLS or a login."""
        return [broker.advertised for broker in self.reachable()] if is_plaintext(self.settings.properties) else []

    def reachable(self) -> list[Broker]:
        return [broker for broker in self.brokers if broker.advertised not in self.unreachable]

    def notice(self, error: StateError) -> None:
        """After a check has failed: when the brokers are away, and have not only refused something, they are lost."""
        if isinstance(error, Connection) and not self._lost:
            try:
                brokers(self.admin)
            except StateError:
                self.lose()

    def lose(self) -> None:
        """What needs the brokers is skipped from now on: each question would wait for its time-out."""
        self._lost = True

    def lacks(self, need: Need) -> str | None:
        """Why a check with this need cannot be made."""
        if need == "nothing":
            return None
        if self._lost:
            return "needs the brokers, which cannot be used"
        if need == "topics" and len(self.visible) < len(self.topics.names()):
            return f"needs the topics of {self.topics.prefix!r}, and not all of them are there and may be seen"
        return None

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
from ..kafka.inspection import Broker, brokers
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
        self._connect = connect
        self._status: Status | StateError | None = None
        self._lost: str | None = None

    @cached_property
    def cluster(self) -> Cluster:
        try:
            return self._connect()
        except StateError as error:
            self.lose(_found(error))
            raise

    @property
    def admin(self) -> Admin:
        return self.cluster.admin

    @cached_property
    def brokers(self) -> list[Broker]:
        return brokers(self.admin)

    @cached_property
    def existing(self) -> list[str]:
        """Topics of the set that exist."""
        names = list(self.topics.names().values())
        return [name for name, topic in self.admin.topics(names).items() if topic]

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
        return [broker.advertised for broker in self.brokers] if is_plaintext(self.settings.properties) else []

    def notice(self, error: StateError) -> None:
        """After a check has failed: when the brokers are away, and have not only refused something, they are lost."""
        if isinstance(error, Connection) and self._lost is None:
            try:
                brokers(self.admin)
            except StateError:
                self.lose(_found(error))

    def lose(self, why: str) -> None:
        """What needs the brokers is skipped from now on: each question would wait for its time-out."""
        self._lost = why

    def lacks(self, need: Need) -> str | None:
        """Why a check with this need cannot be made."""
        if need == "nothing":
            return None
        if self._lost is not None:
            return f"needs the brokers: {self._lost}"
        if need == "topics" and len(self.existing) < len(self.topics.names()):
            return f"needs the topics of {self.topics.prefix!r}, and not all of them are there"
        return None


def _found(error: StateError) -> str:
    """Its message without what to do."""
    return str(error).partition("; ")[0]

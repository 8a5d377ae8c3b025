"""What one call of the command line works with: its settings, read when a command needs them, and its connections."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from typing import TYPE_CHECKING, cast

import typer

from ..errors import Configuration
from ..settings import Settings
from . import logs
from .flags import Given

if TYPE_CHECKING:
    from ..kafka.admin import Admin
    from ..kafka.cluster import Cluster
    from ..kafka.registry import ConfluentRegistry
    from ..kafka.topics import TopicSet
    from ..wire.codec import Codec

log = logging.getLogger(__name__)


class Session:
    """One call of the command line."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.client_lines = False
        self.named_lines = False

    @cached_property
    def settings(self) -> Settings:
        """Read once; the log is set up by them."""
        from ..settings_sources import load, misspelled_variables

        settings = load(self.given.flags, config=self.given.config)
        worker = settings.instance_id if self.named_lines else None
        logs.configure(settings, client_lines=self.client_lines, worker=worker)
        for name, meant in misspelled_variables(os.environ):
            log.warning(
                "environment variable %s is not a setting and has no effect; the nearest is %s, and --help shows all",
                name,
                meant,
            )
        return settings

    @cached_property
    def bootstrap_servers(self) -> str:
        """The address given, else the local broker's when it runs. Raises Configuration when there is neither."""
        if self.settings.bootstrap_servers:
            return self.settings.bootstrap_servers
        from ..local.broker import LocalBroker

        address = LocalBroker().status().bootstrap
        if address is None:
            raise Configuration(
                "no Kafka address is given and no local broker runs; give --bootstrap-servers host:port, "
                "or start one with `llm-orchestrator-state broker start`"
            )
        return address

    def read_settings(self) -> None:
        """For commands that need none: their mistakes are told all the same, and the log is set up."""
        _ = self.settings

    @cached_property
    def topics(self) -> TopicSet:
        from ..kafka.topics import TopicSet

        return TopicSet(self.settings.topic_prefix)

    @cached_property
    def admin(self) -> Admin:
        """A connection that has reached the cluster. Raises Connection, or Configuration for bad properties."""
        from ..kafka.admin import Admin

        return Admin(self.bootstrap_servers, self.settings.properties)

    @cached_property
    def registry(self) -> ConfluentRegistry | None:
        """None where none is set. Raises Configuration where its client is not installed, or for bad properties."""
        settings = self.settings
        if settings.schema_registry_url is None:
            return None
        from ..kafka.registry import ConfluentRegistry

        return ConfluentRegistry(
            settings.schema_registry_url,
            self.topics,
            settings.schema_registry_properties,
            mode=settings.schema_registry_mode,
        )

    @cached_property
    def codec(self) -> Codec:
        """Raises as registry does."""
        from ..wire.codec import Codec

        return Codec(self.registry)

    @cached_property
    def log(self) -> Cluster:
        """For reading: no member of the group. Raises as admin does."""
        return self.member("reader")

    def member(self, instance_id: str) -> Cluster:
        """For a worker of that identity. Raises as admin does."""
        from ..kafka.cluster import Cluster

        settings = self.settings
        return Cluster(
            self.bootstrap_servers,
            self.topics,
            settings.group,
            instance_id,
            session_timeout_s=settings.session_timeout,
            transaction_timeout_s=settings.transaction_timeout,
            properties=settings.properties,
        )


def session(context: typer.Context) -> Session:
    return cast(Session, context.obj)

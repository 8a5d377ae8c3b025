"""What a reader is made with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from ...kafka.cluster import Cluster
from ...kafka.topics import TopicSet
from ...settings import Settings, showable
from ...wire.framing import Registry

TOPIC_PREFIX = Settings().topic_prefix


class Options(Struct, frozen=True, kw_only=True):
    """See StateReader."""

    bootstrap_servers: str
    topic_prefix: str
    checkpoints: bool
    directory: Path | str | None
    partitions: Collection[int] | None
    group: str | None
    schema_registry_url: str | None
    schema_registry_properties: Mapping[str, str] | None
    properties: Mapping[str, str] | None

    def __repr__(self) -> str:
        return f"Options({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, showable(name, getattr(self, name))) for name in self.__struct_fields__]

    def topics(self) -> TopicSet:
        return TopicSet(self.topic_prefix)

    def cluster(self) -> Cluster:
        """Reaches the brokers, or raises Connection or Configuration."""
        group = self.group or f"{self.topic_prefix}.processor"
        return Cluster(self.bootstrap_servers, self.topics(), group, "reader", properties=self.properties)

    def registry(self) -> Registry | None:
        if self.schema_registry_url is None:
            return None
        from ...kafka.registry import ConfluentRegistry

        return ConfluentRegistry(self.schema_registry_url, self.topics(), self.schema_registry_properties)

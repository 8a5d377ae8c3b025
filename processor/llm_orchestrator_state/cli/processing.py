"""The engine's parts, put together from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .session import Session

if TYPE_CHECKING:
    from ..engine.config import WorkerConfig
    from ..kafka.cluster import Cluster
    from ..store.rocks import RocksStores

REBUILT = "rebuilt from the event log"
"""Stands in the identity of a store that is not level with a state topic."""


def worker_config(call: Session, cluster: Cluster) -> WorkerConfig:
    """For topics that are as they must be, and with a schema registry that has our schemas.

    Raises TopicMismatch, Connection, and Configuration.
    """
    from ..engine.config import WorkerConfig
    from ..kafka.topics import check

    settings, topics = call.settings, cluster.topics
    recorded = check(cluster.admin, topics)
    call.codec.prepare()  # in the middle of a transaction it would be too late to hear that the registry is away
    tombstones_live_ms = int(cluster.admin.topic_settings([topics.state])[topics.state]["delete.retention.ms"])
    return WorkerConfig(
        topics=topics,
        format=recorded,
        codec=call.codec,
        transactional_id=cluster.transactional_id,
        commit_interval_s=settings.commit_interval,
        cache_bytes=settings.cache_bytes,
        tombstones_live_s=tombstones_live_ms / 1000,
        transaction_timeout_s=settings.transaction_timeout,
    )


def stores(cluster: Cluster, directory: Path) -> RocksStores:
    """Of the events topic's partitions. Raises TopicMismatch when there is no such topic."""
    from ..store.rocks import RocksStores

    return RocksStores(directory, cluster.topics.events, cluster.identity())


def rebuilt_stores(cluster: Cluster, directory: Path) -> RocksStores:
    """Those of `rebuild`, which no worker takes for its own: they have judged events whose states no topic has seen."""
    from ..store.rocks import RocksStores

    return RocksStores(directory, cluster.topics.events, (*cluster.identity(), REBUILT))

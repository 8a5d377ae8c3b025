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
    from ..engine.memory import plan
    from ..kafka.topics import check

    settings, topics = call.settings, cluster.topics
    parts = plan(settings.memory)
    recorded = check(cluster.admin, topics)
    cluster.queues = parts.queues(recorded.partitions)
    call.codec.prepare()  # in the middle of a transaction it would be too late to hear that the registry is away
    tombstones_live_ms = int(cluster.admin.topic_settings([topics.state])[topics.state]["delete.retention.ms"])
    return WorkerConfig(
        topics=topics,
        format=recorded,
        codec=call.codec,
        transactional_id=cluster.transactional_id,
        commit_interval_s=settings.commit_interval,
        cache_bytes=parts.kept,
        uncommitted_bytes=parts.uncommitted,
        tombstones_live_s=tombstones_live_ms / 1000,
        transaction_timeout_s=settings.transaction_timeout,
    )


def stores(cluster: Cluster, directory: Path, memory: int | None = None) -> RocksStores:
    """Of the events topic's partitions. memory: the setting. Raises TopicMismatch when there is no such topic."""
    from ..engine.memory import plan
    from ..store.rocks import RocksStores
    from ..store.rocks_options import Memory

    parts = plan(memory)
    shared = Memory(parts.block_cache, parts.write_buffer)
    return RocksStores(directory, cluster.topics.events, cluster.identity(), shared)


def rebuilt_stores(cluster: Cluster, directory: Path) -> RocksStores:
    """Those of `rebuild`, which no worker takes for its own: they have judged events whose states no topic has seen."""
    from ..store.rocks import RocksStores

    return RocksStores(directory, cluster.topics.events, (*cluster.identity(), REBUILT))

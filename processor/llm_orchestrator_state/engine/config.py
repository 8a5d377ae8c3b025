"""What a worker is told."""

from __future__ import annotations

import msgspec

from ..kafka.format import Format
from ..kafka.topics import TopicSet
from ..wire.codec import Codec


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one worker.

    transactional_id: this worker's alone, and stable across restarts.
    commit_interval_s: longest time between commits while events keep coming.
    cache_bytes: encoded states kept decoded, over all partitions.
    tombstones_live_s: delete.retention.ms of the state topic in seconds.
    transaction_timeout_s: age at which the brokers abort an open transaction.
    """

    topics: TopicSet
    format: Format
    codec: Codec
    transactional_id: str
    commit_interval_s: float = 0.2
    cache_bytes: int = 32 * 1024 * 1024
    tombstones_live_s: float = 86_400.0
    transaction_timeout_s: float = 10.0

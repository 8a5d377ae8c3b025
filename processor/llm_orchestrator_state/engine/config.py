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
    cache_bytes: of memory for runs that are kept decoded between commits, over all partitions.
    uncommitted_bytes: of memory for one transaction, over all partitions; what is judged beyond comes into the next.
    tombstones_live_s: delete.retention.ms of the state topic in seconds.
    transaction_timeout_s: age at which the brokers abort an open transaction.
    """

    topics: TopicSet
    format: Format
    codec: Codec
    transactional_id: str
    commit_interval_s: float = 0.2
    cache_bytes: int = 128 * 1024 * 1024
    uncommitted_bytes: int = 149 * 1024 * 1024
    tombstones_live_s: float = 86_400.0
    transaction_timeout_s: float = 10.0

"""What a topic set is made of, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
from confluent_kafka import KafkaException

from ..errors import Connection, TopicMismatch
from ..kafka.cluster import Cluster
from ..kafka.direct import topic_bytes
from ..kafka.failures import as_state_error
from ..kafka.format import Format, read_format
from ..kafka.inspection import TIMEOUT_S, PartitionReplicas, brokers, replicas
from ..kafka.problems import no_topic_set
from ..kafka.properties import is_plaintext
from ..kafka.spans import Span, newest, timestamp_s

KEYS_AND_VALUES = {
    "events": ("run id", "TransitionEvent"),
    "state": ("run id", "WorkflowState; null: the run was deleted"),
    "checkpoints": ("run id/slot", "Checkpoint; null: it is gone"),
    "outputs": ("run id/number", "an output or a context that is too large for the state"),
    "rejections": ("the event's", "the event's bytes; code and detail are headers"),
    "meta": ("format", "the format, as JSON"),
}
"""By role."""


class TopicDescription(msgspec.Struct, frozen=True):
    """role: the name's last part. replicas: of each partition, the fewest.

    retention_ms: -1 for ever, and None for a compacted topic, which keeps the last record of each key.
    offsets: between start and end, over all partitions; no more records than these are there (transactions leave markers,
    compaction leaves gaps). bytes: in the brokers' log directories, all replicas; None where they could not be asked.
    """

    role: str
    topic: str
    key: str
    value: str
    partitions: int
    replicas: int
    min_in_sync: int
    cleanup_policy: str
    retention_ms: int | None
    max_message_bytes: int
    offsets: int
    bytes: int | None


class Description(msgspec.Struct, frozen=True):
    """format: None where none is recorded. recorded_at: Unix time, when it was.

    missing: names of topics that are not there. sizes: why the bytes are not known; None where they are.
    """

    prefix: str
    format: Format | None
    recorded_at: float | None
    topics: list[TopicDescription]
    missing: list[str]
    sizes: str | None


def describe(cluster: Cluster) -> Description:
    """Also of a set that is not complete. Raises errors.TopicMismatch where it has no topic, and errors.Connection."""
    names = cluster.topics.names()
    found = replicas(cluster.admin, list(names.values()))
    if not found:
        raise TopicMismatch(no_topic_set(cluster.admin, cluster.topics.prefix))
    settings = cluster.admin.topic_settings(list(found))
    sizes, unknown = _sizes(cluster)
    there = {role: name for role, name in names.items() if name in found}
    has_format = "meta" in there
    return Description(
        prefix=cluster.topics.prefix,
        format=read_format(cluster.admin, cluster.topics.meta) if has_format else None,
        recorded_at=_recorded_at(cluster) if has_format else None,
        topics=[
            _topic(cluster, role, name, found[name], settings[name], None if unknown else sizes.get(name, 0))
            for role, name in there.items()
        ],
        missing=[name for name in names.values() if name not in found],
        sizes=unknown,
    )


def _topic(
    cluster: Cluster,
    role: str,
    name: str,
    parts: list[PartitionReplicas],
    settings: Mapping[str, str],
    size: int | None,
) -> TopicDescription:
    try:
        ranges = cluster.log_ranges(name, range(len(parts)))
    except KafkaException as failure:
        raise as_state_error(failure, f"asking for the ends of topic {name}") from None
    key, value = KEYS_AND_VALUES[role]
    deletes = "delete" in settings["cleanup.policy"]
    return TopicDescription(
        role=role,
        topic=name,
        key=key,
        value=value,
        partitions=len(parts),
        replicas=min(part.replicas for part in parts),
        min_in_sync=int(settings["min.insync.replicas"]),
        cleanup_policy=settings["cleanup.policy"],
        retention_ms=int(settings["retention.ms"]) if deletes else None,
        max_message_bytes=int(settings["max.message.bytes"]),
        offsets=sum(known.end - known.start for known in ranges.values()),
        bytes=size,
    )


def _sizes(cluster: Cluster) -> tuple[dict[str, int], str | None]:
    """By topic, and why they are not known."""
    if not is_plaintext(cluster.admin.properties):
        return {}, "librdkafka cannot ask for sizes, and this program only over a PLAINTEXT listener"
    total: dict[str, int] = {}
    try:
        for broker in brokers(cluster.admin):
            for topic, size in topic_bytes(broker.advertised, TIMEOUT_S).items():
                total[topic] = total.get(topic, 0) + size
    except Connection as error:
        return {}, str(error)
    return total, None


def _recorded_at(cluster: Cluster) -> float | None:
    meta = cluster.topics.meta
    consumer = cluster.inspector()
    try:
        known = cluster.log_ranges(meta, [0])[0]
        found = newest(consumer, {(meta, 0): Span(known.start, known.stable)}, time.monotonic() + TIMEOUT_S)
    except KafkaException as failure:
        raise as_state_error(failure, f"reading topic {meta}") from None
    finally:
        consumer.close()
    return timestamp_s(found[meta, 0]) if (meta, 0) in found else None

"""The topic set: as it must be, and replicated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...errors import Connection, TopicMismatch
from ...kafka import topics as topic_set
from ...kafka.inspection import PartitionReplicas, replicas
from ..deployment import Deployment
from ..findings import Finding, failed, failure, ok, warning
from ..wording import partitions_text


def topics(deployment: Deployment) -> Iterator[Finding]:
    try:
        found = topic_set.check(deployment.admin, deployment.topics)
    except TopicMismatch as error:
        for line in _problems(error):
            yield failed("topics", TopicMismatch(line))
        return
    deployment.format = found
    origin = f", rebuilt from {found.rebuilt_from!r}" if found.rebuilt_from else ""
    yield ok(
        "topics",
        f"{len(deployment.topics.names())} topics of {deployment.topics.prefix!r}, {found.partitions} partitions, "
        f"checkpoints: {found.checkpoints}{origin}; settings and recorded format fit",
    )


def _problems(error: TopicMismatch) -> list[str]:
    """One each, without the headline where there are several."""
    lines = str(error).splitlines()
    return lines[1:] or lines


def topic_replicas(deployment: Deployment) -> Iterator[Finding]:
    found = replicas(deployment.admin, list(deployment.topics.names().values()))
    settings = deployment.admin.topic_settings(list(found))
    least = {name: int(settings[name].get("min.insync.replicas", "1")) for name in found}
    problems = list(replica_problems(found, least, deployment.admin.brokers))
    yield from problems
    if not problems:
        several = {part.replicas for parts in found.values() for part in parts}
        yield ok("replicas", f"every partition has a leader and all its replicas in sync ({min(several)} of each)")


def replica_problems(
    found: Mapping[str, list[PartitionReplicas]], least: Mapping[str, int], brokers: int
) -> Iterator[Finding]:
    """By topic; least: min.insync.replicas."""
    for name, parts in found.items():
        numbered = list(enumerate(parts))
        if dark := [number for number, part in numbered if part.leader is None]:
            yield failure(
                "replicas", f"{name}: no leader for {partitions_text(dark)}; nothing can be read or written there",
                "start the brokers that have its replicas", Connection,
            )  # fmt: skip
        if short := [number for number, part in numbered if part.leader is not None and part.in_sync < least[name]]:
            yield failure(
                "replicas", f"{name}: fewer than min.insync.replicas={least[name]} in sync for {partitions_text(short)}; nothing can be written there",
                "start the brokers that have its replicas", Connection,
            )  # fmt: skip
        if late := [number for number, part in numbered if least[name] <= part.in_sync < part.replicas]:
            yield warning(
                "replicas", f"{name}: not all replicas in sync for {partitions_text(late)}", "look at the brokers that are away or behind"
            )  # fmt: skip
        if brokers > 1 and min(part.replicas for part in parts) == 1:
            yield warning(
                "replicas", f"{name}: one replica on a cluster of {brokers} brokers; it goes with its broker",
                f"add replicas with kafka-reassign-partitions, up to {min(brokers, topic_set.DEFAULT_REPLICATION)}",
            )  # fmt: skip

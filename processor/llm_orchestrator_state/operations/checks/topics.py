"""The topic set: as it must be, replicated, and open to this principal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...errors import Connection, TopicMismatch
from ...hints import command
from ...kafka import topics as topic_set
from ...kafka.acls import ROLES, Role, rules
from ...kafka.inspection import PartitionReplicas, has_authorizer, replicas, rights
from ...kafka.topics import TopicSet
from ..deployment import Deployment
from ..findings import Finding, failed, failure, ok, skipped, warning
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


def access(deployment: Deployment) -> Iterator[Finding]:
    if not has_authorizer(deployment.admin, deployment.reachable()[0].id):
        yield ok("access", "the brokers have no authorizer: everybody may do everything")
        return
    allowed = rights(deployment.admin, list(deployment.topics.names().values()))
    if allowed:
        yield access_finding(deployment.topics, allowed)
    else:
        yield skipped("access", "there are no topics of which rights could be told")


def access_finding(names: TopicSet, allowed: Mapping[str, frozenset[str]]) -> Finding:
    """allowed: on the topics that exist, with what other rights imply."""
    fitting = [role for role in ROLES if not _lacking(role, names, allowed)]
    roles = f"may do on the topics what a {' and a '.join(fitting)} does" if fitting else "has no role"
    lacking = _lacking("processor", names, allowed)
    if lacking:
        lacks = "; ".join(f"{', '.join(which)} on {topic}" for topic, which in lacking.items())
        return warning(
            "access",
            f"this principal {roles}, and is no worker: it lacks {lacks}",
            f"if it is a worker's, do what `{command('topics', 'acls', '--role', 'processor', '--principal', 'User:NAME')}` "
            "prints",
        )
    return ok("access", f"this principal {roles}; the group and transactional ids cannot be looked at from here")


def _lacking(role: Role, names: TopicSet, allowed: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """By topic that exists."""
    missing: dict[str, list[str]] = {}
    for rule in rules(role, names, group=""):
        if rule.resource == "topic" and rule.operation not in allowed.get(rule.name, {rule.operation}):
            missing.setdefault(rule.name, []).append(rule.operation)
    return missing

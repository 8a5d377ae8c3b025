"""What an operator asks of a cluster and the engine does not: listeners, settings, rights, members, replicas.

Functions raise errors.Connection (also where the principal may not ask) and errors.Configuration.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the binding's package has no __all__
    ConfigResource,
    TopicDescription,
)

from ..errors import NotAllowed
from .admin import Admin
from .direct import Address
from .failures import as_state_error, is_refusal

TIMEOUT_S = 5.0
"""For one request: who asks how things are will not wait for what hangs."""

AUTHORIZER = "authorizer.class.name"
"""The broker's setting that is empty where everybody may do everything."""


class Broker(NamedTuple):
    """advertised: the address that it tells clients to use."""

    id: int
    advertised: Address


class PartitionReplicas(NamedTuple):
    """leader: a broker's id, None where the partition has none and cannot be used."""

    leader: int | None
    replicas: int
    in_sync: int


class Member(NamedTuple):
    """A worker of the group. instance_id: its client id, which workers set to their group.instance.id."""

    instance_id: str
    host: str
    partitions: dict[str, list[int]]


class Group(NamedTuple):
    """state: as the broker calls it, such as Stable, PreparingRebalance, Empty; "" for a group that does not exist."""

    state: str
    members: list[Member]


def brokers(admin: Admin) -> list[Broker]:
    answer = admin.client.describe_cluster(request_timeout=TIMEOUT_S)
    nodes = _result(answer, "describing the cluster").nodes
    return sorted(Broker(int(node.id), Address(str(node.host), int(node.port))) for node in nodes)


def broker_settings(admin: Admin, broker: int) -> dict[str, str | None]:
    """Needs DESCRIBE_CONFIGS on the cluster. None: not set, or not shown because it is a secret."""
    resource = ConfigResource(ConfigResource.Type.BROKER, str(broker))
    (answer,) = admin.client.describe_configs([resource], request_timeout=TIMEOUT_S).values()
    return {entry.name: entry.value for entry in _result(answer, f"reading settings of broker {broker}").values()}


def replicas(admin: Admin, names: Sequence[str]) -> dict[str, list[PartitionReplicas]]:
    """Of the topics that exist and that the principal may see, by partition."""
    seen = _topics(admin, names)
    return {name: [_replicas(part) for part in topic.partitions] for name, topic in seen.items() if topic}


def _replicas(partition: Any) -> PartitionReplicas:
    leader = partition.leader
    known = leader is not None and leader.id >= 0
    return PartitionReplicas(leader.id if known else None, len(partition.replicas), len(partition.isr))


def rights(admin: Admin, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """What this principal may do with each topic that exists, such as READ and WRITE; nothing where it may not see it."""
    found = _topics(admin, names, with_rights=True)
    return {name: frozenset(each.name for each in _operations(topic)) for name, topic in found.items()}


def _operations(topic: TopicDescription | None) -> Sequence[Any]:
    return () if topic is None else topic.authorized_operations or ()


def _topics(admin: Admin, names: Sequence[str], *, with_rights: bool = False) -> dict[str, TopicDescription | None]:
    """Those that exist; None for one that the principal may not see."""
    found: dict[str, TopicDescription | None] = {}
    answers = admin.client.describe_topics(
        TopicCollection(list(names)), request_timeout=TIMEOUT_S, include_authorized_operations=with_rights
    )
    for name, answer in answers.items():
        try:
            found[name] = answer.result()
        except KafkaException as failure:
            if is_refusal(failure.args[0]):
                found[name] = None
            elif failure.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise as_state_error(failure, f"describing topic {name}") from None
    return found


def has_authorizer(admin: Admin, broker: int) -> bool:
    """Whether ACLs are checked at all: also where that is not shown to us, as then something refuses it.

    By the broker's setting: describing ACLs answers with an empty list where there is no authorizer (tried).
    """
    try:
        return broker_settings(admin, broker).get(AUTHORIZER) != ""
    except NotAllowed:
        return True


def group(admin: Admin, name: str) -> Group:
    try:
        listed = admin.listed_group(name)
    except KafkaException as failure:
        raise as_state_error(failure, f"describing group {name}") from None
    if listed is None:
        return Group("", [])
    members = [
        Member(member.client_id, member.client_host.removeprefix("/"), assigned_partitions(member.assignment or b""))
        for member in listed.members
    ]
    return Group(listed.state, sorted(members))


def assigned_partitions(assignment: bytes) -> dict[str, list[int]]:
    """From a member's assignment (ConsumerProtocolAssignment): by topic. Empty in the middle of a rebalance."""
    return {} if not assignment else dict(_assigned(assignment))


def _assigned(assignment: bytes) -> Iterator[tuple[str, list[int]]]:
    at = 2  # behind the version: all versions begin with the same fields
    (topics,) = struct.unpack_from(">i", assignment, at)
    at += 4
    for _ in range(topics):
        (length,) = struct.unpack_from(">h", assignment, at)
        name = assignment[at + 2 : at + 2 + length].decode()
        at += 2 + length
        (count,) = struct.unpack_from(">i", assignment, at)
        yield name, sorted(struct.unpack_from(f">{count}i", assignment, at + 4))
        at += 4 + 4 * count


def _result(answer: Any, what: str) -> Any:
    try:
        return answer.result()
    except KafkaException as failure:
        raise as_state_error(failure, what) from None

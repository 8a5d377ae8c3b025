"""What each role must be allowed where the brokers ask ACLs: the least that all its work needs, as a table.

A role has nothing that another grant implies: READ and WRITE include DESCRIBE (Kafka's StandardAuthorizer).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from .topics import TopicSet

Role = Literal["publisher", "reader", "processor", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)

Resource = Literal["topic", "group", "transactional-id", "cluster"]

CLUSTER = "kafka-cluster"
"""The only name that a resource of the type cluster has."""


class Grant(NamedTuple):
    """operations: by Kafka's names. topic: its role in the topic set; "" where the resource is no topic."""

    operations: tuple[str, ...]
    resource: Resource
    topic: str
    purpose: str


class Rule(NamedTuple):
    """One ACL. prefixed: it is of all names that begin with this one."""

    operation: str
    resource: Resource
    name: str
    prefixed: bool = False


GRANTS: dict[Role, tuple[Grant, ...]] = {
    "publisher": (
        Grant(("WRITE",), "topic", "events", "events, also those that claim a run"),
    ),
    "reader": (
        Grant(("READ",), "topic", "state", "runs and their changes"),
        Grant(("READ",), "topic", "checkpoints", "checkpoints"),
        Grant(("READ",), "topic", "outputs", "outputs that are too large for a state"),
        Grant(("READ",), "topic", "rejections", "what has become of an event"),
        Grant(("DESCRIBE",), "topic", "events", "how far the group has come on it"),
        Grant(("DESCRIBE",), "group", "", "what has become of a duplicate"),
    ),
    "processor": (
        Grant(("READ", "DESCRIBE_CONFIGS"), "topic", "events", "the input"),
        Grant(("READ", "WRITE", "DESCRIBE_CONFIGS"), "topic", "state", "the output, and restoring from it"),
        Grant(("WRITE", "DESCRIBE_CONFIGS"), "topic", "checkpoints", "the output"),
        Grant(("READ", "WRITE", "DESCRIBE_CONFIGS"), "topic", "outputs", "the output, and bringing back contexts"),
        Grant(("WRITE", "DESCRIBE_CONFIGS"), "topic", "rejections", "the output"),
        Grant(("READ", "DESCRIBE_CONFIGS"), "topic", "meta", "what the topic set was made with"),
        Grant(("READ",), "group", "", "its partitions and positions"),
        Grant(("WRITE",), "transactional-id", "", "its transactions, and ending those of a worker that died"),
    ),
    "operator": (
        Grant(("CREATE", "READ", "WRITE", "DESCRIBE_CONFIGS"), "topic", "events", "commands to runs, redrive, history, verify"),
        Grant(("CREATE", "READ", "DESCRIBE_CONFIGS"), "topic", "state", "runs, verify"),
        Grant(("CREATE", "READ", "DESCRIBE_CONFIGS"), "topic", "checkpoints", "checkpoints, restore"),
        Grant(("CREATE", "READ", "DESCRIBE_CONFIGS"), "topic", "outputs", "outputs that are too large for a state"),
        Grant(("CREATE", "READ", "DESCRIBE_CONFIGS"), "topic", "rejections", "rejections"),
        Grant(("CREATE", "READ", "WRITE", "DESCRIBE_CONFIGS"), "topic", "meta", "what the topic set is made with"),
        Grant(("DESCRIBE",), "group", "", "status, and whether an event is judged"),
        Grant(("DESCRIBE_CONFIGS",), "cluster", "", "doctor: settings of the brokers"),
    ),
}  # fmt: skip


def rules(role: Role, topics: TopicSet, group: str) -> Iterator[Rule]:
    """The ACLs of a role, one each."""
    for grant in GRANTS[role]:
        name, prefixed = _named(grant, topics, group)
        for operation in grant.operations:
            yield Rule(operation, grant.resource, name, prefixed)


def _named(grant: Grant, topics: TopicSet, group: str) -> tuple[str, bool]:
    match grant.resource:
        case "topic":
            return topics.names()[grant.topic], False
        case "group":
            return group, False
        case "transactional-id":
            return topics.transactional_ids, True
    return CLUSTER, False

"""What is wrong with a topic: one line each, with what was found, what is needed, and the command that repairs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaException

from ..hints import command
from .admin import REQUEST_TIMEOUT_S, Admin, Topic
from .failures import as_state_error
from .topic_settings import Setting


def create_command(prefix: str, *more: str) -> str:
    return command("topics", "create", "--topic-prefix", prefix, *more)


MOST_NAMED = 5
"""Prefixes that a message names: those most like the one that was given."""


def no_topic_set(admin: Admin, prefix: str) -> str:
    """That there are no topics with this prefix, which prefixes there are, and what to do. Raises errors.Connection."""
    import difflib

    try:
        names = admin.client.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    except KafkaException as failure:
        raise as_state_error(failure, "listing the topics") from None
    known = sorted(name.removesuffix(".meta") for name in names if name.endswith(".meta"))
    near = difflib.get_close_matches(prefix, known, n=MOST_NAMED, cutoff=0)
    more = f" and {len(known) - len(near)} more" if len(known) > len(near) else ""
    there = f"there are topic sets with {', '.join(map(repr, near))}{more}" if near else "there is no other topic set"
    return (
        f"no topic set has the prefix {prefix!r} ({there}); give another topic prefix, or make this one with "
        f"`{create_command(prefix)}`"
    )


def partition_problems(name: str, topic: Topic, needed: int | None) -> Iterator[str]:
    if needed is not None and topic.partitions != needed:
        yield (
            f"{name}: found {topic.partitions} partitions, needed {needed}; cannot be repaired: the count is fixed "
            "for the life of a topic set; make a new one under another prefix and replay the events into it"
        )


def setting_problems(admin: Admin, name: str, needed: Iterable[Setting], found: dict[str, str]) -> Iterator[str]:
    for setting in needed:
        if not setting.allows(found.get(setting.name)):
            bound = "at least " if setting.rule == "at least" else ""
            yield (
                f"{name}: found {setting.name}={found.get(setting.name)}, needed {bound}{setting.value}; "
                f"repair: {_alter_command(admin, name, setting.name, setting.value)}"
            )


def replica_problems(admin: Admin, name: str, topic: Topic, found: dict[str, str]) -> Iterator[str]:
    if int(found["min.insync.replicas"]) > topic.replicas:
        yield (
            f"{name}: found min.insync.replicas={found['min.insync.replicas']}, needed at most {topic.replicas}, its "
            f"replicas: nothing can be written; "
            f"repair: {_alter_command(admin, name, 'min.insync.replicas', str(topic.replicas))}"
        )


def _alter_command(admin: Admin, topic: str, name: str, value: str) -> str:
    return (
        f"kafka-configs --bootstrap-server {admin.bootstrap_servers} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {name}={value}"
    )

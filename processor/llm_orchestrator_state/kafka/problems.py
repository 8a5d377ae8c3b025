"""What is wrong with a topic: one line each, with what was found, what is needed, and the command that repairs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .admin import Admin, Topic
from .topic_settings import Setting


def create_command(prefix: str) -> str:
    return f"llm-orchestrator-state topics create --topic-prefix {prefix}"


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

"""What operators do to topics: trimming, deleting, making anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import TopicPartition

from llm_orchestrator_state.kafka.topics import create
from tests.integration.harness import DEADLINE_S, Stage, until
from tests.topic_settings import alter


def trim(stage: Stage, role: str, offsets: dict[int, int]) -> None:
    """What lies before these offsets goes, as retention makes it."""
    before = [TopicPartition(stage.name(role), p, offset) for p, offset in offsets.items()]
    for deleted in stage.log.admin.client.delete_records(before, request_timeout=DEADLINE_S).values():
        deleted.result()


@contextmanager
def not_compacted(stage: Stage, role: str) -> Iterator[None]:
    """Of a compacted topic nothing may be deleted: somebody has changed that for a while."""
    alter(stage.log.admin, stage.name(role), cleanup_policy="delete")
    yield
    alter(stage.log.admin, stage.name(role), cleanup_policy="compact")


def delete(stage: Stage, *roles: str) -> None:
    names = [stage.name(role) for role in roles]
    admin = stage.log.admin
    for future in admin.client.delete_topics(names).values():
        future.result()
    until(lambda: not any(admin.topics(names).values()))


def make_anew(stage: Stage, *roles: str) -> None:
    delete(stage, *roles)
    create(stage.log.admin, stage.topics)
    until(lambda: all(stage.log.admin.topics([stage.name(role) for role in roles]).values()))

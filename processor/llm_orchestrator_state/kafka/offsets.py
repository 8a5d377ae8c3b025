"""Committed offsets and log ends, in both isolation levels.

Asked through two consumers that never join a group, not through the admin client: of librdkafka 2.16 that one aborts the
process when a question to a group's coordinator has timed out and the broker comes back (its issue 4605), and its
ListOffsets goes on failing with FENCED_LEADER_EPOCH for minutes after a partition's leader has changed (both tried).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from . import codes
from .interface import GroupOffset, LogRange
from .logs import logger
from .properties import CONSUMER, Properties

TIMEOUT_S = 10.0

RETRY_S = 0.05

ATTEMPT_S = 3.0
"""For a partition's leader to answer, before it is asked who leads now: the one that is known may be dead."""

_NO_LEADER = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    # what librdkafka makes of any error that a broker answers with; a partition that is not there is told apart below
    codes.UNKNOWN_PARTITION,
    codes.TIMED_OUT,
}

_NO_COORDINATOR = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
"""The group's has just moved: librdkafka looks for the new one, and answers the question with the old one's error."""

STABLE_WITHIN_S = 0.5
"""How long the broker may take to call an offset stable. It answers in a millisecond, or not before the transaction that
changes the offset has ended: librdkafka asks until then, and does not tell UNSTABLE_OFFSET_COMMIT."""


class Offsets:
    """Methods raise KafkaException; after one, the next call is a fresh attempt.

    properties: makes a client's complete properties from its own ones.
    """

    def __init__(self, properties: Callable[[Properties], dict[str, Any]], group: str) -> None:
        def consumer(isolation: str) -> Consumer:
            return Consumer(properties(CONSUMER | {"group.id": group, "isolation.level": isolation}), logger=logger)

        self._group = group
        self._refused = False
        self._stable = consumer("read_committed")
        self._latest = consumer("read_uncommitted")

    def committed(self, topic: str, partitions: Sequence[int]) -> dict[int, GroupOffset]:
        if not partitions:
            return {}
        # the last stable ones; and the coordinator is there, so a silence below means instability
        found = self._committed(self._latest, topic, partitions, TIMEOUT_S)
        stable = self._stable_within(topic, partitions)
        if stable is None and len(partitions) > 1:
            stable = {}
            for number in partitions:
                stable |= self._stable_within(topic, [number]) or {}
        return {
            number: GroupOffset(
                offset=last.offset if last.offset >= 0 else None,
                owner=last.metadata or "",
                pending=number not in (stable or {}),
            )
            for number, last in (found | (stable or {})).items()
        }

    def _stable_within(self, topic: str, partitions: Sequence[int]) -> dict[int, TopicPartition] | None:
        """None where one of them is not stable."""
        try:
            return self._committed(self._stable, topic, partitions, STABLE_WITHIN_S)
        except KafkaException as failure:
            if failure.args[0].code() == codes.TIMED_OUT:
                return None
            raise

    def _committed(
        self, consumer: Consumer, topic: str, partitions: Sequence[int], timeout_s: float
    ) -> dict[int, TopicPartition]:
        deadline = time.monotonic() + timeout_s
        while True:
            self._look(consumer)
            self._raise_if_refused()
            try:
                found = consumer.committed([TopicPartition(topic, number) for number in partitions], timeout=timeout_s)
                break
            except KafkaException as failure:
                self._look(consumer)
                self._raise_if_refused()
                if failure.args[0].code() not in _NO_COORDINATOR or time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)  # brokers do not tell when a group's new coordinator is there; they must be asked
        for partition in found:
            if partition.error:
                raise KafkaException(partition.error)
        return {partition.partition: partition for partition in found}

    def ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, LogRange]:
        return {number: self._range(TopicPartition(topic, number)) for number in partitions}

    def _range(self, partition: TopicPartition) -> LogRange:
        # the end before the stable offset: then a stable offset behind the end is a transaction that was open at the
        # end's moment, never one that began and ended between the two questions
        start, end = self._watermarks(self._latest, partition)
        _, stable = self._watermarks(self._stable, partition)
        return LogRange(start=start, stable=min(stable, end), end=end)

    def _watermarks(self, consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
        self._look(consumer)
        return watermarks(consumer, partition)

    def _look(self, consumer: Consumer) -> None:
        """Its log lines, and whether the brokers refused to name the group's coordinator: committed() does not tell that,
        but waits for it until its time-out.
        """
        message = consumer.poll(0)
        error = message.error() if message else None
        if error and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            self._refused = True

    def _raise_if_refused(self) -> None:
        if self._refused:
            self._refused = False
            raise KafkaException(
                KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED, f"group {self._group}: authorization failed")
            )


def watermarks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """The first offset and the end, as the consumer's isolation level has it. Raises KafkaException.

    A partition that was just made, or whose leader has just changed, is asked again: its broker does not know yet that it
    leads, and librdkafka does not ask twice. Nor does it ask who leads now, of a topic that is not subscribed to: it went
    on asking the old leader for minutes, a dead one too (tried, with brokers killed and restarted).
    """
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return consumer.get_watermark_offsets(partition, timeout=ATTEMPT_S)
        except KafkaException as failure:
            if failure.args[0].code() not in _NO_LEADER or time.monotonic() > deadline:
                raise
            known = consumer.list_topics(partition.topic, timeout=TIMEOUT_S).topics[partition.topic]
            if partition.partition not in known.partitions and known.error is None:
                raise
            time.sleep(RETRY_S)  # brokers do not tell when a leader is known; they must be asked

"""Questions about offsets that a reader asks many times a second."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ...kafka.cluster import Cluster
from ...kafka.failures import is_refusal
from ...kafka.logs import log_error, logger
from ...kafka.offsets import TIMEOUT_S, watermarks
from ...kafka.properties import CONSUMER, with_pass_through
from .feeds import Place


class Ends:
    """Ends of topics as uncommitted readers see them, and the group's committed offsets. Methods raise KafkaException."""

    def __init__(self, cluster: Cluster) -> None:
        own = CONSUMER | {"group.id": cluster.group, "isolation.level": "read_uncommitted"}
        conf: dict[str, Any] = {
            **with_pass_through(own, cluster.admin.bootstrap_servers, cluster.admin.properties),
            "error_cb": log_error,
        }
        self._consumer: Consumer = Consumer(conf, logger=logger)
        self._events = cluster.topics.events

    def end(self, place: Place) -> int:
        """Behind the last record, also of an open transaction."""
        return watermarks(self._consumer, TopicPartition(*place))[1]

    def committed(self, partitions: Iterable[int]) -> dict[int, int]:
        """Next input offset of each partition for which the group has a stable one."""
        self._raise_if_refused()
        try:
            found = self._consumer.committed([TopicPartition(self._events, p) for p in partitions], timeout=TIMEOUT_S)
        except KafkaException:
            self._raise_if_refused()
            raise
        for each in found:
            if each.error:
                raise KafkaException(each.error)
        return {each.partition: each.offset for each in found if each.offset >= 0}

    def _raise_if_refused(self) -> None:
        """committed() does not tell a refusal, but waits for the coordinator until its time-out."""
        message = self._consumer.poll(0)
        if message and (error := message.error()) and is_refusal(error):
            raise KafkaException(error)

    def close(self) -> None:
        self._consumer.close()

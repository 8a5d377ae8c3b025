"""How far the consumer group has come in its input."""

from __future__ import annotations

from typing import NamedTuple

from confluent_kafka import KafkaException

from ...kafka.cluster import Cluster


class Progress(NamedTuple):
    """Events in the log, those of them that are behind the group's committed offsets, and partitions without one."""

    published: int = 0
    folded: int = 0
    unclaimed: int = 0

    @property
    def lag(self) -> int:
        return self.published - self.folded


def progress_of(cluster: Cluster) -> Progress | None:
    """None where the brokers cannot tell just now: a group's coordinator may be loading, or moving.

    Raises KafkaException.
    """
    topic = cluster.topics.events
    try:
        found = cluster.admin.topics([topic])[topic]
        partitions = range(found.partitions if found else 0)
        # the offsets first: what is published in between makes a lag, and not a negative one
        committed = cluster.group_offsets(partitions)
        ranges = cluster.log_ranges(topic, partitions)
    except KafkaException as error:
        if error.args[0].retriable():
            return None
        raise
    return Progress(
        published=sum(each.end - each.start for each in ranges.values()),
        folded=sum((committed[n].offset or ranges[n].start) - ranges[n].start for n in partitions),
        unclaimed=sum(committed[n].offset is None for n in partitions),
    )

"""The consumer group's member: librdkafka's consumer, with two of its waits taken out."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

WAKE_TIMEOUT_S = 0.01
LEAVE_TIMEOUT_S = 3.0


class Member(Consumer):
    """resume() fetches at once, and unsubscribe() returns when the group has been told."""

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Librdkafka's thread for a broker sleeps up to a second while it has nothing to fetch, and a partition that may
        be fetched again does not wake it (measured: the first record comes after 1,003 ms). Any request does (3 ms).
        """
        super().resume(partitions)
        for partition in partitions:
            try:
                self.get_watermark_offsets(partition, timeout=WAKE_TIMEOUT_S)
            except KafkaException:
                # the answer is not wanted: sending it was enough, and a broker that is away is met by fetching
                return

    def unsubscribe(self) -> None:
        """Revokes what it owns, in this call, and leaves the group.

        A static member that closes before its unsubscribing is through does not leave: the others get its partitions
        only after the session time-out (measured: 10 s instead of 0.2).
        """
        super().unsubscribe()
        deadline = time.monotonic() + LEAVE_TIMEOUT_S
        while self.memberid() and time.monotonic() < deadline:
            self.poll(0.01)

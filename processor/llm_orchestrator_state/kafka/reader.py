"""The consumer that reads partitions from given offsets and belongs to no group."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaError

ABOUT_THE_GROUP = KafkaError.GROUP_AUTHORIZATION_FAILED


class Reader(Consumer):
    """Needs no right on its group.

    librdkafka demands a group's name and looks for its coordinator, though nothing that is assigned with an offset is
    ever asked of it. That the brokers refuse this is therefore no error of a reader.
    """

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        messages = super().consume(num_messages, timeout)
        for message in [m for m in messages if (error := m.error()) is not None and error.code() == ABOUT_THE_GROUP]:
            messages.remove(message)
        return messages

"""The consumer that reads partitions from given offsets and belongs to no group."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaError


class Reader(Consumer):
    """Needs no right on its group.

    librdkafka demands a group's name and looks for its coordinator, though nothing that is assigned with an offset is
    ever asked of it. That the brokers refuse this is therefore no error of a reader.
    """

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        messages = super().consume(num_messages, timeout)
        return [message for message in messages if not _is_about_the_group(message.error())]


def _is_about_the_group(error: KafkaError | None) -> bool:
    return error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED

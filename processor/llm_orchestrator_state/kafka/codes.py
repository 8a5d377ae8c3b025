"""librdkafka's own error codes (those below zero) under public names: the binding spells them with an underscore."""

# ruff: noqa: SLF001

from __future__ import annotations

from confluent_kafka import KafkaError

ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN
AUTHENTICATION = KafkaError._AUTHENTICATION
AUTO_OFFSET_RESET = KafkaError._AUTO_OFFSET_RESET
# How a consumer hears that another one has its group.instance.id. Its fatal() is False (tried).
FATAL = KafkaError._FATAL
FENCED = KafkaError._FENCED
INVALID_ARG = KafkaError._INVALID_ARG
RESOLVE = KafkaError._RESOLVE
TIMED_OUT = KafkaError._TIMED_OUT
UNKNOWN_PARTITION = KafkaError._UNKNOWN_PARTITION

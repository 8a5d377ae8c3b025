"""librdkafka's own error codes (those below zero) under public names: the binding spells them with an underscore."""

# ruff: noqa: SLF001

from __future__ import annotations

from confluent_kafka import KafkaError

ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN
AUTHENTICATION = KafkaError._AUTHENTICATION
INVALID_ARG = KafkaError._INVALID_ARG
RESOLVE = KafkaError._RESOLVE
AUTO_OFFSET_RESET = KafkaError._AUTO_OFFSET_RESET

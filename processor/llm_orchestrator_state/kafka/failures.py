"""KafkaError and KafkaException as this package's errors, in one line."""

from __future__ import annotations

import re

from confluent_kafka import KafkaError, KafkaException

from .. import errors
from . import codes

_REFUSED = {
    codes.AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
_UNUSABLE = {
    codes.INVALID_ARG,
    KafkaError.INVALID_CONFIG,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.INVALID_REPLICATION_FACTOR,
    KafkaError.POLICY_VIOLATION,
    KafkaError.TOPIC_EXCEPTION,
}
_BROKER_AND_STATE = re.compile(r"^\S+/(?:bootstrap|\d+): (.*?)(?: \(after \d+ms in state \w+.*\))?$", re.DOTALL)


def one_line(error: KafkaError) -> str:
    """The error's text without the broker's name in front and librdkafka's connection state behind."""
    text = error.str()
    found = _BROKER_AND_STATE.match(text)
    return " ".join((found[1] if found else text).split())


def is_refusal(error: KafkaError) -> bool:
    """Whether the credentials or ACLs do not allow it: asking again does not help."""
    return error.code() in _REFUSED


def as_state_error(failure: KafkaException, what: str) -> errors.StateError:
    """``what`` could not be done: who must act decides the class, Configuration or Connection."""
    error: KafkaError = failure.args[0]
    if error.code() in _UNUSABLE:
        return errors.Configuration(f"{what}: {one_line(error)}")
    if is_refusal(error):
        return errors.NotAllowed(f"{what}: Kafka refused it ({one_line(error)}); check the credentials and ACLs")
    return errors.Connection(f"{what}: {one_line(error)}")

"""What both stores on Kafka share."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaException

from ...errors import Closed, Connection, TimedOut
from ...hints import command
from ...kafka.failures import as_state_error
from ..reading.kafka_core import KafkaCore
from .health import Health


def publisher_properties(given: Mapping[str, str] | None) -> dict[str, str]:
    """Whoever saves waits for it, and sends nothing meanwhile that a batch could wait for."""
    return {"linger.ms": "0", **(given or {})}


def closed() -> Closed:
    return Closed("this store is closed; use it inside its with block, or make another")


def silent(timeout_s: float) -> TimedOut:
    return TimedOut(f"health check failed: no broker has answered within {timeout_s:g} s; check the brokers")


def checked(core: KafkaCore, behind: int | None) -> Health:
    """The rest of a health check. It asks a broker: up to 10 s.

    behind: see Health; None where no broker has told.
    """
    try:
        members = core.cluster.admin.members(core.cluster.group)
    except (KafkaException, Connection) as failure:
        why = as_state_error(failure, "describing the group") if isinstance(failure, KafkaException) else failure
        raise Connection(f"health check failed: {why}") from None
    if not members:
        raise Connection(
            f"health check failed: no worker is in group {core.cluster.group}, and what is saved would not be applied; start "
            f"one with `{command('worker')}`"
        )
    return Health(
        (
            f"the brokers answer, and have the topics of {core.cluster.topics.prefix}",
            f"workers in group {core.cluster.group}: {len(members)}",
        ),
        behind or 0,
    )

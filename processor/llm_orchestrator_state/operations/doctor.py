"""All checks, in the order in which one would ask: this host, the brokers, the topics, the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from confluent_kafka import KafkaException

from ..errors import StateError
from ..kafka.failures import as_state_error
from .checks import brokers, directory, host, protection, schemas, topics, work
from .deployment import Deployment, Need
from .findings import Finding, failed, skipped


class Check(NamedTuple):
    """need: what must be there, or it is skipped. look: may raise StateError and KafkaException."""

    name: str
    need: Need
    look: Callable[[Deployment], Iterator[Finding]]


CHECKS = (
    Check("program", "nothing", host.program),
    Check("environment", "nothing", host.environment),
    Check("state directory", "nothing", directory.state_directory),
    Check("broker", "nothing", brokers.broker),
    Check("listeners", "nothing", brokers.listeners),
    Check("broker settings", "broker", brokers.settings),
    Check("clock", "broker", brokers.clocks),
    Check("transport", "broker", protection.transport),
    Check("access", "broker", protection.access),
    Check("topics", "broker", topics.topics),
    Check("replicas", "topics", topics.topic_replicas),
    Check("open files", "nothing", host.open_files),
    Check("stores", "topics", directory.stores),
    Check("schemas", "nothing", schemas.schemas),
    Check("workers", "topics", work.workers),
    Check("lag", "topics", work.lag),
    Check("transactions", "topics", work.transactions),
    Check("rejections", "topics", work.rejections),
)


def examine(deployment: Deployment) -> Iterator[Finding]:
    """Every check's findings, as they come; a failure ends no more than its own check."""
    for check in CHECKS:
        try:
            if why := deployment.lacks(check.need):
                yield skipped(check.name, why)
            else:
                yield from check.look(deployment)
        except StateError as error:
            deployment.notice(error)
            yield failed(check.name, error)
        except KafkaException as failure:
            known = as_state_error(failure, check.name)
            deployment.notice(known)
            yield failed(check.name, known)


def unexamined(error: StateError) -> Iterator[Finding]:
    """Where not even the settings can be read."""
    yield failed("settings", error)
    yield skipped("all others", "need the settings")


def exit_code(findings: list[Finding]) -> int:
    """That of the first failure; 0 where there is none."""
    return next((each.exit_code for each in findings if each.exit_code), 0)

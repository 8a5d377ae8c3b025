"""The admin client: connecting to a cluster within a bounded time, and the questions asked of it."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the binding's package has no __all__
    AdminClient,
    ConfigResource,
    DescribeClusterResult,
    NewTopic,
    TopicDescription,
)

from .. import errors
from . import codes
from .failures import as_state_error, one_line
from .logs import logger
from .properties import ADMIN, with_pass_through

REQUEST_TIMEOUT_S = 10.0


class Topic(NamedTuple):
    """A topic that exists. replicas: of its first partition."""

    topic_id: str
    partitions: int
    replicas: int


class Admin:
    """An admin client that has reached its cluster.

    Raises errors.Connection when no broker answered within ``timeout_s`` seconds, and at once when a name cannot be
    resolved or the credentials are wrong; errors.Configuration for properties that librdkafka does not accept.
    """

    def __init__(
        self, bootstrap_servers: str, properties: Mapping[str, str] | None = None, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.properties = dict(properties or {})
        self._seen: deque[KafkaError] = deque(maxlen=100)
        conf: dict[str, Any] = {
            **with_pass_through(ADMIN, bootstrap_servers, self.properties),
            "error_cb": self._seen.append,
        }
        try:
            self.client = AdminClient(conf, logger=logger)
        except KafkaException as failure:
            raise as_state_error(failure, "Kafka client properties") from None
        cluster = self._connect(timeout_s)
        self.cluster_id = str(cluster.cluster_id)
        self.brokers = len(cluster.nodes)

    def _connect(self, timeout_s: float) -> DescribeClusterResult:
        deadline = time.monotonic() + timeout_s
        answer = self.client.describe_cluster(request_timeout=timeout_s)
        while not answer.done() and time.monotonic() < deadline:
            self.client.poll(0.01)
            self._raise_if_hopeless()
        try:
            cluster: DescribeClusterResult = answer.result(0)
        except (KafkaException, NotDone):
            raise errors.Connection(
                f"no Kafka broker answered at {self.bootstrap_servers} within {timeout_s:g} s ({self._reason()}); "
                "start it, or correct the bootstrap servers"
            ) from None
        return cluster

    def _raise_if_hopeless(self) -> None:
        """Waiting helps against a broker that is starting, not against a wrong name or password."""
        seen = {error.code() for error in self._seen}
        if codes.ALL_BROKERS_DOWN not in seen:
            return
        if codes.AUTHENTICATION in seen:
            raise errors.Connection(
                f"Kafka at {self.bootstrap_servers} refused the credentials ({self._reason()}); "
                "correct the sasl.* and security.protocol properties"
            )
        if seen <= {codes.ALL_BROKERS_DOWN, codes.RESOLVE}:
            raise errors.Connection(f"unknown host in {self.bootstrap_servers} ({self._reason()}); correct the address")

    def _reason(self) -> str:
        told = [error for error in self._seen if error.code() != codes.ALL_BROKERS_DOWN]
        return one_line(told[-1]) if told else "no answer"

    def topics(self, names: Sequence[str]) -> dict[str, Topic | None]:
        """None for a topic that does not exist."""
        return {name: topic_of(name, future) for name, future in self.ask_for_topics(names).items()}

    def ask_for_topics(self, names: Sequence[str]) -> dict[str, Future[TopicDescription]]:
        """For topic_of()."""
        asked: dict[str, Future[TopicDescription]] = self.client.describe_topics(
            TopicCollection(list(names)), request_timeout=REQUEST_TIMEOUT_S
        )
        return asked

    def topic_settings(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Effective settings of topics that exist."""
        if not names:
            return {}
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        futures = self.client.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S)
        try:
            answers = {resource.name: future.result() for resource, future in futures.items()}
        except KafkaException as failure:
            raise as_state_error(failure, "reading topic settings") from None
        return {name: {entry.name: entry.value for entry in answer.values()} for name, answer in answers.items()}

    def create_topics(self, topics: Sequence[NewTopic]) -> None:
        """A topic that somebody else has made meanwhile is no error. Returns when the brokers serve them."""
        if not topics:
            return
        for name, future in self.client.create_topics(list(topics), request_timeout=REQUEST_TIMEOUT_S).items():
            try:
                future.result()
            except KafkaException as failure:
                if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise as_state_error(failure, f"creating topic {name}") from None
        self._wait_until_visible([topic.topic for topic in topics])

    def _wait_until_visible(self, names: Sequence[str]) -> None:
        """The controller answers before the brokers know: for some milliseconds they deny a new topic."""
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        while missing := [name for name, topic in self.topics(names).items() if topic is None]:
            if time.monotonic() > deadline:
                raise errors.Connection(
                    f"topics {', '.join(missing)} were created and are not there; check the brokers"
                )
            self.client.poll(0.02)

    def members(self, group: str) -> set[str]:
        """Client ids of a group's members; empty for a group that does not exist. Raises KafkaException."""
        listed = self.listed_group(group)
        return set() if listed is None else {member.client_id for member in listed.members}

    def listed_group(self, group: str) -> Any:
        """confluent_kafka.admin.GroupMetadata, None for a group that does not exist. Raises KafkaException.

        By the older of librdkafka's two ways to ask: the newer one aborts the process when it has timed out and the
        broker comes back (its issue 4605).
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found: list[Any] = self.client.list_groups(group, timeout=REQUEST_TIMEOUT_S)
        return next((listed for listed in found if listed.id == group), None)


def topic_of(name: str, answer: Future[TopicDescription]) -> Topic | None:
    """None where it does not exist. Waits for the answer; raises errors.Connection, errors.Configuration."""
    try:
        topic = answer.result()
    except KafkaException as failure:
        if failure.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise as_state_error(failure, f"describing topic {name}") from None
    return Topic(str(topic.topic_id), len(topic.partitions), len(topic.partitions[0].replicas))

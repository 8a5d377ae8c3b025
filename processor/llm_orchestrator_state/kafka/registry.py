"""A schema registry that speaks Confluent's REST API, as wire/framing.py needs it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Configuration, Connection
from ..wire.framing import UnknownSchema
from ..wire.schemas import Schema
from .topics import TopicSet

TIMEOUT_S = 5.0
"""For one request. There are no retries in the client: a partition that needs a schema waits, and asks again."""

REFUSED_S = 60.0
"""How long it is believed that the registry does not have an id."""

MAX_REFUSED = 1_000

_NOT_FOUND = 404
_CONFLICT = 409
_INVALID = 422


class ConfluentRegistry:
    """Subjects by TopicNameStrategy.

    monotonic: a clock in seconds, for how long an id is remembered that the registry does not have.
    Raises errors.Configuration when the client library is not installed.
    """

    def __init__(
        self,
        url: str,
        topics: TopicSet,
        properties: Mapping[str, Any] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient
        except ImportError:
            raise Configuration(
                "schema_registry_url needs the extra `registry`: pip install 'llm-orchestrator-state[registry]'"
            ) from None
        self._client = SchemaRegistryClient.new_client(
            {"url": url, "max.retries": 0, "timeout": TIMEOUT_S, **(properties or {})}
        )
        self._url = url
        self._monotonic = monotonic
        self._refused: dict[int, float] = {}  # by id, oldest first: when it may be asked for again
        self._subjects = {
            "TransitionEvent": f"{topics.events}-value",
            "WorkflowState": f"{topics.state}-value",
            "Checkpoint": f"{topics.checkpoints}-value",
        }

    def schema_of(self, schema_id: int) -> Schema:
        """Raises UnknownSchema where the registry has no such id, or one that is no Avro schema; Connection.

        Such an answer holds for a minute: a publisher with a wrong id sends more than one event, and each question
        holds up all partitions.
        """
        refused = f"the schema registry has no Avro schema with id {schema_id}"
        now = self._monotonic()
        if self._refused.get(schema_id, now) > now:
            raise UnknownSchema(refused)
        found = self._ask(lambda: self._client.get_schema(schema_id), f"schema {schema_id}")
        if found is None or found.schema_type != "AVRO":
            self._refused.pop(schema_id, None)
            if len(self._refused) >= MAX_REFUSED:
                del self._refused[next(iter(self._refused))]
            self._refused[schema_id] = now + REFUSED_S
            raise UnknownSchema(refused)
        return json.loads(found.schema_str)

    def id_of(self, message: str, schema: Schema) -> int:
        """Registers the schema if need be. Raises Configuration when the registry refuses it; Connection."""
        from confluent_kafka.schema_registry import Schema as Registered

        subject = self._subjects[message]
        ours = Registered(json.dumps(schema), "AVRO")
        registered = self._ask(lambda: self._client.register_schema(subject, ours), subject)
        if registered is None:
            raise Configuration(f"the schema registry does not know {subject}")
        return int(registered)

    def _ask(self, call: Any, what: str) -> Any:
        """The answer, None for 404."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return call()
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            if error.http_status_code in {_CONFLICT, _INVALID}:
                raise Configuration(f"the schema registry refuses {what}: {error.error_message}") from None
            raise Connection(f"schema registry {self._url}: {error.error_message} ({what})") from None
        except Exception as error:
            if not type(error).__module__.startswith("httpx"):  # its name differs between the client's versions
                raise
            raise Connection(f"schema registry {self._url} does not answer ({what}): {error}") from None

"""A schema registry that speaks Confluent's REST API, as wire/framing.py needs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import Configuration, Connection
from ..wire.framing import UnknownSchema
from ..wire.schemas import Schema
from .topics import TopicSet

TIMEOUT_S = 5.0
"""For one request. There are no retries in the client: a partition that needs a schema waits, and asks again."""

_NOT_FOUND = 404
_CONFLICT = 409
_INVALID = 422


class ConfluentRegistry:
    """Subjects by TopicNameStrategy.

    register: whether schemas are registered; else they are only looked up.
    Raises errors.Configuration when the client library is not installed.
    """

    def __init__(
        self, url: str, topics: TopicSet, properties: Mapping[str, Any] | None = None, *, register: bool = True
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
        self._register = register
        self._subjects = {
            "TransitionEvent": f"{topics.events}-value",
            "WorkflowState": f"{topics.state}-value",
            "Checkpoint": f"{topics.checkpoints}-value",
        }

    def schema_of(self, schema_id: int) -> Schema:
        """Raises UnknownSchema where the registry has no such id, or one that is no Avro schema; Connection."""
        found = self._ask(lambda: self._client.get_schema(schema_id), f"schema {schema_id}")
        if found is None or found.schema_type != "AVRO":
            raise UnknownSchema(f"the schema registry has no Avro schema with id {schema_id}")
        return json.loads(found.schema_str)

    def id_of(self, message: str, schema: Schema) -> int:
        """Raises Configuration when the registry refuses the schema, or does not have it and must not; Connection."""
        from confluent_kafka.schema_registry import Schema as Registered

        subject = self._subjects[message]
        ours = Registered(json.dumps(schema), "AVRO")
        if not self._register:
            known = self._ask(lambda: self._client.lookup_schema(subject, ours), subject)
            if known is None:
                raise Configuration(f"the schema registry has no such schema under {subject}; register it there")
            return int(known.schema_id)
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

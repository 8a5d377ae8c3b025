"""A schema registry that speaks Confluent's REST API, as wire/framing.py needs it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..errors import Configuration, TopicMismatch
from ..wire.framing import UnknownSchema
from ..wire.schemas import Schema
from .problems import create_command
from .registry_client import Refused, RegistryClient

if TYPE_CHECKING:
    from .topics import TopicSet

Mode = Literal["register", "lookup"]

REFUSED_S = 60.0
"""How long it is believed that the registry does not have an id."""

MAX_REFUSED = 1_000

MAX_IDS = 1 << 32


class ConfluentRegistry:
    """Subjects by TopicNameStrategy: a topic's name and ``-value``.

    mode: whether schemas are registered when something is written, or have to be there (``lookup``).
    monotonic: a clock in seconds, for how long an id is remembered that the registry does not have.
    Raises errors.Configuration when the client library is not installed, and for properties that it does not accept.

    Every method asks the registry, and raises errors.Connection where it does not answer or refuses the credentials.
    """

    def __init__(
        self,
        url: str,
        topics: TopicSet,
        properties: Mapping[str, str] | None = None,
        *,
        mode: Mode = "register",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mode = mode
        self.prefix = topics.prefix
        self.subjects = {
            "TransitionEvent": f"{topics.events}-value",
            "WorkflowState": f"{topics.state}-value",
            "Checkpoint": f"{topics.checkpoints}-value",
        }
        """By message."""
        self._client = RegistryClient(url, properties or {}, monotonic)
        self._monotonic = monotonic
        self._refused: dict[int, float] = {}  # by id, oldest first: when it may be asked for again

    @property
    def url(self) -> str:
        """Without credentials."""
        return self._client.url

    # --- schemas -----------------------------------------------------------------------------------------------------

    def schema_of(self, schema_id: int) -> Schema:
        """Raises UnknownSchema where the registry has no such id, or one that is no Avro schema.

        Such an answer holds for a minute: a publisher with a wrong id sends more than one event, and each question
        holds up all partitions.
        """
        refused = f"the schema registry has no Avro schema with id {schema_id}"
        now = self._monotonic()
        if self._refused.get(schema_id, now) > now:
            raise UnknownSchema(refused)
        found = self._client.ask(f"schema {schema_id}", lambda client: client.get_schema(schema_id))
        schema = None if found is None or found.schema_type != "AVRO" else _parsed(found.schema_str)
        if schema is None:
            self._refused.pop(schema_id, None)
            if len(self._refused) >= MAX_REFUSED:
                del self._refused[next(iter(self._refused))]
            self._refused[schema_id] = now + REFUSED_S
            raise UnknownSchema(refused)
        return schema

    def id_of(self, message: str, schema: Schema) -> int:
        """The schema's id; it is registered first, where the mode is that. Raises errors.TopicMismatch when the registry
        does not have it, or refuses it as incompatible with what it has, and Configuration when it registers nothing.
        """
        if self.mode == "register":
            return self._register(message, schema)
        found = self.registered(message, schema)
        if found is None:
            raise TopicMismatch(self.missing(message))
        return found

    def missing(self, message: str) -> str:
        """What to say of a schema that has to be there and is not."""
        return (
            f"{self.subjects[message]}: the schema registry {self.url} does not have this version's schema of "
            f"{message}; repair: {create_command(self.prefix, '--schema-registry-mode', 'register')}"
        )

    def registered(self, message: str, schema: Schema) -> int | None:
        """Like id_of(), but registers nothing: None where the registry does not have it."""
        subject = self.subjects[message]
        return self._client.ask(subject, lambda client: _id(client.lookup_schema(subject, _as_text(schema)).schema_id))

    def _register(self, message: str, schema: Schema) -> int:
        subject = self.subjects[message]
        try:
            found = self._client.ask(subject, lambda client: _id(client.register_schema(subject, _as_text(schema))))
        except Refused as refused:
            if refused.conflict:
                raise TopicMismatch(
                    f"{refused}; this version's schema of {message} does not go with one that is registered there: "
                    "take the version of this program that registered it, or delete the subject if it is not ours"
                ) from None
            raise Configuration(
                f"{refused}; register the schema of {message} by other means and set schema_registry_mode to lookup"
            ) from None
        if found is None:
            raise Configuration(f"the schema registry {self.url} does not know {subject}")
        return found

    # --- compatibility levels ----------------------------------------------------------------------------------------

    def level(self, message: str | None) -> str | None:
        """Of a message's subject, None where it has none of its own and the registry says so; of None, the registry's.

        Apicurio answers for a subject without a level with the registry's.
        """
        subject = self.subjects[message] if message else None
        found = self._client.ask(f"the level of {subject or 'all'}", lambda client: client.get_compatibility(subject))
        return None if found is None else str(found)

    def set_level(self, message: str, level: str) -> None:
        subject = self.subjects[message]
        self._client.ask(f"the level of {subject}", lambda client: client.set_compatibility(subject, level))


def _parsed(text: Any) -> Schema | None:
    """None where it is no JSON: a registry that checks nothing takes any text."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None


def _id(found: Any) -> int:
    """A schema's id, which has four bytes in a message. Raises ValueError for anything else."""
    if not isinstance(found, int) or not 0 <= found < MAX_IDS:
        raise ValueError(f"{found!r} is no id of a schema")
    return found


def _as_text(schema: Schema) -> Any:
    """As the client takes it. Its type is guessed by Apicurio (3.3.3), which for that takes the quotes from a text "{}"
    and then finds an invalid default: so the brace is escaped, which is the same JSON.
    """
    from confluent_kafka.schema_registry import Schema as Registered

    return Registered(json.dumps(schema).replace('"{}"', r'"\u007b}"'), "AVRO")

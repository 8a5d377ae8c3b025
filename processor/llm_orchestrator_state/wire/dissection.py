"""An event's bytes, read field by field as far as they go: for a person who wants to know why they are no event.

Slower than the codec and more patient: what was read before the bytes went wrong is kept, with the place and the reason.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from ..errors import InvalidState, Serialization
from ..model.instants import format_instant
from . import schemas
from .avro import AvroError, read_block_counts, read_long, read_string
from .avro.reading import read_bytes, read_int
from .framing import CONFLUENT, SINGLE_OBJECT, Registry
from .schemas import Schema

FINGERPRINT_END = 10
SCHEMA_ID_END = 5

_PRIMITIVES = {"int": read_int, "long": read_long, "string": read_string, "bytes": read_bytes}


class Dissection(NamedTuple):
    """What can be said of a message.

    framing: of the two that there are, or what was found instead. schema: its fingerprint or id, and what is known of
    it; "" where the framing names none. fields: those that were read, as plain values; instants and bytes as text.
    stopped_at: the byte where reading ended too early; None: it came to the end. where: the field in which, "" outside.
    """

    framing: str
    schema: str
    fields: dict[str, Any]
    stopped_at: int | None = None
    where: str = ""
    reason: str = ""


def dissect_event(message: bytes | None, registry: Registry | None = None) -> Dissection:
    """Never fails for what the bytes are; raises errors.Connection while a registry does not answer."""
    if not message:
        return Dissection("none", "", {}, 0, reason="the value is empty")
    if message.startswith(SINGLE_OBJECT) and len(message) >= FINGERPRINT_END:
        fingerprint = message[len(SINGLE_OBJECT) : FINGERPRINT_END]
        framing, start = "Avro single-object encoding", FINGERPRINT_END
        version, schema = _known().get(fingerprint, ("not known here", None))
        name = f"fingerprint {fingerprint.hex()} ({version})"
        missing = "it was written with a schema that this program does not know"
    elif message.startswith(CONFLUENT) and len(message) >= SCHEMA_ID_END:
        schema_id = int.from_bytes(message[len(CONFLUENT) : SCHEMA_ID_END], "big")
        framing, start = "that of a schema registry", SCHEMA_ID_END
        schema, missing = _registered(schema_id, registry)
        name = f"id {schema_id} in the registry"
    else:
        begins = message[:FINGERPRINT_END].hex(" ")
        return Dissection(
            "unknown", "", {}, 0, reason=f"neither Avro single-object encoding nor a registry's: {begins}"
        )
    if schema is None:
        return Dissection(framing, name, {}, start, reason=missing)
    return _Walk(message, start, schema).dissection(framing, name)


@cache
def _known() -> dict[bytes, tuple[str, Schema | None]]:
    """By fingerprint, what a shipped schema is; with itself where it is that of events."""
    found: dict[bytes, tuple[str, Schema | None]] = {}
    for name in schemas.MESSAGES:
        versions = schemas.history(name)
        for number, schema in enumerate(versions, 1):
            if name == "TransitionEvent":
                which = ", the current one" if number == len(versions) else ""
                found[schemas.fingerprint(schema)] = f"{name} version {number}{which}", schema
            else:
                found[schemas.fingerprint(schema)] = f"that of a {name}, which is no event", None
    return found


def _registered(schema_id: int, registry: Registry | None) -> tuple[Schema | None, str]:
    if registry is None:
        return None, "no schema registry is configured (schema_registry_url)"
    try:
        return registry.schema_of(schema_id), ""
    except Serialization as error:
        return None, str(error)


class _Walk:
    """Through one record; containers are put in their place before they are filled, so that nothing read is lost."""

    def __init__(self, data: bytes, start: int, schema: Schema) -> None:
        self._data = data
        self._at = start
        self._schema = schema
        self._path: list[str] = []
        self._named = schemas.definitions(schema)

    def dissection(self, framing: str, name: str) -> Dissection:
        fields: dict[str, Any] = {}
        try:
            self._record(self._schema, fields)
        except IndexError:
            reason = f"the message ends here, after {len(self._data)} bytes"
        except UnicodeDecodeError as error:
            reason = f"a string is not UTF-8: {error.reason}"
        except (AvroError, RecursionError) as error:
            reason = str(error)
        else:
            if self._at == len(self._data):
                return Dissection(framing, name, fields)
            reason = f"the event ends here, and {len(self._data) - self._at} bytes follow"
        return Dissection(framing, name, fields, self._at, ".".join(self._path), reason)

    def _record(self, schema: Schema, into: dict[str, Any]) -> None:
        if not isinstance(schema, dict) or "fields" not in schema:
            raise AvroError("its schema is not that of a record")
        for field in schema["fields"]:
            self._path.append(field["name"])
            self._put(into, field["name"], field["type"])
            self._path.pop()

    def _put(self, into: Any, key: Any, schema: Schema) -> None:
        if isinstance(schema, str):
            if schema == "null":
                into[key] = None
                return
            if read := _PRIMITIVES.get(schema):
                value, self._at = read(self._data, self._at)
                into[key] = value.hex() if isinstance(value, bytes) else value
                return
            schema = self._definition(schema)
        if isinstance(schema, list):
            self._union(into, key, schema)
            return
        self._container(into, key, schema)

    def _container(self, into: Any, key: Any, schema: Schema) -> None:
        match schema["type"]:
            case "record":
                into[key] = {}
                self._record(schema, into[key])
            case "enum":
                index, self._at = read_long(self._data, self._at)
                into[key] = _chosen(schema["symbols"], index, "symbol")
            case "map":
                into[key] = {}
                for _ in self._items():
                    name, self._at = read_string(self._data, self._at)
                    self._put(into[key], name, schema["values"])
            case "array":
                into[key] = []
                for _ in self._items():
                    into[key].append(None)
                    self._put(into[key], -1, schema["items"])
            case inner:
                self._put(into, key, inner)
                if schema.get("logicalType") == "timestamp-micros":
                    into[key] = _instant(into[key])

    def _definition(self, name: str) -> Schema:
        found = self._named.get(name) or self._named.get(name.rpartition(".")[2])
        if found is None:
            raise AvroError(f"the type {name} is not read here")
        return found

    def _union(self, into: Any, key: Any, branches: list[Schema]) -> None:
        index, after = read_long(self._data, self._at)
        branch = _chosen(branches, index, "branch")
        self._at = after
        if isinstance(branch, dict) and "fields" in branch and len(branches) > 2:
            into[key] = {}
            self._put(into[key], branch["name"].rpartition(".")[2], branch)
        else:
            self._put(into, key, branch)

    def _items(self) -> Any:
        while self._data[self._at]:
            count, self._at = read_block_counts(self._data, self._at)
            yield from range(count)
        self._at += 1


def _instant(micros: int) -> str | int:
    try:
        return format_instant(micros)
    except InvalidState:
        return micros


def _chosen(among: list[Any], index: int, what: str) -> Any:
    if not 0 <= index < len(among):
        raise AvroError(f"there is no {what} number {index}, only {len(among)}")
    return among[index]

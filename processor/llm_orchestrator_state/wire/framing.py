"""Which schema a message was written with.

Two framings, and readers accept both: Avro single-object encoding (0xC3 0x01, 8-byte CRC-64-AVRO fingerprint) of a
shipped schema, past versions included; and, with a schema registry, Confluent's (0x00, 4-byte schema id).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ..errors import Serialization
from . import schemas
from .avro import AvroError, Read, decode, reader
from .bounds import refuse_unbounded
from .logical_types import OtherMeaning, in_our_units, register_units
from .schemas import Schema

SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = b"\x00"

_SHOWN = 300
"""Characters of fastavro's own reason that are shown: it may quote the whole schema."""


class Undecodable(Serialization):
    """The bytes are no message of this kind."""


class UnknownSchema(Serialization):
    """Written with a schema that is not known here."""


class Registry(Protocol):
    """A schema registry. Both calls raise errors.Connection when it cannot be reached."""

    def schema_of(self, schema_id: int) -> Schema:
        """Raises UnknownSchema where the registry has no such id."""

    def id_of(self, message: str, schema: Schema) -> int:
        """The id under which this message's schema is registered (registering it, if need be).

        Raises errors.Configuration when the registry refuses the schema.
        """


class Framing:
    """Reads and frames one message: one of schemas.MESSAGES.

    read: of bodies written with the current schema; None: compiled from it.
    """

    def __init__(self, message: str, registry: Registry | None = None, read: Read | None = None) -> None:
        self._schema = schemas.current(message)
        self._registry = registry
        self._read = read or reader(self._schema)
        self._written_with = {SINGLE_OBJECT + schemas.fingerprint(s): s for s in schemas.history(message)}
        self._message = message
        self._own = SINGLE_OBJECT + schemas.fingerprint(self._schema)
        self._registered: bytes | None = None
        self._readers: dict[bytes, Callable[[bytes, int], Any]] = {self._own: self._decode_current}
        self.current_headers = {self._own}
        """The headers whose bodies are written with the current schema, as far as they are known."""

    @property
    def header(self) -> bytes:
        """What messages begin with that are written here.

        A registry is asked for the id when something is written for the first time: reading needs no right to register.
        Raises errors.Connection and errors.Configuration as the registry does.
        """
        if self._registry is None:
            return self._own
        if self._registered is None:
            header = CONFLUENT + self._registry.id_of(self._message, self._schema).to_bytes(4, "big")
            self._readers[header] = self._decode_current
            self.current_headers.add(header)
            self._registered = header
        return self._registered

    def decode(self, message: bytes | None) -> Any:
        """The record. Raises Undecodable, UnknownSchema, or errors.Connection while a registry does not answer."""
        if not message:
            raise Undecodable("the value is empty")
        header = message[:10] if message[:2] == SINGLE_OBJECT else message[:5]
        read = self._readers.get(header)
        if read is None:
            read = self._readers[header] = self._reader_for(header)
        try:
            return read(message, len(header))
        except AvroError as error:
            raise Undecodable(str(error)) from None

    def must_ask_for_some(self, messages: Iterable[bytes | None]) -> bool:
        """Whether decode() would ask the registry for one of them."""
        if self._registry is None:
            return False
        return any(m is not None and m[:1] == CONFLUENT and m[:5] not in self._readers for m in messages)

    def _decode_current(self, message: bytes, start: int) -> Any:
        return decode(self._read, message, start)

    def _reader_for(self, header: bytes) -> Callable[[bytes, int], Any]:
        if header[:2] == SINGLE_OBJECT and len(header) == 10:
            if header not in self._written_with:
                raise UnknownSchema(f"no shipped schema has the fingerprint {header[2:].hex()}")
            written_with = self._written_with[header]
        elif header[:1] == CONFLUENT and len(header) == 5:
            if self._registry is None:
                raise UnknownSchema("it is framed for a schema registry, and none is configured (schema_registry_url)")
            written_with = self._registry.schema_of(int.from_bytes(header[1:], "big"))
        else:
            raise Undecodable(f"the framing is neither Avro single-object nor Confluent's: it begins {header.hex()}")
        try:
            theirs = in_our_units(written_with, self._schema)
            if theirs == schemas.plain(written_with) and schemas.same(written_with, self._schema):
                return self._decode_current
            return resolving_reader(theirs, self._schema)
        except OtherMeaning as error:
            return _refusing(str(error))
        except Exception as error:  # noqa: BLE001 - what others register can be wrong in any way
            return _refusing(f"its schema cannot be used: {type(error).__name__}: {str(error)[:_SHOWN]}")


def _refusing(reason: str) -> Callable[[bytes, int], Any]:
    """For a schema that was looked at: an id's never changes, and each look at a large one costs."""

    def read(_message: bytes, _start: int) -> Any:
        raise UnknownSchema(reason)

    return read


def resolving_reader(written_with: Schema, schema: Schema) -> Callable[[bytes, int], Any]:
    """A reader of another version's bodies into today's records (Avro 1.12, "Schema Resolution"), by fastavro.

    written_with: as in_our_units() makes it. The reader raises AvroError, and UnknownSchema for a datum that today's
    schema has no place for. Raises bounds.Unbounded.
    """
    from fastavro import parse_schema
    from fastavro.read import SchemaResolutionError

    register_units()
    theirs, ours = parse_schema(written_with), parse_schema(schemas.plain(schema))
    refuse_unbounded(theirs)
    kinds = any(field["name"] == "transition" for field in schema["fields"])

    def read(message: bytes, start: int) -> Any:
        data = io.BytesIO(message)
        data.seek(start)
        try:
            record = _datum(data, theirs, ours)
        except SchemaResolutionError:  # its text is both schemas in full
            data.seek(start)
            raise UnknownSchema(_newer(_datum(data, theirs, None))) from None
        if data.tell() != len(message):
            raise AvroError(f"{len(message) - data.tell()} bytes follow the datum")
        return _as_ours(record, kinds=kinds)

    return read


def _datum(data: io.BytesIO, theirs: Schema, ours: Schema | None) -> Any:
    from fastavro import schemaless_reader
    from fastavro.read import SchemaResolutionError

    try:
        return schemaless_reader(data, theirs, ours, return_record_name=True, return_record_name_override=True)
    except SchemaResolutionError:
        raise
    except Exception as error:  # noqa: BLE001 - fastavro raises whatever its C code met in bytes that do not fit
        raise AvroError(f"not readable with its schema: {type(error).__name__}: {error}") from None


def _newer(record: Any) -> str:
    transition = record.get("transition") if isinstance(record, dict) else None
    what = _short(transition[0]) if isinstance(transition, tuple) else "its schema"
    return f"{what} is newer than this program, or another message's: update this program, or correct the publisher"


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _as_ours(record: Any, *, kinds: bool) -> Any:
    """kinds: whether the record is an event, whose transition has the name of its kind.

    fastavro names the records of the writer's unions: none of a union that has one record only, nor where there is no
    union, but other fields' too where the writer has more of them to choose from than we have.
    """
    if not isinstance(record, dict):
        raise UnknownSchema("its schema is a union of messages; correct the publisher")
    if not kinds:
        return _unnamed(record)
    transition = record.get("transition")
    if not isinstance(transition, tuple):
        raise UnknownSchema("its schema does not tell the kinds of events apart; correct the publisher")
    name, fields = transition
    return {**_unnamed(record), "transition": (_short(name), _unnamed(fields))}


def _unnamed(value: Any) -> Any:
    match value:
        case dict():
            return {name: _unnamed(each) for name, each in value.items()}
        case list():
            return [_unnamed(each) for each in value]
        case tuple():
            return _unnamed(value[1])
    return value

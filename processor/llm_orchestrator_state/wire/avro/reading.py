"""Readers, compiled from a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...model.limits import MAX_INT
from .errors import AvroError

Schema = Any
"""A schema as parsed JSON with every named type defined where it first appears."""

Read = Callable[[bytes, int], tuple[Any, int]]
"""Value and the position after it, from the bytes and the position before it."""


def reader(schema: Schema) -> Read:
    """Compile a reader. It may raise IndexError, UnicodeDecodeError or AvroError: see decode()."""
    return _reader(schema, {})


def decode(read: Read, data: bytes, start: int) -> Any:
    """The one datum that fills data from start to its end; AvroError if it does not."""
    try:
        value, end = read(data, start)
    except IndexError:
        raise AvroError(f"truncated: it ends after {len(data)} bytes inside a value") from None
    except UnicodeDecodeError as error:
        raise AvroError(f"a string is not UTF-8: {error.reason}") from None
    if end != len(data):
        raise AvroError(f"truncated: a value reaches to byte {end} of {len(data)}" if end > len(data)
                        else f"{len(data) - end} bytes follow the datum")  # fmt: skip
    return value


def read_long(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    number = byte & 127
    shift = 7
    while byte > 127:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if shift > 70:  # 10 bytes hold 64 bits: without this a long run of 0xff would take quadratic time
            raise AvroError("a number is longer than 10 bytes")
    if number >> 64:
        raise AvroError("a number is beyond 64 bits")
    return (number >> 1) ^ -(number & 1), at


def read_int(data: bytes, at: int) -> tuple[int, int]:
    number, at = read_long(data, at)
    if not -MAX_INT - 1 <= number <= MAX_INT:
        raise AvroError("an int is beyond 32 bits")
    return number, at


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size = data[at]
    if size < 128 and not size & 1:
        size >>= 1
        at += 1
    else:
        size, at = read_long(data, at)
        if size < 0:
            raise AvroError("a length is negative")
    end = at + size
    if end > len(data):
        raise AvroError(f"truncated: a value reaches to byte {end} of {len(data)}")
    return data[at:end], end


def read_string(data: bytes, at: int) -> tuple[str, int]:
    size = data[at]
    if size < 128 and not size & 1:  # read_bytes() again, because a call costs as much as all this does
        at += 1
        end = at + (size >> 1)
        if end <= len(data):
            return data[at:end].decode(), end
        raise AvroError(f"truncated: a value reaches to byte {end} of {len(data)}")
    raw, end = read_bytes(data, at)
    return raw.decode(), end


def _read_null(_data: bytes, at: int) -> tuple[None, int]:
    return None, at


def _record_reader(schema: Schema, named: dict[str, Any]) -> Read:
    fields: list[tuple[str, Read, bool]] = []

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        record: dict[str, Any] = {}
        for name, read_field, optional in fields:
            if optional and not data[at]:  # the null branch: most optional fields take it, and a call is saved
                record[name] = None
                at += 1
            else:
                record[name], at = read_field(data, at)
        return record, at

    named[schema["name"]] = read
    for field in schema["fields"]:
        kind = field["type"]
        fields.append((field["name"], _reader(kind, named), isinstance(kind, list) and kind[0] == "null"))
    return read


def _enum_reader(schema: Schema, named: dict[str, Any]) -> Read:
    symbols = schema["symbols"]

    def read(data: bytes, at: int) -> tuple[str, int]:
        index, at = read_long(data, at)
        if not 0 <= index < len(symbols):
            raise AvroError(f"{schema['name']} has no symbol number {index}")
        return symbols[index], at

    named[schema["name"]] = read
    return read


def _optional_reader(inner: Read) -> Read:
    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch = data[at]
        if branch == 0:
            return None, at + 1
        if branch != 2:
            raise AvroError("a union has no such branch")
        return inner(data, at + 1)

    return read


def _union_reader(schema: Schema, named: dict[str, Any]) -> Read:
    if len(schema) == 2 and schema[0] == "null":
        return _optional_reader(_reader(schema[1], named))
    branches = [(branch["name"], _reader(branch, named)) for branch in schema]

    def read(data: bytes, at: int) -> tuple[tuple[str, Any], int]:
        index, at = read_long(data, at)
        if not 0 <= index < len(branches):
            raise AvroError(f"a union has no branch number {index}")
        name, read_branch = branches[index]
        value, at = read_branch(data, at)
        return (name, value), at

    return read


def read_block_counts(data: bytes, at: int) -> tuple[int, int]:
    """The item count of a block, which does not begin with the zero byte that ends blocks, past its optional size."""
    count, at = read_long(data, at)
    if count == 0:  # a zero of several bytes, which no writer makes: read on, it would be other data than elsewhere
        raise AvroError("a block has no items")
    if count < 0:
        count = -count
        _, at = read_long(data, at)
    if count > len(data) - at:  # every item of our arrays and maps takes at least a byte
        raise AvroError(f"truncated: a block claims {count} items")
    return count, at


def _map_reader(schema: Schema, named: dict[str, Any]) -> Read:
    read_value = _reader(schema["values"], named)

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        items: dict[str, Any] = {}
        while data[at]:
            count, at = read_block_counts(data, at)
            for _ in range(count):
                key, at = read_string(data, at)
                items[key], at = read_value(data, at)
        return items, at + 1

    return read


def _array_reader(schema: Schema, named: dict[str, Any]) -> Read:
    read_item = _reader(schema["items"], named)

    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        items = []
        while data[at]:
            count, at = read_block_counts(data, at)
            for _ in range(count):
                item, at = read_item(data, at)
                items.append(item)
        return items, at + 1

    return read


_READERS: Mapping[str, Read] = {
    "null": _read_null,
    "int": read_int,
    "long": read_long,
    "bytes": read_bytes,
    "string": read_string,
}


def _reader(schema: Schema, named: dict[str, Any]) -> Read:
    if isinstance(schema, list):
        return _union_reader(schema, named)
    if isinstance(schema, str):
        return _READERS.get(schema) or named[schema]
    complex_types = {"record": _record_reader, "enum": _enum_reader, "map": _map_reader, "array": _array_reader}
    make = complex_types.get(schema["type"])
    return make(schema, named) if make else _reader(schema["type"], named)

"""Avro binary encoding (Avro 1.12 specification, "Binary Encoding"), compiled from a schema into closures.

Only what this project's own schemas use; foreign writers' schemas go through fastavro. It is here because the event
decoder and the step encoder are the hot path: on 250-byte events it reads in 2.4 µs where fastavro takes 5.8, and
writes a step in 2.4 where fastavro takes 6.3 (one core of a 2-core x86-64 machine); tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..model.limits import MAX_INT, MAX_LONG

Read = Callable[[bytes, int], tuple[Any, int]]
"""Value and the position after it, from the bytes and the position before it."""
Write = Callable[[Any], bytes]

Schema = Any
"""A schema as parsed JSON with every named type defined where it first appears."""


class AvroError(ValueError):
    """The bytes are no datum of the schema."""


def reader(schema: Schema) -> Read:
    """Compile a reader. What it reads may raise IndexError, UnicodeDecodeError or AvroError: see decode()."""
    return _reader(schema, {})


def writer(schema: Schema) -> Write:
    """Compile a writer for data that are known to fit the schema."""
    return _writer(schema, {})


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


# --- reading ---------------------------------------------------------------------------------------------------------


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
    raw, end = read_bytes(data, at)
    return raw.decode(), end


def _read_null(_data: bytes, at: int) -> tuple[None, int]:
    return None, at


def _record_reader(schema: Schema, named: dict[str, Any]) -> Read:
    fields: list[tuple[str, Read]] = []

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        record = {}
        for name, read_field in fields:
            record[name], at = read_field(data, at)
        return record, at

    named[schema["name"]] = read
    fields.extend((field["name"], _reader(field["type"], named)) for field in schema["fields"])
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
    """The next block's item count (0: no more blocks), past its optional size in bytes."""
    count, at = read_long(data, at)
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
        return _READERS.get(schema) or named[schema]  # type: ignore[no-any-return]
    complex_types = {"record": _record_reader, "enum": _enum_reader, "map": _map_reader, "array": _array_reader}
    make = complex_types.get(schema["type"])
    return make(schema, named) if make else _reader(schema["type"], named)


# --- writing ---------------------------------------------------------------------------------------------------------


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = [_varint(number << 1) for number in range(8192)]


def write_long(number: int) -> bytes:
    if 0 <= number < 8192:
        return _SMALL[number]
    n = (number << 1) ^ (number >> 63)
    if 1 << 49 <= n < 1 << 56:  # the microseconds of 1978 to 3111
        return bytes((
            n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21 & 127 | 128,
            n >> 28 & 127 | 128, n >> 35 & 127 | 128, n >> 42 & 127 | 128, n >> 49,
        ))  # fmt: skip
    if not -MAX_LONG - 1 <= number <= MAX_LONG:
        raise AvroError(f"{number} is beyond 64 bits")
    return _varint(n)


def write_bytes(raw: bytes) -> bytes:
    size = len(raw)
    return (_SMALL[size] if size < 8192 else write_long(size)) + raw


def write_string(text: str) -> bytes:
    raw = text.encode()
    size = len(raw)
    return (_SMALL[size] if size < 8192 else write_long(size)) + raw


def _write_null(_value: None) -> bytes:
    return b""


def _record_writer(schema: Schema, named: dict[str, Any]) -> Write:
    fields: list[tuple[str, Write]] = []

    def write(record: Mapping[str, Any]) -> bytes:
        return b"".join([write_field(record[name]) for name, write_field in fields])

    named[schema["name"]] = write
    fields.extend((field["name"], _writer(field["type"], named)) for field in schema["fields"])
    return write


def _enum_writer(schema: Schema, named: dict[str, Any]) -> Write:
    encoded = {symbol: write_long(index) for index, symbol in enumerate(schema["symbols"])}
    named[schema["name"]] = encoded.__getitem__
    return encoded.__getitem__


def _union_writer(schema: Schema, named: dict[str, Any]) -> Write:
    if len(schema) == 2 and schema[0] == "null":
        inner = _writer(schema[1], named)
        return lambda value: b"\0" if value is None else b"\2" + inner(value)
    branches = {b["name"]: (write_long(index), _writer(b, named)) for index, b in enumerate(schema)}

    def write(value: tuple[str, Any]) -> bytes:
        head, write_branch = branches[value[0]]
        return head + write_branch(value[1])

    return write


def _map_writer(schema: Schema, named: dict[str, Any]) -> Write:
    write_value = _writer(schema["values"], named)

    def write(items: Mapping[str, Any]) -> bytes:
        if not items:
            return b"\0"
        body = b"".join([write_string(key) + write_value(value) for key, value in items.items()])
        return write_long(len(items)) + body + b"\0"

    return write


def _array_writer(schema: Schema, named: dict[str, Any]) -> Write:
    write_item = _writer(schema["items"], named)

    def write(items: list[Any]) -> bytes:
        return write_long(len(items)) + b"".join([write_item(item) for item in items]) + b"\0" if items else b"\0"

    return write


_WRITERS: Mapping[str, Write] = {
    "null": _write_null,
    "int": write_long,
    "long": write_long,
    "bytes": write_bytes,
    "string": write_string,
}


def _writer(schema: Schema, named: dict[str, Any]) -> Write:
    if isinstance(schema, list):
        return _union_writer(schema, named)
    if isinstance(schema, str):
        return _WRITERS.get(schema) or named[schema]  # type: ignore[no-any-return]
    complex_types = {"record": _record_writer, "enum": _enum_writer, "map": _map_writer, "array": _array_writer}
    make = complex_types.get(schema["type"])
    return make(schema, named) if make else _writer(schema["type"], named)

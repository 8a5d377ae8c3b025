"""Writers, compiled from a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...model.limits import MAX_LONG
from .errors import AvroError

Schema = Any
"""As in reading.py."""

Write = Callable[[Any], bytes]


def writer(schema: Schema) -> Write:
    """Compile a writer for data that are known to fit the schema."""
    return _writer(schema, {})


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
        # None is always the null branch, which comes first: most optional fields take it, and a call is saved
        return b"".join(
            [b"\0" if (value := record[name]) is None else write_field(value) for name, write_field in fields]
        )

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
        return _WRITERS.get(schema) or named[schema]
    complex_types = {"record": _record_writer, "enum": _enum_writer, "map": _map_writer, "array": _array_writer}
    make = complex_types.get(schema["type"])
    return make(schema, named) if make else _writer(schema["type"], named)

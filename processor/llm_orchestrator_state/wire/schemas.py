"""The shipped Avro schemas: the files of schemas/, current and past, and their fingerprints."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

Schema = Any
"""A schema as parsed JSON."""

NAMESPACE = "llm.orchestrator.state"
MESSAGES = ("TransitionEvent", "WorkflowState", "Checkpoint")
"""The records that are values of a topic; each has a history of past versions."""

_PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


def directory() -> Path:
    """schemas/ inside the installed package, else of the checkout that an editable install points to."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "schemas"
    return shipped if shipped.is_dir() else package.parents[1] / "schemas"


@cache
def current(name: str) -> Schema:
    """The schema of a record with every named type defined where it first appears (Avro 1.12, "Names")."""
    known: dict[str, Schema] = {}
    for path in sorted(directory().glob("*.avsc")):
        _collect(json.loads(path.read_text()), known)
    return _inline(name, known, set())


@cache
def history(name: str) -> tuple[Schema, ...]:
    """Every version of a message's schema that was ever shipped, oldest first; the last is the current one."""
    files = sorted((directory() / "history" / name).glob("*.avsc"), key=lambda path: int(path.stem))
    return tuple(json.loads(path.read_text()) for path in files)


def fingerprint(schema: Schema) -> bytes:
    """CRC-64-AVRO of the parsing canonical form, little-endian (Avro 1.12, "Single-object encoding")."""
    from fastavro.schema import fingerprint as hash_text
    from fastavro.schema import parse_schema, to_parsing_canonical_form

    # fastavro gives the eight bytes as hexadecimal text in the order in which they go on the wire
    return bytes.fromhex(hash_text(to_parsing_canonical_form(parse_schema(schema)), "CRC-64-AVRO"))


def fields(schema: Schema, first: str, last: str) -> Schema:
    """The record that has only the fields from first to last: its encoding is that part of the whole record's."""
    names = [field["name"] for field in schema["fields"]]
    part = schema["fields"][names.index(first) : names.index(last) + 1]
    whole = {**schema, "name": f"{schema['name']}Part", "fields": part}
    return _inline(whole, definitions(schema), set())


def definitions(schema: Schema) -> dict[str, Schema]:
    """The named types that are defined in it, by name."""
    found: dict[str, Schema] = {}
    _collect(schema, found)
    return found


def _collect(schema: Schema, found: dict[str, Schema]) -> None:
    if isinstance(schema, list):
        for branch in schema:
            _collect(branch, found)
    elif isinstance(schema, dict):
        if "name" in schema:
            found[schema["name"]] = schema
        for field in schema.get("fields", ()):
            _collect(field["type"], found)
        for inner in ("type", "items", "values"):
            _collect(schema.get(inner), found)


def _inline(schema: Schema, known: dict[str, Schema], seen: set[str]) -> Schema:
    if isinstance(schema, list):
        return [_inline(branch, known, seen) for branch in schema]
    if isinstance(schema, str):
        if schema in _PRIMITIVES or schema in seen:
            return schema
        schema = known[schema]
    if "name" in schema:
        if schema["name"] in seen:
            return schema["name"]
        seen.add(schema["name"])
    whole: dict[str, Any] = dict(schema)
    if "fields" in schema:
        whole["fields"] = [{**f, "type": _inline(f["type"], known, seen)} for f in schema["fields"]]
    for inner in ("items", "values"):
        if inner in schema:
            whole[inner] = _inline(schema[inner], known, seen)
    return whole


def plain(schema: Schema) -> Schema:
    """The schema without logical types: instants stay numbers."""
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def same(one: Schema, other: Schema) -> bool:
    """Whether data of one are data of the other: their parsing canonical forms are equal."""
    return fingerprint(one) == fingerprint(other)

"""Whether data of one schema can be read with another: Avro 1.12, "Schema Resolution", by structure alone."""

from __future__ import annotations

from typing import Any

from llm_orchestrator_state.wire.schemas import Schema

_PROMOTIONS = {("int", "long"), ("string", "bytes"), ("bytes", "string")}


def obstacles(writer: Schema, reader: Schema) -> list[str]:
    """What keeps the reader from the writer's data; empty if nothing does. Every named type inline where it is first."""
    return _obstacles(writer, reader, _named(writer), _named(reader), "")


def _named(schema: Schema, found: dict[str, Any] | None = None) -> dict[str, Any]:
    found = {} if found is None else found
    if isinstance(schema, list):
        for branch in schema:
            _named(branch, found)
    elif isinstance(schema, dict):
        if "name" in schema:
            found[schema["name"]] = schema
        for inner in (
            *(field["type"] for field in schema.get("fields", ())),
            schema.get("items"),
            schema.get("values"),
        ):
            _named(inner, found)
    return found


def _obstacles(writer: Schema, reader: Schema, theirs: dict[str, Any], ours: dict[str, Any], path: str) -> list[str]:
    writer, reader = _definition(writer, theirs), _definition(reader, ours)
    if isinstance(writer, list):
        return [found for branch in writer for found in _obstacles(branch, reader, theirs, ours, path)]
    if isinstance(reader, list):
        tried = [_obstacles(writer, branch, theirs, ours, path) for branch in reader]
        same = [found for found, branch in zip(tried, reader, strict=True) if _name(branch) == _name(writer)]
        return [] if [] in tried else next(iter(same), [f"{path}: no branch for {_name(writer)}"])
    one, other = _type(writer), _type(reader)
    if one != other and (one, other) not in _PROMOTIONS:
        return [f"{path}: {one} is read as {other}"]
    if one == "record":
        return _record(writer, reader, theirs, ours, path)
    if one == "enum":
        if _name(writer) != _name(reader):
            return [f"{path}: {_name(writer)} is read as {_name(reader)}"]
        return [] if "default" in reader or set(writer["symbols"]) <= set(reader["symbols"]) else [f"{path}: symbols"]
    inner = {"map": "values", "array": "items"}.get(one)
    return _obstacles(writer[inner], reader[inner], theirs, ours, f"{path}[]") if inner else []


def _record(writer: Schema, reader: Schema, theirs: dict[str, Any], ours: dict[str, Any], path: str) -> list[str]:
    if _name(writer) != _name(reader):
        return [f"{path}: {_name(writer)} is read as {_name(reader)}"]
    given = {field["name"]: field["type"] for field in writer["fields"]}
    found = []
    for field in reader["fields"]:
        where = f"{path}.{field['name']}"
        if field["name"] in given:
            found += _obstacles(given[field["name"]], field["type"], theirs, ours, where)
        elif "default" not in field:
            found.append(f"{where}: not there, and has no default")
    return found


def _definition(schema: Schema, named: dict[str, Any]) -> Schema:
    if isinstance(schema, str) and schema in named:
        return named[schema]
    if isinstance(schema, dict) and isinstance(schema["type"], dict | list):
        return _definition(schema["type"], named)
    return schema


def _type(schema: Schema) -> str:
    kind = schema if isinstance(schema, str) else schema["type"]
    assert isinstance(kind, str)
    return kind


def _name(schema: Schema) -> str:
    return str(schema.get("name", schema["type"])) if isinstance(schema, dict) else str(schema)

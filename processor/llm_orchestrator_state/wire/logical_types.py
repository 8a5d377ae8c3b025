"""What the numbers of another program's schema stand for.

A fingerprint says nothing of logical types (Avro 1.12, "Parsing Canonical Form"): an event whose `occurred_at` is a
`timestamp-millis` would be read as one of the year 1970. A number without a logical type is what our schema says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .schemas import Schema

INSTANT = "timestamp-micros"

_TO_MICROS: dict[str, Callable[..., int]] = {
    "timestamp-millis": lambda number, *_: number * 1000,
    "timestamp-nanos": lambda number, *_: number // 1000,
}

_Place = tuple[str, str]
"""A record's name without its namespace, and a field's: where a type stands."""


class OtherMeaning(ValueError):
    """A number of theirs does not stand for what ours does, and cannot be turned into it."""


def in_our_units(theirs: Schema, ours: Schema) -> Schema:
    """Their schema without logical types, but where an instant is in another unit: there, with one by which fastavro
    reads microseconds. Fields that ours does not have stay as they are: nobody reads them.

    Raises OtherMeaning.
    """
    meant = dict(_meanings(ours, ("", "")))
    return _in_our_units(theirs, ("", ""), meant)


def register_units() -> None:
    """Make fastavro know the logical types of in_our_units() (its documentation, "Custom Logical Types")."""
    from fastavro.read import LOGICAL_READERS

    for unit, to_micros in _TO_MICROS.items():
        LOGICAL_READERS[f"long-{_as_micros(unit)}"] = to_micros


def _as_micros(unit: str) -> str:
    return f"{unit}-as-micros"


def _meanings(schema: Schema, place: _Place) -> Iterator[tuple[_Place, str | None]]:
    """The logical type at each place of ours, None where there is none; no place of ours has two."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _meanings(branch, place)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            inner = (schema["name"], field["name"])
            yield inner, None
            yield from _meanings(field["type"], inner)
        for nested in ("type", "items", "values"):
            yield from _meanings(schema.get(nested), place)
        if "logicalType" in schema:
            yield place, schema["logicalType"]


def _in_our_units(schema: Any, place: _Place, meant: dict[_Place, str | None]) -> Any:
    if isinstance(schema, list):
        return [_in_our_units(branch, place, meant) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: value for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema.get("fields"), list):
        record = str(schema.get("name")).rpartition(".")[2]
        plain["fields"] = [
            {**field, "type": _in_our_units(field["type"], (record, field["name"]), meant)}
            for field in schema["fields"]
        ]
    for nested in ("type", "items", "values"):
        if nested in schema:
            plain[nested] = _in_our_units(schema[nested], place, meant)
    unit = schema.get("logicalType")
    if unit is None or place not in meant or unit == meant[place] or schema["type"] == "string":
        return plain  # a text is itself, whatever they make of it
    if meant[place] == INSTANT and unit in _TO_MICROS and schema["type"] == "long":
        return {**plain, "logicalType": _as_micros(unit)}
    raise OtherMeaning(
        f"{'.'.join(place)} is a {unit}, and expected is {meant[place] or 'a plain number'}: correct the publisher's schema"
    )

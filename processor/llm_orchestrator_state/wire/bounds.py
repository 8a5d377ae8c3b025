"""Schemas of others by which a few bytes can stand for any amount of work.

fastavro follows a schema as it is. An array of nulls that claims 10^8 items in six bytes takes it two seconds and 800 MB;
a record that holds itself takes a level of C stack for each byte, and the process ends with SIGSEGV at some ten thousand
(tried, 1.13). No limit on the bytes helps there, so a schema is read only if each of its values takes at least a byte and
none holds itself: then the work for a datum is at most its length times the depth of its schema.
"""

from __future__ import annotations

from typing import Any

from .schemas import Schema

MAX_DEPTH = 64
"""Of types in types. Ours have seven, and a level is half a kilobyte of C stack."""


class Unbounded(ValueError):
    """A datum of this schema can cost more than its bytes."""


def refuse_unbounded(schema: Schema) -> None:
    """schema: as fastavro.parse_schema() gives it, with every name in full. Raises Unbounded."""
    _Walk().value(schema, "the datum")


class _Walk:
    """Each named type is looked at once, where it is defined."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._empty = {"null"}
        self._depth = 0

    def value(self, schema: Schema, place: str) -> None:
        """A field, item or map's value."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unbounded(f"its types are nested deeper than {MAX_DEPTH}")
        if isinstance(schema, list):
            for branch in schema:  # of an empty one its number is the byte
                if not self._is_empty(branch):
                    self.value(branch, place)
        elif isinstance(schema, str):
            self._named(schema, place)
        else:
            self._defined(schema, place)
        self._depth -= 1

    def _named(self, name: str, place: str) -> None:
        if name in self._empty:
            raise Unbounded(f"{place} takes no bytes, and could be there any number of times")
        if name in self._open:
            raise Unbounded(f"{name} holds itself, and could do so any number of times")

    def _defined(self, schema: dict[str, Any], place: str) -> None:
        if self._is_empty(schema):
            raise Unbounded(f"{place} takes no bytes, and could be there any number of times")
        match schema["type"]:
            case "record" | "error":
                self._open.append(schema["name"])
                for field in schema["fields"]:
                    self.value(field["type"], f"{schema['name']}.{field['name']}")
                self._open.pop()
            case "array":
                self.value(schema["items"], f"an item of {place}")
            case "map":
                self.value(schema["values"], f"a value of {place}")
            case name:
                self._named(name, place)

    def _is_empty(self, schema: Schema) -> bool:
        if not isinstance(schema, dict):
            return isinstance(schema, str) and schema in self._empty
        if schema["type"] == "null":
            return True
        if schema.get("fields") == [] or (schema["type"] == "fixed" and schema["size"] == 0):
            self._empty.add(schema["name"])
            return True
        return False

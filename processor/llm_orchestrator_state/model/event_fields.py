"""Which fields of transitions differ between Python objects and records, and how. A name means the same in each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .instants import from_micros, to_micros
from .json_objects import json_object, json_text, uuid_object
from .references import ParentStep
from .state import WorkflowState

_NOT_NULL = frozenset({"context", "patch"})
"""Here null is a JSON value like any other; elsewhere it says that nothing is there."""

_TO: dict[str, Callable[[Any], Any]] = {
    "context": lambda value: json_text(value, "context"),
    "patch": lambda value: json_text(value, "patch"),
    "inputs": lambda value: json_text(value, "inputs"),
    "outputs": lambda value: json_text(value, "outputs"),
    "labels": dict,
    "usage": dict,
    "parent": ParentStep.to_record,
    "checkpoint_id": str,
    "timestamp": to_micros,
    "snapshot": WorkflowState.to_record,
    "state": WorkflowState.to_record,
}

_FROM: dict[str, Callable[[Any], Any]] = {
    "context": json_object,
    "patch": json_object,
    "inputs": json_object,
    "outputs": json_object,
    "labels": dict,
    "usage": dict,
    "parent": ParentStep.from_record,
    "checkpoint_id": uuid_object,
    "timestamp": from_micros,
    "snapshot": WorkflowState.from_record,
    "state": WorkflowState.from_record,
}


def to_field(name: str, value: Any) -> Any:
    """The field's datum in a record."""
    return _convert(_TO, name, value)


def from_field(name: str, value: Any) -> Any:
    """The field as Python objects."""
    return _convert(_FROM, name, value)


def _convert(conversions: dict[str, Callable[[Any], Any]], name: str, value: Any) -> Any:
    conversion = conversions.get(name)
    if conversion is None or (value is None and name not in _NOT_NULL):
        return value
    return conversion(value)

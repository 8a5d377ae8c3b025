"""Which Python objects are JSON values: what is sent as something else would come back as something else."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from ...errors import InvalidState
from ...model.json_objects import json_text
from ...model.kinds import Transition
from ...model.state import WorkflowState

_PLAIN = frozenset({str, int, bool, type(None)})


def is_plain(value: Any) -> bool:
    """Whether the value is made of JSON's own types only. Quick: one look at each container, not at each value."""
    kind = type(value)
    if kind is dict:
        value = value.values()
    elif kind is float:
        return isfinite(value)
    elif kind is not list and kind is not tuple:
        return kind in _PLAIN
    return _PLAIN.issuperset(map(type, value)) or all(map(is_plain, value))


def refuse_others(transition: Transition) -> None:
    """Raise InvalidState for what is no JSON value, saying where and what to do: a NaN, an infinity, a set, bytes.

    What else msgspec can write (datetimes, UUIDs, enums, dataclasses) is written as it does.
    """
    for name, value in _json_values(transition):
        try:
            _refuse(value, name)
            json_text(value, name)
        except RecursionError:
            raise InvalidState(f"{name} is nested too deep, or contains itself; flatten it") from None


def _json_values(transition: Any) -> Iterable[tuple[str, Any]]:
    for name in transition.__struct_fields__:
        value = getattr(transition, name)
        if name in {"context", "patch", "inputs", "outputs"}:
            yield name, value
        elif isinstance(value, WorkflowState):
            yield f"{name}.context", value.context
            for step_id, step in value.steps.items():
                yield f"{name}.steps[{step_id!r}].outputs", step.outputs


def _refuse(value: Any, name: str) -> None:
    match value:
        case dict():
            for key, item in value.items():
                _refuse(item, f"{name}.{key}")
        case list() | tuple():
            for index, item in enumerate(value):
                _refuse(item, f"{name}[{index}]")
        case float() if not isfinite(value):
            raise InvalidState(f"{name} is {value}, which JSON does not have; use None, or leave it out")
        case set() | frozenset():
            raise InvalidState(f"{name} is a {type(value).__name__}, which JSON does not have; give a list")
        case bytes() | bytearray() | memoryview():
            raise InvalidState(
                f"{name} is {type(value).__name__}, which JSON does not have; decode it, or give base64 text"
            )

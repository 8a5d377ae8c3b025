"""How two states of a run differ."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ...model.form_writing import write_state
from ...model.records import StateRecord

_NOT_COMPARED = {"recent_event_ids", "steps"}


class Difference(NamedTuple):
    """One field, by its JSON name (``status``, ``steps.fetch.attempt``), or a whole step that is only in one of the two
    (``steps.fetch``). then, now: plain values; None where absent.
    """

    field: str
    then: Any
    now: Any


def differences(then: StateRecord | None, now: StateRecord | None) -> list[Difference]:
    """In the order of the state's fields, then step by step. None: there is no such run."""
    both = _steps(then) & _steps(now)
    before, after = _flat(then, both), _flat(now, both)
    return [
        Difference(name, before.get(name), after.get(name))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def _steps(state: StateRecord | None) -> set[str]:
    return set() if state is None else set(state["steps"])


def _flat(state: StateRecord | None, flattened: set[str]) -> dict[str, Any]:
    if state is None:
        return {}
    form: dict[str, Any] = msgspec.json.decode(write_state(state))
    fields = {name: value for name, value in form.items() if name not in _NOT_COMPARED}
    for step_id, step in form["steps"].items():
        if step_id in flattened:
            fields |= {f"steps.{step_id}.{name}": value for name, value in step.items()}
        else:
            fields[f"steps.{step_id}"] = step
    return fields

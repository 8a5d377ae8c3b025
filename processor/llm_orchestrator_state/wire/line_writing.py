"""Event records as JSON lines: the form that jsonlines.py reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..model.form_writing import parent_form, state_form, value_form
from ..model.instants import format_instant
from ..model.kinds import KIND_OF_WORD
from ..model.records import EventRecord

_WORD_OF_KIND = {kind: word for word, kind in KIND_OF_WORD.items()}
_WRITERS: dict[str, Callable[[Any], Any]] = {
    "context": value_form,
    "patch": value_form,
    "inputs": value_form,
    "outputs": value_form,
    "parent": parent_form,
    "timestamp": format_instant,
    "snapshot": state_form,
    "state": state_form,
}


def format_record(record: EventRecord) -> bytes:
    """The record's line, without the line break. What is null or an empty map is left out."""
    kind, fields = record["transition"]
    line: dict[str, Any] = {
        "event_id": record["event_id"],
        "run_id": record["run_id"],
        "type": _WORD_OF_KIND[kind],
        "occurred_at": format_instant(record["occurred_at"]),
    }
    for name in ("expected_version", "fencing_token"):
        if record[name] is not None:
            line[name] = record[name]
    for name, value in fields.items():
        if value is not None and value != {}:
            line[name] = _WRITERS[name](value) if name in _WRITERS else value
    return msgspec.json.encode(line)

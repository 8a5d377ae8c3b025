"""Events as JSON lines → records: what ``publish`` reads, one event a line.

    {"event_id"?, "run_id", "type": "step_completed", "occurred_at", "expected_version"?, "fencing_token"?, ...}

followed by the kind's own fields; ``schemas/transition-event.schema.json`` describes it. JSON values (context, inputs,
outputs, patch) become text as they stand, so that each number keeps its digits. A field that is not known is refused:
it is most likely a slip of the pen, and its value would be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, NoReturn
from uuid import uuid4

import msgspec

from ..errors import Serialization
from ..model.form_reading import optional_value_text, parent_record, state_record, uuid_text, value_text
from ..model.instants import parse_instant
from ..model.kinds import KIND_OF_WORD
from ..model.records import EventRecord
from .line_forms import LINE_FORMS

_decode = msgspec.json.Decoder(reduce(or_, LINE_FORMS.values())).decode

_Reader = Callable[[Any, str], Any]
_READERS: dict[str, _Reader] = {
    "context": value_text,
    "patch": value_text,
    "inputs": optional_value_text,
    "outputs": optional_value_text,
    "parent": lambda form, _: parent_record(form),
    "checkpoint_id": uuid_text,
    "timestamp": parse_instant,
    "snapshot": lambda form, _: state_record(form),
    "state": lambda form, _: state_record(form),
}
"""How a field's datum comes from its form in a line; the others are the same in both."""


def _readers(form: type[msgspec.Struct]) -> tuple[str, list[tuple[str, _Reader | None]]]:
    word = str(form.__struct_config__.tag)
    kind_fields = form.__struct_fields__[5:]
    return KIND_OF_WORD[word], [(name, _READERS.get(name)) for name in kind_fields]


_FIELDS = {form: _readers(form) for form in LINE_FORMS.values()}
"""By type of a line: the kind and its fields, each with its reader."""


def parse_line(line: bytes | str) -> EventRecord:
    """The event that the line reports, as a record. An ``event_id`` is made up when none is given.

    Raises:
        Serialization: the line is no such event; says in one line what is wrong with it.
    """
    try:
        return _event_record(_decode(line))
    except msgspec.ValidationError as error:
        raise Serialization(_reason(str(error))) from error
    except msgspec.DecodeError as error:
        raise Serialization(_syntax_reason(line, error)) from error
    except UnicodeError as error:
        raise Serialization(f"not UTF-8: {error}") from error
    except RecursionError as error:
        raise Serialization("nested deeper than 128") from error
    except Serialization as error:
        raise Serialization(_one_line(str(error))) from error


def _event_record(form: Any) -> EventRecord:
    kind, readers = _FIELDS[type(form)]
    fields = {}
    for name, reader in readers:
        value = getattr(form, name)
        fields[name] = value if reader is None or value is None else reader(value, name)
    event_id = form.event_id
    return {
        "event_id": str(uuid4()) if event_id is None else uuid_text(event_id, "event_id"),
        "run_id": uuid_text(form.run_id, "run_id"),
        "occurred_at": parse_instant(form.occurred_at, "occurred_at"),
        "expected_version": form.expected_version,
        "fencing_token": form.fencing_token,
        "transition": (kind, fields),
    }


def _reason(message: str) -> str:
    if message.startswith("Invalid value") and message.endswith("`$.type`"):
        found = message.removeprefix("Invalid value ").removesuffix(" - at `$.type`")
        return _one_line(f"unknown type {found}, expected one of {', '.join(KIND_OF_WORD)}")
    return _one_line(message.removeprefix("Object "))


def _syntax_reason(line: bytes | str, error: msgspec.DecodeError) -> str:
    # msgspec calls the input truncated when the second half of a surrogate pair is not there
    try:
        json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return f"not JSON: {error}"
    return "a string holds half a surrogate pair"


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _one_line(message: str) -> str:
    return message.replace("\n", "\\n").replace("\r", "\\r")

"""The types of JSON lines, one per kind, made from the kinds of the model."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from ..model.form_writing import NULL
from ..model.forms import Int, Long, ParentForm, SignedLong, StateForm
from ..model.kinds import KIND_OF_WORD, KINDS
from ..model.limits import MAX_INT

_ENVELOPE: list[Any] = [
    ("event_id", str | None, None),
    ("run_id", str),
    ("occurred_at", str),
    ("expected_version", Long | None, None),
    ("fencing_token", SignedLong | None, None),
]

_TYPES: dict[str, Any] = {
    "workflow_id": str,
    "workflow_name": str,
    "user_id": str,
    "context": Raw,
    "labels": dict[str, str],
    "parent": ParentForm,
    "reason": str,
    "error": str,
    "error_type": str,
    "patch": Raw,
    "step_id": str,
    "attempt": Annotated[int, Meta(ge=1, le=MAX_INT)],
    "inputs": Raw,
    "outputs": Raw,
    "usage": dict[str, Long],
    "checkpoint_id": str,
    "timestamp": str,
    "snapshot": StateForm,
    "keep": Int,
    "state": StateForm,
}
"""What a field is in a line. A name means the same in every kind."""

_ABSENT: dict[str, Any] = {
    "context": Raw(b"{}"),
    "inputs": NULL,
    "outputs": NULL,
    "labels": msgspec.field(default_factory=dict),
    "usage": msgspec.field(default_factory=dict),
}
"""What an optional field that is left out counts as; null, if it is not here."""


def _line_form(word: str) -> type[Struct]:
    kind = KINDS[KIND_OF_WORD[word]]
    return msgspec.defstruct(
        f"{kind.__name__}Line",
        _ENVELOPE + [_field(each.name, required=each.required) for each in msgspec.structs.fields(kind)],
        tag_field="type",
        tag=word,
        forbid_unknown_fields=True,
        kw_only=True,
    )


def _field(name: str, *, required: bool) -> Any:
    if required:
        return name, _TYPES[name]
    if name in _ABSENT:
        return name, _TYPES[name], _ABSENT[name]
    return name, _TYPES[name] | None, None


LINE_FORMS: dict[str, type[Struct]] = {word: _line_form(word) for word in KIND_OF_WORD}
"""Type of a line by the word in its ``type``."""

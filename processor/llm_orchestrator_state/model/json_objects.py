"""Texts in records, of JSON values and UUIDs, ↔ Python objects of the public types."""

from __future__ import annotations

import json
from typing import Any, NoReturn
from uuid import UUID

import msgspec

from ..errors import InvalidState, Serialization
from .json_values import json_problem

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_LONGEST_INT = 4300  # digits; Python refuses to convert longer ones, as that takes quadratic time


def json_object(text: str) -> Any:
    """What the JSON text says. Floats keep their value exactly, whole numbers have no limit, 1e400 is infinite.

    Raises:
        Serialization: the text is not JSON.
    """
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _decode_extreme(text)


def _decode_extreme(text: str) -> Any:
    # msgspec refuses numbers beyond a double's range and half surrogate pairs; a run must stay readable all the same
    try:
        return json.loads(text, parse_int=_int, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Serialization(f"not JSON: {error}") from error


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INT else float(digits)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def json_text(value: Any, name: str) -> str:
    """Compact JSON text, no ASCII escapes; NaN and infinities become null, as in the crate.

    Besides JSON's own types it takes what msgspec does: dataclasses, datetimes, UUIDs, enums and the like.

    Raises:
        InvalidState: the value has no JSON form, or is nested deeper than 128. Says ``name``.
    """
    try:
        text = _encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidState(f"{name} has no JSON form: {error}") from error
    if problem := json_problem(text):
        raise InvalidState(f"{name} has no JSON form that can be stored: {problem}")
    return text


def uuid_object(text: str) -> UUID:
    """The UUID of that text.

    Raises:
        Serialization: it is none. Records that went through the fold hold no such text.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise Serialization(f"{text!r} is no UUID") from error

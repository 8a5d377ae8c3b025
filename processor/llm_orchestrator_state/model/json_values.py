"""JSON values as text: checks and the merge patch, without losing how a number was written."""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring
from typing import Any

import msgspec

from .limits import MAX_JSON_DEPTH

_skim = msgspec.json.Decoder(msgspec.Raw).decode
_TOKENS = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL).finditer
"""Possessive: what is kept for going back would take a gigabyte for a string of 8 MB."""


def json_problem(text: str) -> str | None:
    """Why the text is no JSON value (RFC 8259) of the allowed depth; None if it is one."""
    try:
        _skim(text)
    except msgspec.DecodeError as error:
        return str(error)
    except RecursionError:
        return f"nested deeper than {MAX_JSON_DEPTH}"
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH:
        return f"nested deeper than {MAX_JSON_DEPTH}"
    return None


def _depth(text: str) -> int:
    depth = deepest = 0
    for token in _TOKENS(text):
        mark = token[0]
        if mark in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif mark in ("]", "}"):
            depth -= 1
    return deepest


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def merge_patch(target: str, patch: str) -> str:
    """The target with the patch applied (RFC 7396), both checked JSON texts.

    The result is compact, without ASCII escapes, keys in order of first appearance; of duplicate keys the last wins.
    """
    return _write(_merge(_parse(target), _parse(patch)))


def _parse(text: str) -> Any:
    return json.loads(text, parse_int=_Number, parse_float=_Number)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _write(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        return "{" + ",".join([encode_basestring(key) + ":" + _write(item) for key, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_write(item) for item in value]) + "]"
    return {None: "null", True: "true", False: "false"}[value]

"""What the headers of output records say. What somebody else wrote there may be anything, and is never an error."""

from __future__ import annotations

from .interface import Headers

LONGEST_NUMBER = 19
"""Digits of the largest offset, 2^63 - 1. Python refuses to convert more than 4,300, and that with a ValueError."""


def number(text: str | bytes | None) -> int | None:
    """Of decimal digits as they are written in headers and keys; None for anything else."""
    if not text or len(text) > LONGEST_NUMBER or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def headers_of(headers: Headers | None) -> dict[str, bytes]:
    """By name. One without a value, which Kafka allows, is empty."""
    return {name: value or b"" for name, value in headers or ()}


def source_offset(headers: Headers | None) -> int:
    """Of a record: the last input offset judged for its run; -1 where no header tells, as in what a rebuild makes."""
    for name, value in headers or ():
        if name == "source-offset":
            found = number(value)
            return -1 if found is None else found
    return -1

"""Instants: int microseconds since 1970 UTC in records, RFC 3339 in JSON, timezone-aware datetimes in Python."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ..errors import InvalidState, Serialization
from .limits import MAX_INSTANT, MIN_INSTANT

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - on purpose, as said below
"""Formatting without a zone is faster, and the Z is added here."""
_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):\d\d:(\d\d)(?:\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?", re.ASCII
).fullmatch


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 UTC of a datetime in any zone.

    Raises:
        InvalidState: it is no datetime, has no zone, or lies outside the years 1 to 9999 of UTC.
    """
    try:
        zone = instant.tzinfo
    except AttributeError:
        raise InvalidState(
            f"{instant!r} is no datetime: give one with a time zone, such as datetime.now(UTC)"
        ) from None
    if zone is None:
        raise InvalidState(f"{instant.isoformat()} has no time zone: give one, such as datetime.now(UTC)")
    micros = (instant - _EPOCH) // _MICROSECOND
    if not MIN_INSTANT <= micros <= MAX_INSTANT:
        raise InvalidState(f"{instant.isoformat()} is outside the years 1 to 9999 of UTC")
    return micros


def from_micros(micros: int) -> datetime:
    """The UTC datetime so many microseconds after 1970.

    Raises:
        InvalidState: it lies outside the years 1 to 9999.
    """
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError as error:
        raise InvalidState(f"an instant {micros} µs from 1970 is outside the years 1 to 9999") from error


def format_instant(micros: int) -> str:
    """RFC 3339 with Z and the fewest of 0, 3 or 6 fraction digits that lose nothing, as the crate writes it."""
    digits = "seconds" if micros % 1_000_000 == 0 else "milliseconds" if micros % 1_000 == 0 else "microseconds"
    try:
        return (_NAIVE_EPOCH + timedelta(microseconds=micros)).isoformat(timespec=digits) + "Z"
    except OverflowError as error:
        raise InvalidState(f"an instant {micros} µs from 1970 is outside the years 1 to 9999") from error


def parse_instant(text: str, name: str) -> int:
    """Microseconds since 1970 UTC of an RFC 3339 text; digits beyond the sixth are cut off.

    Also read, because the crate's parser does: a space for the T, lower-case t and z, an offset without a colon.
    A leap second is the second after it, as in POSIX time, PostgreSQL and the crate's own count of microseconds.

    Raises:
        Serialization: it is no such text, has no zone, or lies outside the years 1 to 9999. Says ``name``.
    """
    match = _RFC3339(text)
    if match is None:
        raise Serialization(f"{name}: {text!r} is no instant, expected one such as 2026-01-05T09:30:00.123Z")
    second, zone = match.groups()
    if zone is None:
        raise Serialization(f"{name}: {text!r} has no time zone, expected Z or an offset such as +01:00 at its end")
    leap = second == "60"
    try:
        moment = datetime.fromisoformat(text.upper() if not leap else text[:17].upper() + "59" + text[19:].upper())
    except ValueError as error:
        raise Serialization(f"{name}: {text!r} is no instant: {error}") from error
    micros = (moment - _EPOCH) // _MICROSECOND + (1_000_000 if leap else 0)
    if not MIN_INSTANT <= micros <= MAX_INSTANT:
        raise Serialization(f"{name}: {text!r} is outside the years 1 to 9999 of UTC")
    return micros

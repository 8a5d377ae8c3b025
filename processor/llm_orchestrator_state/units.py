"""Durations and sizes as people write them: the only place that reads them."""

from __future__ import annotations

import re

from .errors import Configuration

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_DURATION_PART = re.compile(rf"({_NUMBER})(us|ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_SIZE = re.compile(rf"({_NUMBER})\s*([kmg]?i?b?)")

DURATION_FORM = "a duration such as 200ms, 30s, 15m, 2h, 1d or 1h30m (a bare number is seconds)"
SIZE_FORM = "a size such as 64MiB, 1GiB or a number of bytes"


def parse_duration(text: str) -> float:
    """Seconds. Raises Configuration, naming what was found and what is expected."""
    plain = text.strip().lower()
    if re.fullmatch(_NUMBER, plain):
        return float(plain)
    if not _DURATION.fullmatch(plain):
        raise Configuration(f"{text!r} is not a duration; expected {DURATION_FORM}")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(plain))


def parse_size(text: str) -> int:
    """Bytes. Raises Configuration, naming what was found and what is expected."""
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None or found[2] not in _BYTES:
        raise Configuration(f"{text!r} is not a size; expected {SIZE_FORM}")
    return int(float(found[1]) * _BYTES[found[2]])


def duration_text(seconds: float) -> str:
    """One or two units, as a person would say it: `3d 4h`, `12m`, `8s`, `0s`."""
    rest = max(0, int(seconds))
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_SECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def size_text(count: float) -> str:
    """`512 B`, `1.5 KiB`, `20.0 MiB`, `3.2 GiB`."""
    for power, name in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.1f} {name}"
    return f"{count:.0f} B"

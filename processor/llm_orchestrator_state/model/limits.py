"""Constants of the format: with other values a replay of the same log would give other bytes."""

from __future__ import annotations

WINDOW = 32
"""Event ids that a state remembers for deduplication."""

KEPT_CHECKPOINTS = 10
"""Checkpoints kept per run: slots of the checkpoint topic."""

MAX_STATE_BYTES = 8 * 1024 * 1024
"""Largest state, measured as the encoded checkpoint that would carry it."""

INLINE_LIMIT = 16 * 1024
"""Bytes (UTF-8) of a state's outputs and context that stay in it, in topic sets that write larger ones out."""

MAX_JSON_DEPTH = 128
"""Deepest nesting of a JSON value."""

MIN_INSTANT = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z in microseconds since 1970: the first instant of RFC 3339 and of Python's datetime."""

MAX_INSTANT = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z in microseconds since 1970."""

MAX_INT = 2**31 - 1
"""Largest Avro int."""

MAX_LONG = 2**63 - 1
"""Largest Avro long; counters stop here rather than overflow."""

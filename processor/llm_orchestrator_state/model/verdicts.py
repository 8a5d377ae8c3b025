"""What the fold says of an event: exactly one verdict each."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """Why an event was rejected, in the order in which the reasons are looked for."""

    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    INVALID_PAYLOAD = "invalid_payload"
    KEY_MISMATCH = "key_mismatch"
    WRONG_PARTITION = "wrong_partition"
    UNKNOWN_RUN = "unknown_run"
    RUN_EXISTS = "run_exists"
    FENCED = "fenced"
    STALE_ATTEMPT = "stale_attempt"
    VERSION_CONFLICT = "version_conflict"
    ILLEGAL_TRANSITION = "illegal_transition"
    STATE_TOO_LARGE = "state_too_large"


class Verdict(Enum):
    APPLIED = "applied"
    DUPLICATE = "duplicate"


class Rejection(NamedTuple):
    """The event changes nothing; detail says what was found and what would have been right."""

    code: Code
    detail: str

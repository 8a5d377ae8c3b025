"""What a check has found."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from ..errors import Connection, StateError

Outcome = Literal["ok", "warning", "failure", "skipped"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


AGAIN = "look again in a few seconds, in which a new leader may be elected; then look at the brokers"


class Finding(msgspec.Struct, frozen=True):
    """One sentence about one thing.

    outcome: a warning is something to look at, and nothing is broken by it yet; skipped is what could not be looked at.
    found: what is there. advice: what to do; None where nothing is to be done.
    exit_code: of a failure; the command ends with that of the first one.
    """

    check: str
    outcome: Outcome
    found: str
    advice: str | None = None
    exit_code: int | None = None


def ok(check: str, found: str) -> Finding:
    return Finding(check, "ok", found)


def warning(check: str, found: str, advice: str) -> Finding:
    return Finding(check, "warning", found, advice)


def failure(check: str, found: str, advice: str, kind: type[StateError]) -> Finding:
    return Finding(check, "failure", found, advice, kind.exit_code)


def skipped(check: str, why: str, advice: str | None = None) -> Finding:
    return Finding(check, "skipped", why, advice)


def failed(check: str, error: StateError) -> Finding:
    """An error as a finding: its message is what was found, and behind the first semicolon what to do."""
    found, _, advice = str(error).partition("; ")
    if not advice and isinstance(error, Connection):
        advice = AGAIN
    return Finding(check, "failure", found, advice or None, error.exit_code)

"""What the end of one process means for all of a worker's."""

from __future__ import annotations

from enum import Enum

from ...errors import Configuration, Connection, Fenced, OffsetMismatch, StateDirectory, StateError, TopicMismatch

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0

HEALTHY_S = 60.0
"""What ends after so long had begun well: its next start waits no longer than the first."""

OPERATOR_MUST_ACT: tuple[type[StateError], ...] = (
    Configuration,
    TopicMismatch,
    StateDirectory,
    OffsetMismatch,
    Fenced,
)
"""Starting again does not help against these, and whoever waits for the partition should hear of it."""

_TOLD_BY_CODE: tuple[type[StateError], ...] = (Connection, *OPERATOR_MUST_ACT)


class Next(Enum):
    START_AGAIN = "start again"
    FAIL = "end all, with this one's exit code"
    FINISH = "end all: the log has come to its end"


def next_after(code: int, *, worked: bool, until_end: bool) -> Next:
    """Of a process that ended by itself.

    code: its exit code; below zero the signal that ended it, as subprocess tells. worked: whether a partition was at
    work in any of the processes. Until then a failure is a mistake made at the start, which who started it is told at
    once; afterwards a failed connection is an outage, which passes.
    """
    if code == 0 and until_end:
        return Next.FINISH  # a process is at the end when the whole log is judged, also what the others have
    if code in {kind.exit_code for kind in OPERATOR_MUST_ACT}:
        return Next.FAIL
    return Next.FAIL if code > 0 and not worked else Next.START_AGAIN


def failure(code: int, text: str) -> StateError:
    """The error with which a process has ended, as its own class where that has an exit code of its own."""
    return {kind.exit_code: kind for kind in _TOLD_BY_CODE}.get(code, StateError)(text)


class Backoff:
    """Of one process: how long to wait before it is started again."""

    def __init__(self) -> None:
        self._failures = 0

    def delay_s(self, lived_s: float) -> float:
        """lived_s: from its last start to its end."""
        if lived_s >= HEALTHY_S:
            self._failures = 0
        delay = min(FIRST_DELAY_S * 2**self._failures, LONGEST_DELAY_S)
        self._failures += 1
        return float(delay)

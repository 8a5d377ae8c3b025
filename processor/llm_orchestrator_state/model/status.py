"""Statuses of runs and steps: the crate's, written in lower case."""

from __future__ import annotations

from enum import StrEnum
from typing import Self, TypeVar

from ..errors import InvalidState


class WorkflowStatus(StrEnum):
    """Status of a run. ``str()`` and JSON give the lower-case word."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Read in place of a status that is newer than this program. Never written, and no text parses as it."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The status of that name, in any case, without trimming (the crate's rule).

        Raises:
            InvalidState: no status has that name ("cancelled" is none: a cancelled run is a failed one).
        """
        return _parse(cls, "workflow", text)

    @property
    def is_active(self) -> bool:
        """Whether a run of this status is not over: pending, running or paused."""
        return self in _ACTIVE


_ACTIVE = frozenset({WorkflowStatus.PENDING, WorkflowStatus.RUNNING, WorkflowStatus.PAUSED})


class StepStatus(StrEnum):
    """Status of a step. ``str()`` and JSON give the lower-case word."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    """Read in place of a status that is newer than this program. Never written, and no text parses as it."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The status of that name, in any case, without trimming (the crate's rule).

        Raises:
            InvalidState: no status has that name.
        """
        return _parse(cls, "step", text)


_S = TypeVar("_S", WorkflowStatus, StepStatus)


def _parse(statuses: type[_S], noun: str, text: str) -> _S:
    word = text.lower()
    if word == "unknown" or word not in statuses._value2member_map_:
        raise InvalidState(f"Invalid {noun} status: {text}")
    return statuses(word)

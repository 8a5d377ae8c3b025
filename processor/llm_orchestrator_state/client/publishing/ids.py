"""Ids that are the same whenever the same thing is said again."""

from __future__ import annotations

from uuid import UUID, uuid5

from ...errors import InvalidState

RUNS = UUID("5f0c9a52-3f0e-5d0b-9a8e-0c6a7e1d4b21")
"""The name space of run_id_for(), so that other languages can make the same ids."""


def run_id_for(name: str) -> UUID:
    """The run id of whatever the name stands for: an order, a ticket, a webhook's delivery.

    UUIDv5 (RFC 9562, section 5.5) of the name: a retried webhook reports the same run again, and not a second one.
    """
    return uuid5(RUNS, name)


def as_run_id(given: UUID | str) -> UUID:
    """Raises InvalidState for a text that is no UUID."""
    if isinstance(given, UUID):
        return given
    try:
        return UUID(given)
    except (ValueError, AttributeError, TypeError):
        raise InvalidState(f"run_id {given!r} is no UUID; run_id_for({str(given)!r}) makes one") from None


def event_id_for(run_id: UUID, *parts: object) -> UUID:
    """The id of an event that can happen to its run only once, named by its kind and what tells it from others."""
    return uuid5(run_id, "/".join(map(str, parts)))


def child_id_for(parent: UUID, step_id: str, workflow_id: str, number: int) -> UUID:
    """The run id of a step's sub-workflow of that definition: the first, the second, and so on."""
    # the length says where the step's name ends: both may have any character
    return uuid5(parent, f"child/{number}/{len(step_id)}/{step_id}/{workflow_id}")

"""What a watch tells."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from ...model.records import StateRecord
from ...model.state import WorkflowState


class RunChange(NamedTuple):
    """A Change whose state is Avro data; see StateReader.record()."""

    run_id: str
    state: StateRecord | None
    matches: bool


class Change(Struct, frozen=True):
    """A run that has changed, as it is now.

    run_id: canonical UUID text. state: None when the run was deleted. matches: whether the watch's filter allows it; a run
    that it allowed before, and does not any more, is told once too.
    """

    run_id: str
    state: WorkflowState | None
    matches: bool


def as_change(found: RunChange) -> Change:
    state = None if found.state is None else WorkflowState.from_record(found.state)
    return Change(found.run_id, state, matches=found.matches)

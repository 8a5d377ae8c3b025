"""What a watch tells."""

from __future__ import annotations

from msgspec import Struct

from ...model.state import WorkflowState


class Change(Struct, frozen=True):
    """A run that has changed, as it is now.

    run_id: canonical UUID text. state: None when the run was deleted. matches: whether the watch's filter allows it; a run
    that it allowed before, and does not any more, is told once too.
    """

    run_id: str
    state: WorkflowState | None
    matches: bool

"""Which runs: the options that `list` and `watch` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidState
from ..units import parse_duration

if TYPE_CHECKING:
    from ..client.reading.filter import Filters
    from ..model.status import WorkflowStatus

StatusOption = Annotated[
    str | None, typer.Option(metavar="S", help="Only of this status: pending, running, paused, completed or failed.")
]
ActiveOption = Annotated[bool, typer.Option("--active", help="Only pending, running and paused ones.")]
WorkflowOption = Annotated[str | None, typer.Option(metavar="W", help="Only of this workflow definition.")]
StaleOption = Annotated[
    str | None,
    typer.Option(
        metavar="D", help="Only those without an event for so long, such as 15m; active ones unless --status."
    ),
]


def filters_of(*, status: str | None, active: bool, workflow_id: str | None, stale_for: str | None) -> Filters:
    """Raises InvalidState and Configuration for what is no status or duration."""
    if status is not None and active:
        raise typer.BadParameter("give --status or --active, not both")
    return {
        "status": None if status is None else parse_status(status),
        "active": active,
        "workflow_id": workflow_id,
        "stale_for": None if stale_for is None else parse_duration(stale_for),
    }


def parse_status(text: str) -> WorkflowStatus:
    """Raises InvalidState."""
    from ..model.status import WorkflowStatus

    try:
        return WorkflowStatus.parse(text)
    except InvalidState as error:
        raise InvalidState(
            f"{error}; expected pending, running, paused, completed or failed (a cancelled run is failed, with the "
            "error_type cancelled)"
        ) from None

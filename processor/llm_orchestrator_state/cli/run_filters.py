"""Which runs: the options that `list` and `watch` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Configuration, InvalidState
from ..units import parse_duration

if TYPE_CHECKING:
    from ..client.reading.filter import Filters
    from ..model.status import WorkflowStatus

StatusOption = Annotated[
    str | None, typer.Option(metavar="S", help="Only of this status: pending, running, paused, completed or failed.")
]
ActiveOption = Annotated[bool, typer.Option("--active", help="Only pending, running and paused ones.")]
WorkflowOption = Annotated[str | None, typer.Option(metavar="W", help="Only of this workflow definition.")]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME=VALUE", help="Only with this label; given several times, with all of them."),
]
StaleOption = Annotated[
    str | None,
    typer.Option(
        metavar="D", help="Only those without an event for so long, such as 15m; active ones unless --status."
    ),
]


def filters_of(
    *, status: str | None, active: bool, workflow_id: str | None, labels: list[str] | None, stale_for: str | None
) -> Filters:
    """Raises InvalidState and Configuration for what is no status, label or duration."""
    if status is not None and active:
        raise typer.BadParameter("give --status or --active, not both")
    return {
        "status": None if status is None else parse_status(status),
        "active": active,
        "workflow_id": workflow_id,
        "labels": _labels(labels or []),
        "stale_for": None if stale_for is None else parse_duration(stale_for),
    }


def _labels(texts: list[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise Configuration(f"--label is {text!r}; expected NAME=VALUE, such as team=support")
        if labels.setdefault(name, value) != value:
            raise Configuration(
                f"--label {name} is given as {labels[name]!r} and as {value!r}; a run has one value of a label, give one"
            )
    return labels


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

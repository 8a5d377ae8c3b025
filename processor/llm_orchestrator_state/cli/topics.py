"""``topics create|check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .commands import Command, Group
from .session import session
from .terminal import as_json, data, table

if TYPE_CHECKING:
    from ..kafka.format import Format

app = typer.Typer(
    cls=Group, help="The topic set: <prefix>.events, .state, .checkpoints, .outputs, .rejections and .meta."
)

_ABSENT = {"inline_limit": "everything inline", "rebuilt_from": "no other topic set"}
"""What it means that a format does not have something."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print the recorded format as a JSON object.")]


@app.command(cls=Command)
def create(
    context: typer.Context,
    *,
    partitions: Annotated[
        int | None,
        typer.Option(metavar="N", help="Partitions of each topic, fixed for ever. Default: 4.", show_default=False),
    ] = None,
    replication: Annotated[
        int | None, typer.Option(metavar="N", help="Replicas of each partition. Default: 3, or the brokers there are.")
    ] = None,
    checkpoints: Annotated[
        Literal["step", "requested", "off"] | None,
        typer.Option(help="When checkpoints are made, fixed for ever. Default: after each completed step."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make the topics that are missing and check the whole set. Doing it again is harmless."""
    from ..kafka import topics

    call = session(context)
    made = topics.create(
        call.admin,
        call.topics,
        partitions=partitions,
        replication=replication,
        checkpoints=checkpoints,
        registry=call.registry,
    )
    _show(made, json=json)


@app.command(cls=Command)
def check(context: typer.Context, *, json: JsonOption = False) -> None:
    """Compare the topics with what they must be. Exit code 4, with the commands that repair it, when they differ."""
    from ..kafka import topics

    call = session(context)
    _show(topics.check(call.admin, call.topics, call.registry), json=json)


def _show(found: Format, *, json: bool) -> None:
    import msgspec

    if json:
        data(as_json(found))
    else:
        entries = msgspec.structs.asdict(found).items()
        shown = [[name, _ABSENT[name] if value is None else str(value)] for name, value in entries]
        table(["setting", "value"], shown)

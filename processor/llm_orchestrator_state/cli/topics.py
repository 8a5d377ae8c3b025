"""``topics create|check|describe|acls``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..hints import command
from .acls import acls
from .commands import Command, Group
from .session import session
from .terminal import as_json, counted, data, record, say, table

if TYPE_CHECKING:
    from ..kafka.format import Format
    from ..operations.description import Description

app = typer.Typer(
    cls=Group, help="The topic set: <prefix>.events, .state, .checkpoints, .outputs, .rejections and .meta."
)

app.command(cls=Command)(acls)

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


@app.command(cls=Command)
def describe(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Show what each topic holds, how it is set up and how large it is, and what is recorded with the set.

    Offsets are those between a topic's start and end: transactions leave some without a record, and compaction gaps.
    Bytes are those of all replicas in the brokers' log directories.
    """
    from ..operations.description import describe as described

    call = session(context)
    found = described(call.log)
    if json:
        data(as_json(found))
    else:
        _show_description(found)


def _show_description(found: Description) -> None:
    from ..units import size_text
    from .columns import Column

    table(
        ["topic", "key", Column("value", least=20)],
        [[each.topic, each.key, each.value] for each in found.topics],
    )
    data(b"")
    table(
        [
            Column("role"),
            Column("partitions", right=True),
            Column("replicas", right=True),
            Column("min in sync", right=True, spare=1),
            Column("cleanup", spare=2),
            Column("kept", right=True),
            Column("largest record", right=True, spare=3),
            Column("offsets", right=True),
            Column("bytes", right=True),
        ],
        [
            [
                each.role,
                str(each.partitions),
                str(each.replicas),
                str(each.min_in_sync),
                each.cleanup_policy,
                _kept(each.retention_ms),
                size_text(each.max_message_bytes),
                f"{each.offsets:,}",
                "" if each.bytes is None else size_text(each.bytes),
            ]
            for each in found.topics
        ],
    )
    data(b"")
    _show_recorded(found)
    for name in found.missing:
        say(f"{name} is missing; `{command('topics', 'check')}` tells how to make it")
    if found.sizes:
        say(f"bytes are not known: {found.sizes}")


def _kept(retention_ms: int | None) -> str:
    from ..units import duration_text

    if retention_ms is None:
        return "last of each key"
    return "for ever" if retention_ms < 0 else duration_text(retention_ms / 1000)


def _show_recorded(found: Description) -> None:
    """The format in words: what is fixed for the life of the topic set."""
    from ..model.instants import format_instant
    from ..units import size_text

    recorded = found.format
    if recorded is None:
        say(f"{found.prefix}.meta has no record of the format; `{command('topics', 'check')}` tells how to make it")
        return
    policies = {"step": "after each completed step, and when asked for", "requested": "when asked for", "off": "none"}
    limit = recorded.inline_limit
    entries = [
        ("recorded", None if found.recorded_at is None else format_instant(int(found.recorded_at * 1e6))),
        ("partitions", str(recorded.partitions)),
        ("checkpoints", f"{policies[recorded.checkpoints]}; the last {recorded.kept_checkpoints} of a run are kept"),
        (
            "inline",
            "every output and context is in its state" if limit is None else f"up to {size_text(limit)} of a state",
        ),
        ("largest state", size_text(recorded.max_state_bytes)),
        ("remembered", f"{counted(recorded.window, 'event id')} of a run"),
        ("rebuilt from", recorded.rebuilt_from),
    ]
    record([(name, value) for name, value in entries if value])


def _show(found: Format, *, json: bool) -> None:
    import msgspec

    if json:
        data(as_json(found))
    else:
        entries = msgspec.structs.asdict(found).items()
        shown = [[name, _ABSENT[name] if value is None else str(value)] for name, value in entries]
        table(["setting", "value"], shown)

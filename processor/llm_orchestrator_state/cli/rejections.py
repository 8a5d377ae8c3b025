"""``rejections list``: what was not applied, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .commands import Command, Group
from .session import session
from .terminal import as_json, data, table

if TYPE_CHECKING:
    from ..kafka.interface import Message

app = typer.Typer(cls=Group, help="Events that were not applied, each with its reason.")


@app.callback()
def _group() -> None:
    """A group even while it has one command."""


@app.command("list", cls=Command)
def list_(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the rejected events, partition by partition, the oldest first."""
    rows = _rejections(context)
    if json:
        for row in rows:
            data(as_json(row))
        return
    table(
        ["code", "run", "event", "partition", "offset", "detail"],
        (
            [row["code"], row["run_id"] or "", row["event_id"] or "",
             str(row["source_partition"]), str(row["source_offset"]), row["detail"]]
            for row in rows
        ),
        right=["partition", "offset"],
    )  # fmt: skip


def _rejections(context: typer.Context) -> Iterator[dict[str, Any]]:
    from ..client.read import messages, partitions_of

    call = session(context)
    topic = call.topics.rejections
    for message in messages(call.log, topic, partitions_of(call.log.admin, topic)):
        yield _row(message)


def _row(message: Message) -> dict[str, Any]:
    """A rejection from its headers. run_id is the record's key, which is what the publisher sent, not checked."""
    headers = {name: value.decode(errors="replace") for name, value in message.headers() or ()}
    key = message.key()
    return {
        "code": headers.get("code", ""),
        "detail": headers.get("detail", ""),
        "event_id": headers.get("event-id"),
        "run_id": None if key is None else key.decode(errors="replace"),
        "source_topic": headers.get("source-topic"),
        "source_partition": _number(headers.get("source-partition")),
        "source_offset": _number(headers.get("source-offset")),
        "sha256": headers.get("sha256"),
    }


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None

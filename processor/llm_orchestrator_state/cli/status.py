"""``status``: who works, how far behind, what was rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..printable import escaped
from ..units import duration_text, size_text
from .session import session
from .terminal import as_json, counted, data, table

if TYPE_CHECKING:
    from ..operations.status import Status


def status(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Show workers, partitions, lag, stores and rejections, as of now. Works with and without running workers.

    Offsets are Kafka's: of a topic that transactions write, some belong to no record. The last output is the newest
    record in the state or rejections topic, by the worker's clock. A store's size is that on this host.
    """
    from ..operations.observing import observe
    from ..operations.wording import ranges_text

    call = session(context)
    found = observe(call.log, call.settings.state_dir)
    if json:
        data(as_json(found))
        return
    data(escaped(_summary(found)).encode())
    if found.workers:
        data(b"")
        table(
            ["worker", "host", "partitions"],
            [[each.instance_id, each.host, ranges_text(each.partitions) or "none"] for each in found.workers],
        )
    data(b"")
    _show_partitions(found)
    _show_remarks(found)


def _summary(found: Status) -> str:
    rejected = f"{found.rejections.kept.text()} rejected"
    if found.rejections.recent.number:
        rejected += f" ({found.rejections.recent.text()} in the last hour)"
    return ", ".join(
        [
            f"{found.prefix}: {counted(len(found.workers), 'worker') if found.workers else 'no worker'}",
            counted(len(found.partitions), "partition"),
            f"lag {found.lag:,}",
            f"last output {_ago(found, found.last_output) or 'never'}",
            rejected,
        ]
    )


def _show_partitions(found: Status) -> None:
    from .columns import Column

    rows = [
        [
            str(each.partition),
            f"{each.end:,}",
            "" if each.committed is None else f"{each.committed:,}",
            f"{each.lag:,}",
            _ago(found, each.waiting_since),
            each.owner or "",
            f"{each.state_end - each.state_start:,}",
            "" if each.store_bytes is None else size_text(each.store_bytes),
            _ago(found, each.last_output),
        ]
        for each in found.partitions
    ]
    table(
        [
            Column("partition", right=True),
            Column("log end", right=True, spare=2),
            Column("committed", right=True, spare=3),
            Column("lag", right=True),
            Column("waiting since", right=True, spare=1),
            Column("owner", least=12),
            Column("state offsets", right=True, spare=4),
            Column("store", right=True, spare=1),
            Column("last output", right=True),
        ],
        rows,
    )


def _show_remarks(found: Status) -> None:
    """What is out of the ordinary, below the tables."""
    for each in found.open_transactions:
        since = "" if each.since is None else f" for {duration_text(found.at - each.since)}"
        data(f"open transaction: {each.topic}[{each.partition}] at offset {each.offset}{since}".encode())
    if found.rejections.codes:
        codes = ", ".join(f"{code} {number:,}" for code, number in found.rejections.codes.items())
        data(escaped(f"rejected in the last hour: {codes}").encode())
    if found.workers and found.group_state != "Stable":
        data(f"the group is in state {found.group_state}".encode())


def _ago(found: Status, instant: float | None) -> str:
    return "" if instant is None else f"{duration_text(found.at - instant)} ago"

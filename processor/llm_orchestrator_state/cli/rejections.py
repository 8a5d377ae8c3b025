"""``rejections list|show|redrive``: what was not applied, why, and publishing it again."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from .commands import Command, Group
from .rejected import CodeOption, RunOption, SinceOption, rejections_of, row, wanted_of
from .rejections_redrive import redrive
from .rejections_show import show
from .session import session
from .terminal import as_json, counted, data, say, table

if TYPE_CHECKING:
    from ..client.rejections.record import Rejection
    from .columns import Column

app = typer.Typer(cls=Group, help="Events that were not applied, each with its reason.")
app.command("show", cls=Command)(show)
app.command("redrive", cls=Command)(redrive)


@app.command("list", cls=Command)
def list_(
    context: typer.Context,
    *,
    code: CodeOption = None,
    run: RunOption = None,
    since: SinceOption = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most so many: the newest.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the rejected events, the newest last, and how many there are of each code."""
    from ..client.rejections.reading import Wanted

    call = session(context)
    wanted = wanted_of(code, run, since)
    found = rejections_of(call, wanted)
    shown = found[-limit:] if limit else found
    if json:
        for each in shown:
            data(as_json(row(each)))
        return
    if shown:
        table(_columns(), (_cells(each) for each in shown))
    elif wanted == Wanted():
        say(f"no rejections in {call.topics.rejections}")
    else:
        say(f"no rejections in {call.topics.rejections} are as asked for")
    if found:
        newest = f"; the newest {len(shown)} are shown" if len(shown) < len(found) else ""
        say(f"{counted(len(found), 'rejection')}: {_summary(found)}{newest}")


def _summary(found: list[Rejection]) -> str:
    return ", ".join(f"{number} {code}" for code, number in Counter(each.code for each in found).most_common())


def _columns() -> list[Column]:
    from .columns import Column

    return [
        Column("at", right=True),
        Column("code"),
        Column("run"),
        Column("event", spare=3),
        Column("rejected", right=True, spare=2),
        Column("detail", least=12, spare=1),
    ]


def _cells(each: Rejection) -> list[str]:
    from ..units import duration_text

    ago = "" if each.rejected_at is None else f"{duration_text(time.time() - each.rejected_at / 1e6)} ago"
    return [str(each.address or ""), each.code, each.run_id or "", each.event_id or "", ago, each.detail]

"""``doctor``: everything that a deployment needs, looked at, and what to do where it is not as it should be."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Configuration
from ..printable import escaped
from .session import Session, session
from .terminal import as_json, data, say

if TYPE_CHECKING:
    from ..kafka.cluster import Cluster
    from ..operations.findings import Finding

CONNECT_S = 4.0
"""Within which a broker must have answered."""

_STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red", "skipped": "dim"}
_OUTCOME_WIDTH, _CHECK_WIDTH = 9, 17


def doctor(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a finding.")] = False,
) -> None:
    """Check everything that a deployment needs, and say what to do. It writes nothing anywhere.

    Each finding is ok, a warning, a failure, or skipped because it could not be looked at. Without a failure the exit
    code is 0, else that of the first one: 2 a setting, 3 the brokers or the registry, 4 the topics, 5 the local
    stores, 8 offsets or transactions.
    """
    from ..operations.doctor import exit_code
    from ..operations.findings import OUTCOMES

    found: list[Finding] = []
    for finding in _findings(session(context)):
        found.append(finding)
        if json:
            data(as_json(finding))
        else:
            _show(finding)
    counts = Counter(finding.outcome for finding in found)
    say(", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
    raise typer.Exit(exit_code(found))


def _findings(call: Session) -> Iterator[Finding]:
    from ..operations.deployment import Deployment
    from ..operations.doctor import examine, unexamined

    try:
        settings = call.settings
    except Configuration as error:
        return unexamined(error)
    return examine(Deployment(settings, lambda: _connected(call), lambda: call.registry))


def _connected(call: Session) -> Cluster:
    """Sooner given up than by other commands, which may have been started together with their broker."""
    from ..kafka.admin import Admin

    Admin(call.bootstrap_servers, call.settings.properties, CONNECT_S)
    return call.log


def _show(finding: Finding) -> None:
    """One line in a pipe. On a terminal set in columns, and what to do below, unbroken: it may be a command to copy."""
    if not sys.stdout.isatty():
        text = f"{finding.found}; {finding.advice}" if finding.advice else finding.found
        data(f"{finding.outcome:<{_OUTCOME_WIDTH}}{finding.check:<{_CHECK_WIDTH}}{escaped(text)}".encode())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid()
    for width in (_OUTCOME_WIDTH, _CHECK_WIDTH):
        grid.add_column(width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(finding.outcome, style=_STYLES[finding.outcome]), finding.check, escaped(finding.found))
    console = Console(file=sys.stdout, highlight=False, markup=False)
    with console.capture() as shown:  # by itself it ends the program where the reader has gone
        console.print(grid)
        if finding.advice:
            console.print(Text(f"{'':<{_OUTCOME_WIDTH}}→ {escaped(finding.advice)}", style="bold"), soft_wrap=True)
    sys.stdout.write(shown.get())
    sys.stdout.flush()

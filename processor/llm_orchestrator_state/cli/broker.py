"""``broker start|stop|status``: a real Kafka on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from .commands import Command, Group
from .session import session
from .terminal import as_json, data, say

app = typer.Typer(cls=Group, help="A real Apache Kafka on this machine, for trying things out.")


@app.command(cls=Command)
def start(
    context: typer.Context,
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start empty: all earlier data are deleted.")] = False,
) -> None:
    """Start it, or find it running; prints its address. It runs until `broker stop`."""
    from ..local.broker import LocalBroker

    session(context).read_settings()
    data(LocalBroker().start(fresh=fresh).encode())


@app.command(cls=Command)
def stop(context: typer.Context) -> None:
    """Stop it. Its data stay."""
    from ..local.broker import LocalBroker

    session(context).read_settings()
    say("stopped" if LocalBroker().stop() else "it was not running")


@app.command(cls=Command)
def status(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show whether it runs, and where. Exit code 3 when it does not run."""
    from ..errors import Connection
    from ..local.broker import LocalBroker

    session(context).read_settings()
    found = LocalBroker().status()
    if json:
        data(as_json({**found._asdict(), "directory": str(found.directory)}))
    elif found.running:
        data(f"running at {found.bootstrap} (process {found.pid}), data in {found.directory}".encode())
    if not found.running:
        raise Connection(f"no local broker runs in {found.directory}; `llm-orchestrator-state broker start` starts one")

"""``demo``: a story on a real Kafka, or a file of events through it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .session import session


def demo(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Events as JSON lines, plain or gzip. Without: the story.")
    ] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave Kafka running, and everything in it.")] = False,
) -> None:
    """Tell a story in a minute: agents run, the worker folds, is killed, loses its disk, and every state is right.

    With a FILE its events take the agents' place. All of it happens on a real Kafka: on this machine's local broker,
    unless an address is given. Afterwards the local broker is stopped and its topics stay until the next demo; on any
    other Kafka they are deleted.
    """
    from ..local.demo import run_demo

    raise typer.Exit(run_demo(file, session(context).settings, keep=keep))

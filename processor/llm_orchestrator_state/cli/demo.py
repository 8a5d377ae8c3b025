"""``demo``: events through a real Kafka, from nothing to verified states."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .session import session


def demo(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="JSON lines, plain or gzip. Default: a sample.")
    ] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the broker, the topics and the states there.")] = False,
) -> None:
    """Publish events, run the worker, show the states and verify them; on a local Kafka unless an address is given."""
    from ..local.demo import run_demo

    raise typer.Exit(run_demo(file, session(context).settings, keep=keep))

"""Asking before what cannot be taken back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..errors import INTERRUPTED, Configuration
from ..printable import escaped
from .terminal import say

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, declined: str, *, yes: bool, otherwise: str = "") -> None:
    """Ends the command when the answer is no. otherwise: what can be done where there is no terminal, besides --yes.

    Raises Configuration where there is no terminal to ask at.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Configuration(f"there is no terminal to ask at; give --yes{otherwise}")
    # not typer.confirm(): it puts a space on stdout, also into a pipe
    sys.stderr.write(f"{escaped(question)} [y/N]: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        say(declined)
        raise typer.Exit(INTERRUPTED)

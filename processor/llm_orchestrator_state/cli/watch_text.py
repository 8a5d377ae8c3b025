"""One change of a run as one line."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from ..model.instants import format_instant
from ..printable import escaped
from .run_changes import changes_text
from .state_text import COLOURS
from .terminal import data, terminal

if TYPE_CHECKING:
    from ..model.records import StateRecord
    from .run_changes import Seen

WIDE = 110
"""Columns of a terminal from which on there is room for the date, and for the status beside what has changed."""

_STATUS = max(map(len, COLOURS))


def print_line(
    run_id: str, state: StateRecord | None, before: Seen | None, what: str, *, matches: bool, with_run: bool
) -> None:
    """what: "" for what has changed since before. matches: False is told."""
    at = time.time_ns() // 1000 if state is None else state["updated_at"]
    status = "deleted" if state is None else state["status"]
    what = what or ("" if state is None else changes_text(before, state))
    if not matches and state is not None:
        what += " (no longer as asked for)"
    console = terminal()
    wide = console is None or console.width >= WIDE
    cells = [format_instant(at) if console is None else _short(at, with_date=wide)]
    if with_run:
        cells.append(run_id)
    begin = end = len("  ".join(cells)) + 2
    if wide or not with_run or state is None:
        cells.append(status.ljust(_STATUS))
        end += _STATUS
    line = escaped("  ".join([*cells, what]).rstrip())
    if console is None:
        data(line.encode())
        return
    from rich.text import Text

    text = Text(line)
    text.stylize(COLOURS.get(status, "red"), begin, end)
    with console.capture() as shown:
        console.print(text, no_wrap=True, overflow="ellipsis", crop=True, soft_wrap=False)
    sys.stdout.buffer.write(shown.get().encode(errors="replace"))


def _short(at: int, *, with_date: bool) -> str:
    text = format_instant(at - at % 1_000_000)
    return text if with_date else text[11:]

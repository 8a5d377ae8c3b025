"""What reaches a terminal or a pipe: data on stdout, everything else on stderr."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control characters, line separators, and the invisible ones that reorder or hide text."""

PIPED_WIDTH = 500
"""Columns of a table that goes to a pipe: wide enough that nothing a machine may look for is folded away."""


def escaped(text: str) -> str:
    """The text with what could drive or deceive a terminal written as escapes: run ids and errors are foreign text."""
    return _UNPRINTABLE.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


@contextmanager
def while_read() -> Iterator[None]:
    """A reader of our output who has gone, such as head, has what he wanted: the rest is printed to nobody."""
    try:
        yield
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """What is still in the buffer must not fail again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def data(line: bytes) -> None:
    """One line of data on stdout, in UTF-8 whatever the locale says."""
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.write(b"\n")


def as_json(value: Any) -> bytes:
    """Compact JSON."""
    import msgspec

    return msgspec.json.encode(value)


def say(text: str) -> None:
    """A remark on stderr."""
    sys.stderr.write(f"{escaped(text)}\n")


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Rows on stdout; framed and fitted on a terminal, plain in a pipe. right: columns set flush right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    grid = Table(box=SIMPLE_HEAD if terminal else None, pad_edge=False, header_style="bold" if terminal else "")
    for name in columns:
        grid.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(escaped(cell)) for cell in row))
    console = Console(file=sys.stdout, width=None if terminal else PIPED_WIDTH, highlight=False)
    with console.capture() as shown:  # by itself it ends the program where the reader of a pipe has gone
        console.print(grid)
    sys.stdout.write(shown.get())
    sys.stdout.flush()


def record(entries: Sequence[tuple[str, str]]) -> None:
    """Names and values on stdout, one pair a line."""
    width = max(len(name) for name, _ in entries) + 2
    for name, value in entries:
        data(f"{name:<{width}}{escaped(value)}".encode())


def progress() -> Any:
    """A rich progress display on stderr, silent when nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        disable=not sys.stderr.isatty(),
        transient=True,
    )

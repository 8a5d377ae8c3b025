"""What reaches a terminal or a pipe: data on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from ..printable import escaped, escaped_json

if TYPE_CHECKING:
    from .columns import Column, Fitted


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
    """One line of data on stdout, in UTF-8 whatever the locale says.

    On a terminal what could drive it is written as JSON writes it: JSON leaves the control characters from 127 on as they
    are, and every other text has been escaped before.
    """
    if (not line.isascii() or b"\x7f" in line) and sys.stdout.isatty():
        line = escaped_json(line.decode(errors="surrogateescape")).encode()
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


def table(columns: Sequence[str | Column], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Rows on stdout: fitted to a terminal, complete in a pipe. right: columns set flush right.

    On a terminal a column that is only a name is never shortened and never left out.
    """
    from .columns import GAP, Column, fit, header_lines, line

    described = [Column(each, right=each in right) if isinstance(each, str) else each for each in columns]
    cells = [[escaped(cell) for cell in row] for row in rows]
    console = terminal()
    fitted = fit(described, cells, console and console.width)
    header = header_lines(described, fitted)
    body = ([row[each.number] for each in fitted] for row in cells)
    if console is None:
        for row in (*header, *body):
            data(line(described, fitted, row).rstrip().encode())
        return
    with console.capture() as shown:  # by itself it ends the program where the reader has gone
        for row in header:
            console.print(line(described, fitted, row).rstrip(), style="bold")
        console.print("─" * (sum(each.width + GAP for each in fitted) - GAP), style="dim")
        for row in body:
            console.print(_coloured(described, fitted, row))
    sys.stdout.buffer.write(shown.get().encode(errors="replace"))
    sys.stdout.flush()


def _coloured(columns: Sequence[Column], fitted: Sequence[Fitted], row: Sequence[str]) -> Any:
    from rich.text import Text

    from .columns import GAP, padded

    text = Text(no_wrap=True)
    # joined, as rich counts characters and a column's place is one on the screen
    for number, (each, cell) in enumerate(zip(padded(columns, fitted, row), row, strict=True)):
        style = columns[fitted[number].number].colours.get(cell.partition(" ")[0])
        text.append(" " * GAP if number else "").append(each, style)
    text.rstrip()
    return text


def terminal() -> Any:
    """Stdout as rich sees it; None where it is no terminal."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=True, markup=False, emoji=False)


def record(entries: Sequence[tuple[str, str]]) -> None:
    """Names and values on stdout, one pair a line; on a terminal what is longer goes on below, and no word is broken."""
    width = max((len(name) for name, _ in entries), default=0) + 2
    console = terminal()
    for name, value in entries:
        text = escaped(value)
        lines = [text] if console is None else wrap(text, max(40, console.width - width), break_long_words=False,
                                                    break_on_hyphens=False)  # fmt: skip
        for number, line in enumerate(lines or [""]):
            data(f"{'' if number else name:<{width}}{line}".encode())

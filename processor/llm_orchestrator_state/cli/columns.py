"""How a table fits a width: what is shortened, what is left out, and what never breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

GAP = 2
"""Spaces between two columns."""


class Column(NamedTuple):
    """One column of a table.

    right: flush right. least: it may be shortened to so many characters; None: never, as an id that is cut is no id.
    spare: left out where there is no room, the greatest first; 0: never. colours: rich styles by a cell's first word.
    """

    name: str
    right: bool = False
    least: int | None = None
    spare: int = 0
    colours: Mapping[str, str] = {}


class Fitted(NamedTuple):
    """A column that is shown, by its number among all of them, and how wide it is on the screen."""

    number: int
    width: int


def fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[Fitted]:
    """Which columns are shown, and how wide. width: None has no end.

    Names take several lines before a column is left out. Where even the least is too much, what is left is wider than
    the width, and the terminal wraps whole lines.
    """
    cells = [max(map(cell_len, each), default=0) for each in zip(*rows, strict=True)] or [0] * len(columns)
    natural = [max(wide, cell_len(c.name)) for c, wide in zip(columns, cells, strict=True)]
    if width is None:
        return [Fitted(number, wide) for number, wide in enumerate(natural)]
    least = [
        max(wide if c.least is None else min(wide, c.least), *map(cell_len, c.name.split()))
        for c, wide in zip(columns, cells, strict=True)
    ]
    shown = list(range(len(columns)))

    def room() -> int:
        return width - sum(least[n] for n in shown) - GAP * (len(shown) - 1)

    while room() < 0 and columns[spare := max(shown, key=lambda n: columns[n].spare)].spare:
        shown.remove(spare)
    left = max(0, room())
    widths = {}
    short = sorted(shown, key=lambda n: natural[n] - least[n])
    for place, number in enumerate(short):
        more = min(natural[number] - least[number], left // (len(short) - place))
        widths[number] = least[number] + more
        left -= more
    return [Fitted(number, widths[number]) for number in shown]


def header_lines(columns: Sequence[Column], fitted: Sequence[Fitted]) -> list[list[str]]:
    """The names, the last word of each on the last line."""
    words = [_wrapped(columns[each.number].name, each.width) for each in fitted]
    height = max(map(len, words), default=0)
    filled = [[""] * (height - len(each)) + each for each in words]
    return [[each[line] for each in filled] for line in range(height)]


def _wrapped(name: str, width: int) -> list[str]:
    return [name] if cell_len(name) <= width else name.split()


def line(columns: Sequence[Column], fitted: Sequence[Fitted], cells: Sequence[str]) -> str:
    """One row: the cells of the fitted columns, each as wide as its column."""
    return (" " * GAP).join(padded(columns, fitted, cells))


def padded(columns: Sequence[Column], fitted: Sequence[Fitted], cells: Sequence[str]) -> list[str]:
    """The cells of one row, each as wide as its column."""
    return [_padded(cell, e.width, right=columns[e.number].right) for e, cell in zip(fitted, cells, strict=True)]


def _padded(cell: str, width: int, *, right: bool) -> str:
    used = cell_len(cell)
    if used > width:
        cell = f"{set_cell_size(cell, width - 1)}…"
        used = width
    return " " * (width - used) + cell if right else cell + " " * (width - used)

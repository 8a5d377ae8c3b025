"""What the demo says: headlines, commands and facts; coloured on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import shlex
import sys
import textwrap
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.text import Text

from ...printable import escaped
from ...settings import PROGRAM

INDENT = "   "
GAP = "  "
LEAST = 24
"""Columns that are left of a table's last cells before another cell is left out for them."""


class Screen:
    """Writes to stdout.

    terminal: whether somebody watches. console: rich's, of a terminal.
    """

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.acts: list[tuple[str, float]] = []
        self._began = time.monotonic()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # what a locale cannot show is no reason to stop

    def act(self, name: str, headline: str) -> None:
        """Begin an act. name: one word by which the times at the end call it."""
        self.acts.append((name, time.monotonic()))
        self._line()
        self._line((f"{len(self.acts)}  ", "bold cyan"), (headline, "bold"))

    def heading(self, text: str) -> None:
        self._line()
        self._line((text, "bold"))

    def command(self, *words: str) -> None:
        """A command as somebody would type it."""
        self.typed(f"{PROGRAM} {shlex.join(words)}")

    def typed(self, line: str) -> None:
        self._line((f"{INDENT}$ ", "dim"), (line, "cyan"))

    def fact(self, text: str, style: str = "") -> None:
        for line in self._wrapped(text, len(INDENT)):
            self._line((f"{INDENT}{line}", style))

    def names_and_values(self, rows: Sequence[tuple[str, str]]) -> None:
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            for number, line in enumerate(self._wrapped(value, len(INDENT) + width + len(GAP))):
                self._line((f"{INDENT}{'' if number else name:<{width}}{GAP}", "dim"), (line, ""))

    def working(self, doing: str) -> AbstractContextManager[object]:
        """Something moves on a terminal while this lasts."""
        return self.console.status(f"{INDENT}{doing}", spinner="line") if self.terminal else nullcontext()

    def table(self, rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), spare: Sequence[int] = ()) -> None:
        """Cells below each other, the first row in grey. The last column is cut where the terminal is too narrow.

        right: numbers of the columns set flush right. spare: of those left out, one after the other, until the rest fits.
        """
        cells = [[escaped(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        room = self.console.width - len(INDENT) if self.terminal else sum(widths) + len(GAP) * len(widths)
        least = [*widths[:-1], min(widths[-1], LEAST)]
        shown_columns = list(range(len(widths)))
        for number in spare:
            if sum(least[each] + len(GAP) for each in shown_columns) - len(GAP) > room:
                shown_columns.remove(number)
        for row in cells:
            padded = (
                f"{row[each]:>{widths[each]}}" if each in right else f"{row[each]:<{widths[each]}}"
                for each in shown_columns
            )
            line = GAP.join(padded).rstrip()
            shown = line if len(line) <= room else f"{line[: room - 1]}…"
            self._line((f"{INDENT}{shown}", "dim" if row is cells[0] else ""))

    def durations(self) -> str:
        """`41 s: kafka 3, stream 20, …`"""
        now = time.monotonic()
        ends = [began for _, began in self.acts[1:]] + [now]
        parts = [f"{name} {end - began:.1f}" for (name, began), end in zip(self.acts, ends, strict=True)]
        return f"{now - self._began:.1f} s: {', '.join(parts)}"

    def _wrapped(self, text: str, indent: int) -> list[str]:
        """Between words, on a terminal only: commands and tables are never wrapped."""
        if not self.terminal:
            return [text]
        width = max(self.console.width - indent, 20)
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]

    def _line(self, *parts: tuple[str, str]) -> None:
        if self.terminal:
            self.console.print(Text.assemble(*((escaped(text), style) for text, style in parts)))
        else:
            sys.stdout.write("".join(escaped(text) for text, _ in parts) + "\n")
            sys.stdout.flush()

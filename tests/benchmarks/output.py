"""Where the figures go: the terminal, a report in Markdown, JSON, and plots."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks.peers.plots import NoMatplotlib, draw
from tests.benchmarks.reach import reach_text

Figures = dict[str, Any]


class Output:
    """directory: for the report, the plots, and the figures too where json is None."""

    def __init__(self, directory: Path, json: Path | None) -> None:
        self._directory = directory
        self._report = directory / "report.md"
        self._json = json or directory / "figures.json"
        self._figures: Figures = {}
        self._texts: list[str] = []

    def add(self, part: str, figures: Any, text: str) -> None:
        """Printed and written at once: a run may take a quarter of an hour, and be ended before."""
        print(text, end="\n\n", flush=True)
        self._figures[part] = figures
        self._texts.append(text if text.startswith("|") else f"```\n{text}\n```")
        if isinstance(figures, dict):
            # beside the parts, so that each is found under its own name
            self._figures |= figures.get("named", {})
        self._write()

    @property
    def is_wrong(self) -> bool:
        """Whether states were found that are not the log's."""
        return any(row["wrong"] for row in [*self._figures.get("throughput", []), *self._heats()])

    def _heats(self) -> list[Figures]:
        """Of the parts in which peers fold the same log."""
        parts = (part for part in self._figures.values() if isinstance(part, dict))
        return [row for part in parts if "floors" in part for row in part["rows"]]

    def _write(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._report.write_text("\n\n".join([*self._texts, reach_text(self._figures)]) + "\n")
        self._json.write_bytes(msgspec.json.format(msgspec.json.encode(self._figures)) + b"\n")

    def draw(self) -> None:
        """The plots, and say where everything is."""
        written = [self._report, self._json]
        if rows := self._heats():
            try:
                written += draw(rows, self._directory)
            except NoMatplotlib as missing:
                print(f"no plots: {missing}", file=sys.stderr)
        print(f"written: {', '.join(map(str, written))}", file=sys.stderr)

"""The figures in the README, from the JSON of one run or several: python -m tests.benchmarks.readme [FILE …]

What a later FILE has replaces what an earlier one has, on the same machine: parts that run only by name can be added.
Without a FILE the figures are those that the README has, in figures.json beside this file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks.reach import reach_text
from tests.benchmarks.readme_figures import figures_text
from tests.benchmarks.report import machine_text
from tests.readme import README

KEPT = Path(__file__).with_name("figures.json")
BEGIN = "<!-- figures: python -m tests.benchmarks.readme -->"
END = "<!-- /figures -->"

Figures = dict[str, Any]


def merged(files: Sequence[Figures]) -> Figures:
    """Raises ValueError for figures of different machines."""
    first, *others = files
    for other in others:
        for name in ("cpu", "cores", "memory", "system", "python", "kafka"):
            if other["machine"][name] != first["machine"][name]:
                raise ValueError(f"{name} is {first['machine'][name]} and {other['machine'][name]}: another machine")
    together: Figures = {}
    for each in files:
        together |= each
    return together | {"machine": first["machine"]}


def block(figures: Mapping[str, Any]) -> str:
    measured_on = f"Measured {figures['machine']['date']} on {machine_text(figures['machine'])}."
    return "\n\n".join([measured_on, reach_text(figures), figures_text(figures)])


def replaced(text: str, new: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the README has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{new}\n\n{END}{after}"


def shown(text: str) -> str:
    """What a README has between the markers."""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def main(files: Sequence[Path]) -> None:
    figures = merged([msgspec.json.decode(file.read_bytes()) for file in files or [KEPT]])
    README.write_text(replaced(README.read_text(), block(figures)))
    KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])

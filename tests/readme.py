"""The README, taken apart: its fenced code blocks and its tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[1]
README = CHECKOUT / "README.md"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CELL_BORDER = re.compile(r"(?<!\\)\|")


class Block(NamedTuple):
    """language: what stands behind the fence; sh blocks are run by a test, console blocks are only shown."""

    language: str
    text: str


def blocks(text: str) -> list[Block]:
    return [Block(*found) for found in _BLOCK.findall(text)]


def section(name: str, file: Path = README) -> str:
    """The text between this heading and the next."""
    parts = _HEADING.split(_without_code(file.read_text()))
    return _with_code(parts[parts.index(name) + 1])


def program(name: str, file: Path = README) -> str:
    """The one Python program of a section."""
    (found,) = [block.text for block in blocks(section(name, file)) if block.language == "python"]
    return found


def tables(name: str, file: Path = README) -> list[list[list[str]]]:
    """The section's tables: rows of cells, without the header, as text without back-quotes and escapes."""
    found: list[list[list[str]]] = [[]]
    for line in section(name, file).splitlines():
        if line.startswith("|"):
            found[-1].append([_plain(cell) for cell in _CELL_BORDER.split(line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [table[2:] for table in found if table]


def words(cell: str) -> list[str]:
    """What is listed in a cell, separated by commas."""
    return [word.strip() for word in cell.split(",") if word.strip()]


def _plain(cell: str) -> str:
    return cell.strip().replace("`", "").replace("\\", "")


_COMMENT_IN_CODE = "\0"


def _without_code(text: str) -> str:
    """A comment in a code block is no heading."""
    return _BLOCK.sub(lambda found: re.sub(r"^#", _COMMENT_IN_CODE, found[0], flags=re.MULTILINE), text)


def _with_code(text: str) -> str:
    return text.replace(_COMMENT_IN_CODE, "#")

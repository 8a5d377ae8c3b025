"""Lines of a file or of standard input, plain or gzip."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BadInput, Configuration

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one line: the largest event with every character written as a JSON escape. More is not read into memory."""

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Bytes = io.BufferedReader | gzip.GzipFile


@contextmanager
def open_lines(name: str) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Numbers, from 1, and bytes of the lines that are not blank. ``-`` is standard input.

    Raises Configuration when the file cannot be opened, and, while reading, BadInput when it ends in the middle of its
    compressed data.
    """
    with _open(name) as file:
        yield _lines(name, _unpacked(file))


def _open(name: str) -> io.BufferedReader:
    if name == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)
    try:
        return open(name, "rb")  # noqa: PTH123 -- the caller closes it
    except OSError as error:
        raise Configuration(f"{name} cannot be read: {error.strerror}; expected a file of JSON lines, or -") from error


def _unpacked(file: io.BufferedReader) -> Bytes:
    """By the content, not by the name: standard input has none."""
    return gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == _GZIP_MAGIC else file


def _lines(name: str, file: Bytes) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        while line := file.readline(LONGEST_LINE):
            number += 1
            whole = line
            while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)  # the rest of an endless line goes by unseen
            text = whole.removeprefix(_BYTE_ORDER_MARK).strip() if number == 1 else whole.strip()
            if text:
                yield number, text
    except IsADirectoryError as error:
        raise Configuration(f"{name} is a directory; expected a file of JSON lines") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{name} is damaged after line {number}: {error}; the lines before were published") from error

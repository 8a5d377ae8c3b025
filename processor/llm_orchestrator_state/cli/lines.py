"""Lines of a file or of standard input, plain or gzip."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BadInput, Configuration

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one line: the largest event with every character written as a JSON escape. More is not read into memory."""

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_REST = "what precedes was published; get the whole file, and publish what follows"

Bytes = io.BufferedReader | gzip.GzipFile


class Lines:
    """Numbers, from 1, and bytes of the lines that are not blank.

    size: bytes of the file as it lies there, compressed or not; None where nobody knows.
    Raises BadInput, while reading, when it ends in the middle of its compressed data.
    """

    def __init__(self, name: str, file: io.BufferedReader) -> None:
        self._name = name
        self._file = file
        status = os.fstat(file.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    def done(self) -> int:
        """Bytes of a file whose size is known that were read."""
        return self._file.tell()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return _lines(self._name, _unpacked(self._file))


@contextmanager
def open_lines(name: str) -> Iterator[Lines]:
    """``-`` is standard input. Raises Configuration when the file cannot be opened or is a directory."""
    with _open(name) as file:
        yield Lines(name, file)


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
    except EOFError as error:
        raise BadInput(f"{name} is cut off after line {number}: its compressed data have no end; {_REST}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{name} is damaged after line {number} ({error}); {_REST}") from error

"""The standard streams, which a caller may have closed."""

from __future__ import annotations

import os
import sys

STDOUT_CLOSED = "stdout is closed; let it go to a file, or to /dev/null"


def open_closed_streams() -> bool:
    """Whether there is a stdout. A closed stdin has nothing to read, and what a closed stderr is told nobody gets.

    Their descriptors must not be those of the files and sockets that are opened next.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    closed = sys.stdout is None
    if closed:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    return not closed

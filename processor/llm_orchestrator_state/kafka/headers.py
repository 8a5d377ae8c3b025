"""What the headers of output records say."""

from __future__ import annotations

from .interface import Headers


def source_offset(headers: Headers | None) -> int:
    """Of a record: the last input offset judged for its run; -1 where the header is missing, as in what a rebuild makes."""
    for name, value in headers or ():
        if name == "source-offset":
            return int(value)
    return -1

"""Lists of runs."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import overload

from ...errors import InvalidState
from ...model.records import StateRecord
from ...model.state import WorkflowState
from .decoding import Decoding
from .run import Run

_CURSOR = re.compile(r"(-?\d{1,18})/([0-9a-f-]{36})", re.ASCII).fullmatch

Cursor = tuple[int, bytes]

_order: Callable[[Run], Cursor] = attrgetter("updated_at", "key")
"""Descending: the most recently updated first, and one order among equals."""


class Page(Sequence[WorkflowState]):
    """States as they were when the list was made, the most recently updated first.

    A state is decoded when it is looked at, each time anew: ten thousand are listed in milliseconds, and who needs only
    their ids takes ``ids``.

    cursor: give it to the next call to go on behind the last one; None where this is the end.
    """

    def __init__(self, ids: Sequence[str], values: Sequence[bytes], decoding: Decoding, cursor: str | None) -> None:
        self.ids = ids
        self.cursor = cursor
        self._values = values
        self._decoding = decoding

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> WorkflowState: ...
    @overload
    def __getitem__(self, index: slice) -> Page: ...
    def __getitem__(self, index: int | slice) -> WorkflowState | Page:
        if isinstance(index, slice):
            return Page(self.ids[index], self._values[index], self._decoding, None)
        return self._decoding.state(self._values[index])

    def records(self) -> Iterator[StateRecord]:
        """The states as Avro data: JSON values as text, with the digits that their numbers were given."""
        return map(self._decoding.record, self._values)

    def __repr__(self) -> str:
        return f"<Page of {len(self)} runs, cursor {self.cursor!r}>"


def in_order(runs: Iterable[Run], limit: int | None, behind: Cursor | None) -> tuple[list[Run], str | None]:
    """The first ``limit`` of them behind a cursor, and the cursor behind those."""
    if behind is not None:
        runs = (run for run in runs if _order(run) < behind)
    if limit is None:
        return sorted(runs, key=_order, reverse=True), None
    found = heapq.nlargest(limit + 1, runs, key=_order)
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], f"{last.updated_at}/{last.id}"


def read_cursor(text: str | None) -> Cursor | None:
    """Raises InvalidState for what no list has given."""
    if text is None:
        return None
    found = _CURSOR(text)
    if found is None:
        raise InvalidState(f"cursor {text!r} is none; expected the cursor of a page of runs, as it was given")
    return int(found[1]), found[2].encode()

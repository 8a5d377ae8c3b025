"""Lists of runs."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import overload

from ...errors import InvalidState, NotFound
from ...model.records import StateRecord
from ...model.state import WorkflowState
from .decoding import Decoding
from .run import Run

_CURSOR = re.compile(r"(-?\d{1,18})/([0-9a-f-]{36})", re.ASCII).fullmatch

Cursor = tuple[int, bytes]

_order: Callable[[Run], Cursor] = attrgetter("updated_at", "key")
"""Descending: the most recently updated first, and one order among equals."""


Complete = Callable[[str, StateRecord], StateRecord]
"""Takes a run's id and its state as it was listed, returns it with its large values, or a newer one with those. Blocks for
them. Raises NotFound where the run was deleted since."""


class Page(Sequence[WorkflowState]):
    """States as they were when the list was made, the most recently updated first.

    A state is decoded when it is looked at, each time anew: ten thousand are listed in milliseconds, and who needs only
    their ids takes ``ids``. Then its large values are fetched too, so that a page of any length takes little memory. Where
    such a value has gone since, as the run went on, the state is the newer one; where the run was deleted, looking at it
    by its index raises NotFound, and an iteration leaves it out. When the reader is closed, they are not fetched any more.

    cursor: give it to the next call to go on behind the last one; None where this is the end.
    """

    def __init__(
        self,
        ids: Sequence[str],
        values: Sequence[bytes | StateRecord],
        decoding: Decoding,
        cursor: str | None,
        complete: Complete,
    ) -> None:
        self.ids = ids
        self.cursor = cursor
        self._values = values
        self._decoding = decoding
        self._complete = complete

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> WorkflowState: ...
    @overload
    def __getitem__(self, index: slice) -> Page: ...
    def __getitem__(self, index: int | slice) -> WorkflowState | Page:
        if isinstance(index, slice):
            return Page(self.ids[index], self._values[index], self._decoding, None, self._complete)
        return WorkflowState.from_record(self._record(index))

    def __iter__(self) -> Iterator[WorkflowState]:
        return map(WorkflowState.from_record, self.records())

    def records(self) -> Iterator[StateRecord]:
        """The states as Avro data: JSON values as text, with the digits that their numbers were given."""
        for index in range(len(self)):
            with suppress(NotFound):
                yield self._record(index)

    def bare(self) -> BareStates:
        """As records(), with the references in place of large values: nothing is fetched."""
        return BareStates(self._values, self._decoding)

    def loaded(self) -> Page:
        """The same with all large values in memory, for who may not be blocked later. Without runs deleted since."""
        ids: list[str] = []
        values: list[bytes | StateRecord] = []
        for index, (run_id, value) in enumerate(zip(self.ids, self._values, strict=True)):
            with suppress(NotFound):
                refers = isinstance(value, bytes) and self._decoding.may_refer(value)
                values.append(self._record(index) if refers else value)
                ids.append(run_id)
        return Page(ids, values, self._decoding, self.cursor, self._complete)

    def _record(self, index: int) -> StateRecord:
        value = self._values[index]
        return self._complete(self.ids[index], self._decoding.record(value)) if isinstance(value, bytes) else value

    def __repr__(self) -> str:
        return f"<Page of {len(self)} runs, cursor {self.cursor!r}>"


class BareStates(Sequence[StateRecord]):
    """States as the state topic has them. Each is decoded when it is looked at."""

    def __init__(self, values: Sequence[bytes | StateRecord], decoding: Decoding) -> None:
        self._values = values
        self._decoding = decoding

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> StateRecord: ...
    @overload
    def __getitem__(self, index: slice) -> BareStates: ...
    def __getitem__(self, index: int | slice) -> StateRecord | BareStates:
        if isinstance(index, slice):
            return BareStates(self._values[index], self._decoding)
        value = self._values[index]
        return self._decoding.record(value) if isinstance(value, bytes) else value


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

"""``watch``: every change of runs, as it happens."""

from __future__ import annotations

import select
import signal
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import INTERRUPTED
from ..handlers import handled
from .one_run import canonical, one_run
from .reading import reading
from .run_filters import ActiveOption, LabelOption, StaleOption, StatusOption, WorkflowOption, filters_of
from .session import Session, session
from .terminal import data, say
from .verdict import state_line

if TYPE_CHECKING:
    from ..client.reading import StateReader
    from ..client.reading.filter import Filters
    from ..model.records import StateRecord
    from .run_changes import Seen

LOOK_S = 0.25
"""How soon it is noticed that a signal came, or that the reader of our output has gone, while nothing happens."""

MOST_SEEN = 10_000
"""Runs of which it is kept how they were; of others a change is told as that of a run seen for the first time."""


def watch(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Only this run, beginning with how it is.")] = None,
    *,
    status: StatusOption = None,
    active: ActiveOption = False,
    workflow_id: WorkflowOption = None,
    label: LabelOption = None,
    stale_for: StaleOption = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print complete states, one JSON object a line, as soon as they change.")
    ] = False,
) -> None:
    """Print each change of runs as it happens, until Ctrl-C or SIGTERM.

    A run that was as asked for and is not any more is told once, and so is its deletion. Who reads slowly is told of each
    run only how it is now.
    """
    wanted = filters_of(status=status, active=active, workflow_id=workflow_id, labels=label, stale_for=stale_for)
    run_id = None if run is None else canonical(run)
    call = session(context)
    lines = _Lines(json=json, one_run=run_id is not None, stale_for=stale_for)
    with _ended_by_signals() as end:
        if run_id is None:
            with reading(call, no_cache=True) as runs:
                _follow(call, runs, wanted, lines, end)
        else:
            with one_run(call, run_id, no_cache=True) as (runs, _):
                _follow(call, runs, wanted, lines, end, run_id)
    if end.number == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)


class _EndedError(BaseException):
    """A signal came."""


class _End:
    """number: of the signal that came."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.is_looked_for = False
        """Soon, by whoever waits: an exception could come between a lock and its release, and closing would wait for it."""

    def come(self, number: int, _frame: FrameType | None) -> None:
        is_first, self.number = self.number is None, number
        if not (self.is_looked_for and is_first):
            raise _EndedError


@contextmanager
def _ended_by_signals() -> Iterator[_End]:
    """In good order, also out of a wait and out of a write to a reader that does not read."""
    end = _End()
    with suppress(_EndedError), handled((signal.SIGTERM, signal.SIGINT), end.come):
        yield end


def _follow(
    call: Session, runs: StateReader, wanted: Filters, lines: _Lines, end: _End, run_id: str | None = None
) -> None:
    with runs.watch(**wanted) as changes:
        if run_id is not None:
            lines.print(run_id, runs.record(run_id, values=lines.json), matches=True)
        say(f"watching {run_id or call.topics.state}; Ctrl-C ends")
        while end.number is None and _is_read():
            end.is_looked_for = True
            change = changes.next_record(LOOK_S, values=lines.json)
            end.is_looked_for = False
            if change is not None and run_id in {None, change.run_id}:
                lines.print(change.run_id, change.state, matches=change.matches)


def _is_read() -> bool:
    """Whether whoever reads our output is still there: a pipe's other end; everything else always is."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return not any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


class _Lines:
    """On stdout, one a change, each flushed."""

    def __init__(self, *, json: bool, one_run: bool, stale_for: str | None) -> None:
        self.json = json
        self._one_run = one_run
        self._stale_for = stale_for
        self._seen: OrderedDict[str, Seen | None] = OrderedDict()
        """None of a run that is deleted."""

    def print(self, run_id: str, state: StateRecord | None, *, matches: bool) -> None:
        from .run_changes import Seen
        from .watch_text import print_line

        known, before = run_id in self._seen, self._seen.get(run_id)
        now = None if state is None else Seen.of(state)
        has_grown_stale = self._stale_for is not None and matches
        if known and before == now and not has_grown_stale:
            return  # it was told with the change before
        self._seen[run_id] = now
        self._seen.move_to_end(run_id)
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)
        if self.json:
            data(state_line(run_id, state))
        else:
            what = f"no event for {self._stale_for}" if has_grown_stale else ""
            print_line(run_id, state, before, what, matches=matches, with_run=not self._one_run)
        sys.stdout.flush()

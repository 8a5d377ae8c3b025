"""``history``: what happened to one run, from the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import NotFound
from ..hints import command
from .one_run import RunArgument, canonical, home
from .progress import progress
from .session import Session, session
from .terminal import as_json, data, say

if TYPE_CHECKING:
    from ..engine.history import History, Judged
    from .history_rows import Row


def history(
    context: typer.Context,
    run: RunArgument,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an event.")] = False,
) -> None:
    """Show a run's events in their order, what became of each, how long its steps took, and a timeline.

    Read from the event log and judged as the worker does. Where the log no longer has the run's beginning, only what
    was rejected is known.
    """
    run_id, call = canonical(run), session(context)
    from .history_rows import told_of
    from .history_text import print_history

    partition = home(call, run_id)
    committed = call.log.group_offsets([partition])[partition].offset or 0
    log, judged = _read(call, run_id, partition)
    told = told_of(judged, committed, None if log.complete else _rejected(call, run_id))
    if json:
        for row in told.rows:
            data(as_json(_object(row, run_id, partition)))
    else:
        print_history(told, run_id, partition)
    if not log.complete:
        say(
            f"{_lacking(log, run_id, partition)}: of what was not rejected, nobody can tell what was applied and what was a "
            "duplicate"
        )


def _lacking(log: History, run_id: str, partition: int) -> str:
    if log.rebuilt_from is None:
        return (
            f"the event log begins at offset {log.start} of partition {partition} and no longer has the run's beginning"
        )
    return f"{_where_else(log.rebuilt_from, run_id)} shows what happened before"


def _where_else(origin: str, run_id: str) -> str:
    look_there = command("history", run_id, "--topic-prefix", origin)
    return f"this topic set was rebuilt from the log of {origin!r}, and `{look_there}`"


def _read(call: Session, run_id: str, partition: int) -> tuple[History, list[Judged]]:
    """Raises NotFound, Connection."""
    from ..engine.clock import SystemClock
    from ..engine.history import History
    from .processing import worker_config

    config = worker_config(call, call.log)
    topic = config.topics.events
    end = call.log.log_ranges(topic, [partition])[partition].stable
    with progress("reading the log", "events") as shown:
        log = History(call.log, SystemClock(), config, partition, run_id.encode(), end, shown.update)
        judged = list(log)
    if not judged and log.rebuilt_from is not None:
        raise NotFound(
            f"no event of run {run_id} in {topic}; {_where_else(log.rebuilt_from, run_id)} shows those from before"
        )
    if not judged and log.start:
        raise NotFound(
            f"{topic} begins at offset {log.start} of partition {partition} and has no event of run {run_id}, any more or at "
            f"all; `{command('get', run_id)}` shows whether there is such a run"
        )
    if not judged:
        raise NotFound(f"no event of run {run_id} in {topic}; `{command('list')}` shows the runs there are")
    return log, judged


def _rejected(call: Session, run_id: str) -> dict[int, tuple[str, str]]:
    """Codes and details by offset of the event."""
    from ..client.rejections.reading import Wanted
    from .rejected import rejections_of

    found = rejections_of(call, Wanted(run_id=run_id))
    return {each.address.offset: (each.code, each.detail) for each in found if each.address}


def _object(row: Row, run_id: str, partition: int) -> dict[str, Any]:
    import msgspec

    from ..model.instants import format_instant
    from ..model.kinds import KIND_OF_WORD
    from ..model.payload import payload_problem
    from ..wire.line_writing import format_record

    event = row.event
    words = {kind: word for word, kind in KIND_OF_WORD.items()}
    return {
        "run_id": run_id,
        "partition": partition,
        "offset": row.offset,
        "event_id": event and event["event_id"],
        "type": event and words[event["transition"][0]],
        "occurred_at": event and format_instant(event["occurred_at"]),
        "verdict": row.verdict,
        "code": row.code or None,
        "detail": row.detail or None,
        "version": row.version,
        "step_id": event and event["transition"][1].get("step_id"),
        "attempt": row.attempt,
        "seconds": row.seconds,
        "event": None if event is None or payload_problem(event) else msgspec.Raw(format_record(event)),
    }

"""A run's history as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..model.instants import format_instant
from ..model.kinds import KIND_OF_WORD
from ..model.verdicts import Code
from .columns import Column
from .history_rows import Row, Told
from .state_text import error_text, shortened
from .terminal import counted, data, record, table
from .timeline import labelled, print_timeline, seconds_text

_WORDS = {kind: word for word, kind in KIND_OF_WORD.items()}

_COLOURS = {
    **{str(code): "red" for code in Code},
    "applied": "green",
    "duplicate": "dim",
    "waiting": "yellow",
    "unknown": "dim",
}
"""Of verdicts."""


def print_history(told: Told, run_id: str, partition: int) -> None:
    rows = told.rows
    instants = [row.event["occurred_at"] for row in rows if row.event is not None]
    verdicts = Counter(row.code or row.verdict for row in rows)
    entries = [
        ("run", run_id),
        ("events", f"{counted(len(rows), 'event')} on partition {partition}: {_counts(verdicts)}"),
    ]
    if instants:
        entries.append(("time", f"{format_instant(min(instants))} to {format_instant(max(instants))}"))
    record(entries)
    data(b"")
    with_dates = len({format_instant(at)[:10] for at in instants}) > 1
    columns = [
        Column("offset", right=True, spare=5),
        Column("time (UTC)", spare=2),
        Column("event"),
        Column("step", least=14),
        Column("verdict", least=9, colours=_COLOURS),
        Column("version", right=True, spare=4),
        Column("took", right=True, spare=1),
        Column("detail", least=8, spare=3),
    ]
    table(columns, [_cells(row, with_dates=with_dates) for row in rows])
    if told.spans.stretches or told.spans.attempts:
        data(b"")
        print_timeline(told.spans, min(instants), max(instants))


def _counts(verdicts: Counter[str]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in verdicts.most_common())


def _cells(row: Row, *, with_dates: bool) -> Sequence[str]:
    event = row.event
    if event is None:
        return [str(row.offset), "", "", "", row.code or row.verdict, "", "", row.detail]
    kind, fields = event["transition"]
    step_id = fields.get("step_id", "")
    return [
        str(row.offset),
        _time(event["occurred_at"], with_date=with_dates),
        _WORDS[kind],
        labelled(step_id, row.attempt),
        row.code or row.verdict,
        "" if row.version is None else str(row.version),
        seconds_text(row.seconds),
        row.detail or shortened(_detail(fields)),
    ]


def _time(at: int, *, with_date: bool) -> str:
    """To the millisecond; --json has the whole."""
    date, _, time = format_instant(at - at % 1000).removesuffix("Z").partition("T")
    time = f"{time}.000" if "." not in time else time
    return f"{date} {time}" if with_date else time


def _detail(fields: dict[str, Any]) -> str:
    """What there is to say besides its kind and step."""
    if "error" in fields:
        return error_text(fields["error_type"], fields["error"]) or ""
    for name in ("reason", "workflow_id", "outputs", "patch", "inputs", "checkpoint_id"):
        if fields.get(name) is not None:
            return str(fields[name])
    return ""

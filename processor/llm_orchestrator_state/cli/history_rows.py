"""A run's events with what became of them: the fold's verdicts, as far as they can be known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..client.spans import Spans
from ..engine.history import Judged
from ..model.records import EventRecord
from ..model.verdicts import Rejection, Verdict

REJECTED, WAITING, UNKNOWN = "rejected", "waiting", "unknown"
"""Verdicts besides `applied` and `duplicate`. Nobody has judged the event yet; nobody can tell any more."""

_MAY_HAVE_CHANGED = {Verdict.APPLIED.value, UNKNOWN}


class Row(NamedTuple):
    """code, detail: of a rejection. version: of the run after it, where it was applied. attempt: of its step. seconds: how
    long that took, where this event was its end.
    """

    offset: int
    event: EventRecord | None
    verdict: str
    code: str = ""
    detail: str = ""
    version: int | None = None
    attempt: int | None = None
    seconds: float | None = None


class Told(NamedTuple):
    rows: list[Row]
    spans: Spans


def told_of(history: Iterable[Judged], committed: int, rejected: Mapping[int, tuple[str, str]] | None) -> Told:
    """committed: next offset that a worker will judge. rejected: code and detail by offset, as the rejections topic has
    them; None where the history is complete, and the fold's own verdicts are those of the worker.
    """
    rows: list[Row] = []
    spans, version = Spans(), 0
    for each in history:
        row = _row(each, committed, rejected)
        if row.verdict in _MAY_HAVE_CHANGED and each.event is not None:
            deleted = each.event["transition"][0] == "WorkflowDeleted"
            version = 0 if deleted else version + 1
            span = spans.apply(each.event)
            row = row._replace(
                version=None if deleted or rejected is not None else version,
                attempt=None if span is None else span.attempt,
                seconds=None if span is None else span.seconds,
            )
        rows.append(row)
    return Told(rows, spans)


def _row(each: Judged, committed: int, rejected: Mapping[int, tuple[str, str]] | None) -> Row:
    if each.offset >= committed:
        return Row(each.offset, each.event, WAITING)
    if rejected is not None:
        found = rejected.get(each.offset)
        return (
            Row(each.offset, each.event, UNKNOWN) if found is None else Row(each.offset, each.event, REJECTED, *found)
        )
    if isinstance(each.verdict, Rejection):
        return Row(each.offset, each.event, REJECTED, *each.verdict)
    return Row(each.offset, each.event, each.verdict.value)

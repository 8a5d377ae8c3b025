"""A rejection as text: the event, read as far as it goes, and its run then and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .state_text import brief
from .terminal import as_json, data, record, table

if TYPE_CHECKING:
    from ..client.rejections.differences import Difference
    from ..client.rejections.record import Rejection
    from ..model.records import EventRecord, StateRecord
    from ..wire.dissection import Dissection

HEX_ROW = 16
HEX_BEFORE, HEX_SHOWN = 64, 160
"""Bytes of an event that is not readable: before the place where reading stopped, and in all."""

MOST_TEXT = 2_000
"""Characters of an event that are shown; --json has the whole."""

_TOLD_IN_BRIEF = {"status", "version", "updated_at", "last_event_id", "checkpoint_count"}

_SHOWABLE = range(32, 127)
"""Of ASCII."""


class Then(NamedTuple):
    """The run before the event. unknown: why nothing can be said of it; "" where state says it, None being no run."""

    state: StateRecord | None
    unknown: str = ""


def print_event(found: Rejection, dissected: Dissection, event: EventRecord | None) -> None:
    from ..client.rejections.explanations import explanation
    from ..model.ids import is_uuid
    from ..model.instants import format_instant
    from ..wire.line_writing import format_record

    why, advice = explanation(found.code)
    again = found.redriven_from
    body = found.body or b""
    stopped = _stopped(dissected, body)
    entries = [
        ("rejected", f"{found.code}: {found.detail}"),
        ("why", why),
        ("advice", advice),
        ("run" if is_uuid(found.run_id or "") else "key", found.run_id),
        ("event", found.event_id),
        ("again", again and f"of {again.event_id}, which was rejected at {again.address}"),
        ("place", found.address and f"{found.source_topic}, partition {found.address.partition}, "
                                    f"offset {found.address.offset}"),
        ("at", None if found.rejected_at is None else format_instant(found.rejected_at)),
        ("schema", f"{dissected.framing}; {dissected.schema}" if dissected.schema else dissected.framing),
        ("size", "its bytes are not there any more" if found.body is None and found.sha256 else f"{len(body)} bytes"),
        ("stopped", stopped),
        ("content", None if event is None else _cut(format_record(event).decode())),
    ]  # fmt: skip
    record([(name, value) for name, value in entries if value])
    if event is None and dissected.fields:
        data(b"\nits fields" + (b", as far as they can be read" if stopped else b""))
        record([(name, _value(value)) for name, value in dissected.fields.items()])
    if dissected.stopped_at is not None and body:
        data(b"")
        _print_bytes(body, dissected.stopped_at)


def _stopped(dissected: Dissection, body: bytes) -> str:
    if dissected.stopped_at is None:
        return ""
    where = f", in {dissected.where}" if dissected.where else ""
    return f"at byte {dissected.stopped_at} of {len(body)}{where}: {dissected.reason}"


def _print_bytes(body: bytes, stopped: int) -> None:
    """As hexadecimal digits and characters, around the place where reading stopped, which is marked."""
    begin = max(0, stopped - HEX_BEFORE) // HEX_ROW * HEX_ROW
    end = min(len(body), begin + HEX_SHOWN)
    if begin:
        data(f"          {begin} bytes before".encode())
    for at in range(begin, end, HEX_ROW):
        part = body[at : at + HEX_ROW]
        text = "".join(chr(byte) if byte in _SHOWABLE else "." for byte in part)
        mark = "<" if at <= stopped < at + HEX_ROW else ""
        data(f"{at:08x}  {part.hex(' '):<{3 * HEX_ROW - 1}}  |{text}|{mark}".encode())
    if end < len(body):
        data(f"          {len(body) - end} bytes after; --json has all".encode())


def print_states(now: StateRecord | None, then: Then, changed: list[Difference]) -> None:
    from .columns import Column

    data(b"")
    if then.unknown:
        record([("before", f"not known: {then.unknown}"), ("now", brief(now))])
        return
    same = not changed
    record([("before", brief(then.state)), ("now", "the same" if same else brief(now))])
    if changed and then.state is not None and now is not None:
        data(b"")
        columns = [Column("changed since"), Column("before", least=10), Column("now", least=10)]
        told = [each for each in changed if each.field not in _TOLD_IN_BRIEF]
        table(columns, [[each.field, _value(each.then), _value(each.now)] for each in told])


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and "retry_count" in value:  # a step that is only in one of the two
        return f"{value['status']}, attempt {value['attempt']}"
    return _cut(value if isinstance(value, str) else as_json(value).decode())


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}… (--json has all)"

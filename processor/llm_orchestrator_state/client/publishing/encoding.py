"""Events as model objects → the bytes of the events topic.

Two ways that give the same bytes: a quick one for values of exactly the types that the model names, and, for all
others, the model's own conversion with every check that the processor will make. A test holds them equal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from ...errors import InvalidState
from ...model.events import TransitionEvent
from ...model.instants import to_micros
from ...model.kinds import KINDS, Transition, WorkflowSaved
from ...model.limits import MAX_INT, MAX_JSON_DEPTH
from ...model.payload import payload_problem
from ...model.status import StepStatus, WorkflowStatus
from ...wire import schemas
from ...wire.avro import write_bytes, write_long, write_string, writer
from ...wire.framing import Framing, Registry
from .plain_json import is_plain, refuse_others
from .state_encoding import state_writer

Write = Callable[[Any], bytes]

_RUN_ID = slice(38, 74)
"""Where the run id is in what _ids() gives: behind the event id and both lengths, 36, which Avro writes as an H."""

_json = msgspec.json.Encoder().encode


class _UnusualError(Exception):
    """The value is not for the quick way."""


def _unusual(_value: Any) -> bytes:
    raise _UnusualError


def _ids(event_id: int, run_id: int) -> bytes:
    """Both as Avro strings, by one conversion: quicker than the text of each UUID."""
    h = (event_id << 128 | run_id).to_bytes(32, "big").hex()
    return (
        f"H{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:32]}H{h[32:40]}-{h[40:44]}-{h[44:48]}-{h[48:52]}-{h[52:]}"
    ).encode()


def _json_text(value: Any) -> bytes:
    text = _json(value)
    if not is_plain(value):
        raise _UnusualError
    if len(text) > 2 * MAX_JSON_DEPTH and text.count(b"[") + text.count(b"{") > MAX_JSON_DEPTH:
        raise _UnusualError
    return write_bytes(text)


def _natural(number: Any) -> bytes:
    if type(number) is not int or number < 0:
        raise _UnusualError
    return write_long(number)


def _attempt(number: Any) -> bytes:
    if type(number) is not int or not 1 <= number <= MAX_INT:
        raise _UnusualError
    return write_long(number)


def _map(write_value: Write) -> Write:
    def write(items: Any) -> bytes:
        if not items:
            return b"\0"
        return b"".join([write_long(len(items)), *[_name(k) + write_value(v) for k, v in items.items()], b"\0"])

    return write


_name = lru_cache(1024)(write_string)
"""Names of labels and usage are few, and come again and again."""


_usage, _labels = _map(_natural), _map(write_string)

_QUICK: dict[str, Write] = {
    **dict.fromkeys(("workflow_id", "workflow_name", "user_id", "step_id", "reason", "error", "error_type"), write_string),
    **dict.fromkeys(("context", "patch", "inputs", "outputs"), _json_text),
    "attempt": _attempt,
    "usage": _usage,
    "labels": _labels,
    "state": state_writer(_json_text, _usage, _labels),
}  # fmt: skip


class _Kind(NamedTuple):
    """How the fields of one kind of transition are written: (nullable, write) of each, and what gets their values."""

    branch: bytes
    values: Callable[[Any], tuple[Any, ...]]
    fields: tuple[tuple[bool, Write], ...]


def _kind(index: int, record: schemas.Schema) -> _Kind:
    names = [field["name"] for field in record["fields"]]
    nullable = [isinstance(field["type"], list) for field in record["fields"]]
    writers = [_QUICK.get(name, _unusual) for name in names]
    # two names at least, or it is no tuple that is got
    values = attrgetter(*names) if len(names) > 1 else lambda transition: tuple(getattr(transition, n) for n in names)
    return _Kind(write_long(index), values, tuple(zip(nullable, writers, strict=True)))


_EVENT = schemas.current("TransitionEvent")
_write_event = writer(_EVENT)
(_BRANCHES,) = (field["type"] for field in _EVENT["fields"] if field["name"] == "transition")
_KINDS = {KINDS[record["name"]]: _kind(index, record) for index, record in enumerate(_BRANCHES)}


class EventEncoder:
    """Encodes events, framed for the registry where there is one."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._framing = Framing("TransitionEvent", registry)

    def prepare(self) -> None:
        """Ask the registry, where there is one, for the schema's id. Raises Connection and Configuration."""
        _ = self._framing.header

    def encode(self, event: TransitionEvent) -> tuple[bytes, bytes]:
        """Key and value of the record.

        Raises:
            InvalidState: a value that the model does not allow, or that is not JSON; says which, and what to do.
        """
        try:
            return self._quickly(event)
        except InvalidState:
            raise
        except Exception:  # noqa: BLE001 - whatever it was, the careful way says it, or can write it
            return self._carefully(event)

    def _quickly(self, event: TransitionEvent) -> tuple[bytes, bytes]:
        event_id, run_id = event.event_id, event.run_id
        if type(event_id) is not UUID or type(run_id) is not UUID:
            raise _UnusualError
        ids = _ids(event_id.int, run_id.int)
        expected, token, transition = event.expected_version, event.fencing_token, event.transition
        branch, values, fields = _KINDS[type(transition)]
        if type(transition) is WorkflowSaved and transition.state.id != run_id:
            raise _UnusualError
        parts = [
            self._framing.header,
            ids,
            write_long(to_micros(event.occurred_at)),
            b"\0" if expected is None else b"\2" + _natural(expected),
            b"\0" if token is None else b"\2" + _natural(token),
            branch,
        ]
        for value, (nullable, write) in zip(values(transition), fields, strict=True):
            if not nullable:
                parts.append(write(value))
            elif value is None:
                parts.append(b"\0")
            else:
                parts.append(b"\2" + write(value))
        return ids[_RUN_ID], b"".join(parts)

    def _carefully(self, event: TransitionEvent) -> tuple[bytes, bytes]:
        if not isinstance(event, TransitionEvent):
            raise InvalidState(f"a {type(event).__name__} is no event; give a TransitionEvent")
        kind = type(event.transition).__name__
        if kind not in KINDS:
            raise InvalidState(f"{kind} is no kind of event; give one of {', '.join(KINDS)}")
        refuse_others(event.transition)
        if problem := _type_problem(event):
            raise InvalidState(f"{kind}: {problem}")
        record = event.to_record()
        if problem := payload_problem(record):
            raise InvalidState(f"{kind}: {problem}{_advice(problem, problem)}")
        try:
            value = self._framing.header + _write_event(record)
        except ValueError as error:  # half a surrogate pair, or a number beyond 64 bits
            raise InvalidState(f"{kind} has no Avro form: {error}; correct that value") from None
        return record["run_id"].lower().encode(), value


def _type_problem(event: TransitionEvent) -> str | None:
    """Which value is not of its field's type, in msgspec's words; structs are not checked when they are made."""
    transition: Transition = event.transition
    parts: list[tuple[Any, Any]] = [(getattr(event, name), hint) for name, hint in _ENVELOPE.items()]
    for (value, hint), name in zip([*parts, (transition, type(transition))], [*_ENVELOPE, ""], strict=True):
        try:
            msgspec.convert(msgspec.to_builtins(value), hint)
        except (msgspec.ValidationError, TypeError, ValueError, OverflowError, RecursionError) as error:
            return f"{name + ': ' if name else ''}{error}{_advice(name, str(error))}"
    return None


_ENVELOPE: dict[str, Any] = {
    "event_id": UUID,
    "run_id": UUID,
    "expected_version": int | None,
    "fencing_token": int | None,
}


def _advice(name: str, problem: str) -> str:
    if name.startswith(("run_id", "event_id")):
        return "; give a UUID, such as run_id_for() makes of any text"
    if "enum" in problem:
        run, step = (", ".join(s for s in kind if s != "unknown") for kind in (WorkflowStatus, StepStatus))
        return f"; the statuses of a run are {run}, those of a step {step}"
    return "; correct it, for the processor would reject the event"

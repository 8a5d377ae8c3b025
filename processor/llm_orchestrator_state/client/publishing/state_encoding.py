"""A whole state → the bytes of its Avro record, quickly: as encoding.py does for small events, and with its own checks.

What is not of exactly the types that the model names raises TypeError, and goes the careful way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from ...model.instants import to_micros
from ...model.limits import MAX_INT
from ...model.state import WorkflowState
from ...model.status import StepStatus, WorkflowStatus
from ...model.step import StepState
from ...wire.avro import write_bytes, write_long, write_string

Write = Callable[[Any], bytes]

_NULL = b"\0"
_SET = b"\2"
"""The branch of a nullable field's value."""
_EMPTY = b"\0"
"""A map or an array without items."""


def _symbols(statuses: type[WorkflowStatus | StepStatus]) -> dict[int, bytes]:
    """By identity, so that a text of the same letters is none of them. They stand as in the schema; unknown is not written."""
    return {id(status): write_long(index) for index, status in enumerate(statuses) if status.value != "unknown"}


_RUN_STATUS, _STEP_STATUS = _symbols(WorkflowStatus), _symbols(StepStatus)


def state_writer(write_json: Write, write_usage: Write, write_labels: Write) -> Write:
    """The writers of JSON values and of maps refuse what they may not write, by any exception."""

    def write_state(state: WorkflowState) -> bytes:
        last = state.last_event_id
        _expect(
            type(state) is WorkflowState
            and type(state.id) is UUID
            and (last is None or type(last) is UUID)
            and type(state.recent_event_ids) is bytes
            and state.parent is None
            and state.context_ref is None
            and not state.released_outputs
        )
        token = state.fencing_token
        return b"".join(
            [
                write_string(str(state.id)),
                write_string(state.workflow_id),
                write_string(state.workflow_name),
                _text(state.user_id),
                write_long(to_micros(state.started_at)),
                write_labels(state.labels),
                _NULL,  # parent
                write_json(state.context),
                _NULL,  # context_ref
                _RUN_STATUS[id(state.status)],
                write_long(to_micros(state.updated_at)),
                _instant(state.completed_at),
                _text(state.error),
                _text(state.error_type),
                _text(state.status_reason),
                _count(state.version),
                _NULL if last is None else _SET + write_string(str(last)),
                write_bytes(state.recent_event_ids),
                _NULL if token is None else _SET + write_long(_whole(token)),
                _count(state.checkpoint_count),
                _count(state.output_count),
                _EMPTY,  # released_outputs
                write_usage(state.usage),
                *write_steps(state.steps),
            ]
        )

    def write_steps(steps: dict[str, StepState]) -> list[bytes]:
        if not steps:
            return [_EMPTY]
        return [write_long(len(steps)), *[write_step(key, step) for key, step in steps.items()], _EMPTY]

    def write_step(key: str, step: StepState) -> bytes:
        """The key beats the id inside: see WorkflowState.to_record()."""
        _expect(type(step) is StepState and type(step.step_id) is str and step.outputs_ref is None)
        name = write_string(key)
        outputs = step.outputs
        return b"".join(
            [
                name,
                name,
                _STEP_STATUS[id(step.status)],
                _instant(step.started_at),
                _instant(step.completed_at),
                _NULL if outputs is None else _SET + write_json(outputs),
                _text(step.error),
                _small(step.retry_count),
                _small(step.attempt),
                _text(step.error_type),
                _text(step.status_reason),
                write_usage(step.usage),
                _NULL,  # outputs_ref
            ]
        )

    return write_state


def _expect(usual: bool) -> None:
    if not usual:
        raise TypeError("not for the quick way")


def _whole(number: Any) -> int:
    _expect(type(number) is int)
    return int(number)


def _count(number: Any) -> bytes:
    _expect(type(number) is int and number >= 0)
    return write_long(number)


def _small(number: Any) -> bytes:
    _expect(type(number) is int and 0 <= number <= MAX_INT)
    return write_long(number)


def _text(text: str | None) -> bytes:
    return _NULL if text is None else _SET + write_string(text)


def _instant(instant: Any) -> bytes:
    return _NULL if instant is None else _SET + write_long(to_micros(instant))

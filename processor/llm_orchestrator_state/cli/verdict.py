"""An operator's change of a run: one event, decided on the state just read, and what the workers say of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import Connection, EventRejected, InvalidState
from ..hints import command
from .session import Session
from .state_text import brief
from .terminal import as_json, data, record

if TYPE_CHECKING:
    from ..client.producer import Delivered
    from ..client.reading import StateReader
    from ..model.records import EventRecord, StateRecord
    from ..model.verdicts import Code

TimeoutOption = Annotated[str, typer.Option(metavar="D", help="How long the workers may take to judge it.")]
DEFAULT_TIMEOUT = "30s"

StateJson = Annotated[bool, typer.Option("--json", help="Print the complete new state as a JSON object.")]


def event_on(state: StateRecord, kind: str, fields: dict[str, Any]) -> EventRecord:
    """An event that counts only if nothing else has happened to the run since this state. Raises InvalidState."""
    from uuid import uuid4

    now = time.time_ns() // 1000
    for name, value in fields.items():
        if isinstance(value, str) and not _is_text(value):
            raise InvalidState(f"{name} is {value!r}; expected text in UTF-8")
    return {
        "event_id": str(uuid4()),
        "run_id": state["id"],
        # the end of a failed run was told by another host's clock, and no event from before it resumes the run
        "occurred_at": max(now, state["completed_at"] or now) if kind == "WorkflowResumed" else now,
        "expected_version": state["version"],
        "fencing_token": None,  # who commands does not own the run
        "transition": (kind, fields),
    }


def _is_text(value: str) -> bool:
    """Bytes of the command line that are no UTF-8 are half surrogate pairs in Python."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def change(
    call: Session,
    runs: StateReader,
    state: StateRecord,
    kind: str,
    fields: dict[str, Any],
    timeout_s: float,
    *,
    values: bool,
) -> StateRecord | None:
    """Publish such an event; returns the run's state with it applied, None where it is deleted.

    values: whether with its large ones.

    Raises:
        EventRejected: with what would help.
        Connection: it was not delivered, or not judged in time.
    """
    from ..client.producer import EventProducer

    event = event_on(state, kind, fields)
    delivered: list[Delivered] = []
    topic = call.topics.events
    with EventProducer(
        call.bootstrap_servers, call.settings.properties, topic, call.codec, delivered.append
    ) as producer:
        producer.publish(event)
    try:
        runs.applied(delivered[0], timeout_s)
    except EventRejected as rejected:
        advice = _advice(rejected.code, kind, state["id"])
        raise EventRejected(rejected.code, f"{rejected.detail}; {advice}", rejected.event_id) from None
    except Connection:
        raise Connection(
            f"the event was published, and no worker has judged it within {timeout_s:g} s: "
            f"{who_judges(call, delivered[0].partition)}; it is judged when one comes to it, and counts if the run has not "
            "changed until then"
        ) from None
    return runs.record(state["id"], values=values)


def who_judges(call: Session, partition: int) -> str:
    """Why an event on this partition of the events topic waits, and what to do. Raises Connection."""
    from ..kafka.inspection import group

    found = group(call.admin, call.settings.group)
    if not found.members:
        return f"group {call.settings.group} has no worker, start one with `{command('worker')}`"
    for each in found.members:
        if partition in each.partitions.get(call.topics.events, ()):
            return (
                f"worker {each.instance_id} has partition {partition}, `{command('status')}` shows how far behind it is"
            )
    return (
        f"no worker has partition {partition} (group {call.settings.group} is in state {found.state}), see "
        f"`{command('status')}`"
    )


def _advice(code: Code, kind: str, run_id: str) -> str:
    from ..client.rejections.explanations import explanation
    from ..model.transitions import RULES
    from ..model.verdicts import Code

    if code is Code.VERSION_CONFLICT:
        return (
            f"the run has changed meanwhile: look at it with `{command('get', run_id)}`, and give the command again if it is "
            "still right"
        )
    if code is Code.UNKNOWN_RUN:
        return "the run has been deleted meanwhile"
    if code is Code.ILLEGAL_TRANSITION:
        return f"it takes a run that is {' or '.join(sorted(RULES[kind].runs))}"
    return explanation(code).advice


def tell(before: StateRecord, now: StateRecord | None, *, json: bool, **more: str) -> None:
    """What became of the run. more: lines besides; what is empty is left out."""
    if json:
        data(state_line(before["id"], now))
        return
    entries = {"run": before["id"], "was": brief(before), "now": brief(now) if now else "deleted", **more}
    record([(name, value) for name, value in entries.items() if value])


def state_line(run_id: str, state: StateRecord | None) -> bytes:
    """The complete state as JSON; of a run that is deleted, that it is."""
    from ..model.form_writing import write_state

    return as_json({"id": run_id, "deleted": True}) if state is None else write_state(state)

"""What would become of a rejected event if it were published again now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from ...errors import Serialization
from ...model.fold import APPLIED, fold
from ...model.ids import remembers, short_id
from ...model.payload import payload_problem
from ...model.records import EventRecord, StateRecord
from ...model.verdicts import Code, Verdict
from ...model.verdicts import Rejection as Judgement
from ...wire.codec import Codec
from ...wire.framing import UnknownSchema
from .present import Present
from .record import Rejection, redriven_id


class Outlook(StrEnum):
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    REFUSED = "refused"


class Planned(NamedTuple):
    """What would become of one.

    event_id: under which it is published again; None for one that is refused. REJECTED: by what the run is now; it may
    be different when it is judged. REFUSED: it cannot be right, ever. code, reason: for the last two.
    """

    rejection: Rejection
    outlook: Outlook
    event_id: str | None = None
    code: str = ""
    reason: str = ""


def plan(chosen: Iterable[Rejection], codec: Codec, present: Mapping[bytes, Present], policy: str) -> Iterator[Planned]:
    """For each with its body, in this order, which should be that of the log: one event makes way for the next.

    present: the states of their runs, which change in this. The same event chosen twice, as the first and a later try,
    is planned once.
    """
    states = {key: found.state for key, found in present.items()}
    seen: set[str] = set()
    for rejection in chosen:
        event, refusal = again(rejection, codec)
        if event is None:
            yield Planned(rejection._replace(body=None), Outlook.REFUSED, None, rejection.code, refusal)
        elif event["event_id"] not in seen:
            seen.add(event["event_id"])
            yield _planned(rejection, event, states, policy)


def again(rejection: Rejection, codec: Codec) -> tuple[EventRecord | None, str]:
    """The event with its new id; or None, and why it cannot be right whatever the run's state is."""
    if rejection.body is None and rejection.sha256 is not None:
        return None, "it was too large for its rejection, and the event log no longer has it"
    try:
        event = codec.decode_event(rejection.body)
    except UnknownSchema as error:
        return None, f"its schema is still unknown: {error}"
    except Serialization as error:
        return None, f"it still cannot be read ({error}); what it says has to be published anew"
    if problem := payload_problem(event):
        return (
            None,
            f"it is still invalid ({problem}); correct it, as `rejections show --json` has it, and `publish` that",
        )
    if rejection.key != event["run_id"].lower().encode():
        return (
            None,
            "its key is not its run id and would be rejected again; `publish` what `rejections show --json` has",
        )
    event_id = redriven_id(rejection)
    if event_id is None:
        return None, "its rejection does not name the event's id and place"
    return {**event, "event_id": event_id}, ""


def readable(rejection: Rejection, codec: Codec) -> EventRecord | None:
    """The event as it was published, where it is one that a line of JSON can hold."""
    try:
        event = codec.decode_event(rejection.body)
    except Serialization:
        return None
    return None if payload_problem(event) else event


def _planned(rejection: Rejection, event: EventRecord, states: dict[bytes, StateRecord | None], policy: str) -> Planned:
    key = event["run_id"].lower().encode()
    bare, state = rejection._replace(body=None), states.get(key)
    if state is not None and remembers(state["recent_event_ids"], short_id(rejection.event_id or "")):
        return Planned(bare, Outlook.DUPLICATE, event["event_id"], reason="the event itself was applied later")
    verdict, after = fold(state, event, policy)
    if verdict is APPLIED:
        states[key] = after
        return Planned(bare, Outlook.APPLIED, event["event_id"])
    if isinstance(verdict, Verdict):
        return Planned(bare, Outlook.DUPLICATE, event["event_id"], reason="what it reports is recorded already")
    if reason := _never(verdict, event, state):
        return Planned(bare, Outlook.REFUSED, None, verdict.code, f"{verdict.detail}: {reason}")
    return Planned(bare, Outlook.REJECTED, event["event_id"], verdict.code, verdict.detail)


def _never(verdict: Judgement, event: EventRecord, state: StateRecord | None) -> str:
    """Why this run will never take this event; "" where it may."""
    if state is None:
        return ""
    expected = event["expected_version"]
    if verdict.code is Code.FENCED:
        return "the highest token only grows; publish it with the present one, if it is still true"
    if verdict.code is Code.STALE_ATTEMPT:
        return "a step event is judged by its attempt, whatever its id, and attempts never go back"
    if verdict.code is Code.VERSION_CONFLICT and expected is not None and expected < state["version"]:
        return "versions only grow; read the run again and decide anew"
    return ""

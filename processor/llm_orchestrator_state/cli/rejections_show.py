"""``rejections show``: one rejected event, why it was rejected, and its run then and now."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..hints import command
from .progress import progress
from .rejected import row
from .rejection_text import Then, print_event, print_states
from .session import Session, session
from .terminal import as_json, data, say

if TYPE_CHECKING:
    from ..client.rejections.differences import Difference
    from ..client.rejections.record import Rejection
    from ..model.records import EventRecord, StateRecord
    from ..wire.dissection import Dissection


def show(
    context: typer.Context,
    which: Annotated[
        str,
        typer.Argument(
            metavar="WHICH", help="PARTITION:OFFSET as `rejections list` shows it, an event id or a run id."
        ),
    ],
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object; its event can be given to `publish`.")
    ] = False,
) -> None:
    """Show one rejection: the event, why it was rejected, its run at that moment, and what has changed since.

    Of several that an id names, the newest. The run's state is folded from the event log up to the event.
    """
    from ..client.read import partitions_of
    from ..client.rejections.differences import differences
    from ..client.rejections.outlook import readable
    from ..client.rejections.reading import find, with_bodies
    from ..wire.dissection import dissect_event

    call = session(context)
    topics = call.topics
    bare, others = find(call.log, topics.rejections, partitions_of(call.log.admin, topics.rejections), which)
    (found,) = with_bodies(call.log, topics.rejections, topics.events, [bare])
    dissected, event = dissect_event(found.body, call.registry), readable(found, call.codec)
    now, then = _states(call, found)
    changed = [] if then.unknown else differences(then.state, now)
    if json:
        data(as_json(_object(found, dissected, event, now, then, changed)))
        return
    print_event(found, dissected, event)
    print_states(now, then, changed)
    if others:
        show_them = command("rejections", "list", "--run", found.run_id or "")
        say(f"{others} more of {which}: `{show_them}` shows them")


def _states(call: Session, found: Rejection) -> tuple[StateRecord | None, Then]:
    """Its run now, and as the processor had it when it judged the event."""
    from ..client.rejections.present import present_states
    from ..kafka.partitioner import partition_of
    from ..model.ids import is_uuid
    from ..model.verdicts import Code

    key, address = found.key, found.address
    if key is None or address is None or not is_uuid(found.run_id or ""):
        return None, Then(None, "its key is no run id")
    partitions = _partitions(call)
    present = present_states(call.log, call.topics.state, partitions, call.codec, [key]).get(key)
    now = present.state if present else None
    own = partition_of(key, partitions)
    if own != address.partition:
        return now, Then(None, f"the event is on partition {address.partition}, and its run on {own}")
    if found.code == Code.UNKNOWN_RUN:
        return now, Then(None)
    if present is not None and present.judged <= address.offset:
        return now, Then(now)
    return now, _folded(call, key, address.partition, address.offset)


def _partitions(call: Session) -> int:
    from ..client.read import partitions_of

    return len(partitions_of(call.log.admin, call.topics.state))


def _folded(call: Session, key: bytes, partition: int, offset: int) -> Then:
    from ..engine.clock import SystemClock
    from ..engine.history import History
    from .processing import worker_config

    config = worker_config(call, call.log)
    with progress("folding the log up to the event", "events") as shown:
        history = History(call.log, SystemClock(), config, partition, key, offset, shown.update)
        for _ in history:
            pass  # only where it ends is asked
    if history.complete:
        return Then(history.state())
    return Then(None, "the event log no longer has all of the run's events before this one")


# --- as JSON ----------------------------------------------------------------------------------------------------------


def _object(
    found: Rejection,
    dissected: Dissection,
    event: EventRecord | None,
    now: StateRecord | None,
    then: Then,
    changed: list[Difference],
) -> dict[str, Any]:
    import msgspec

    from ..client.rejections.explanations import explanation
    from ..wire.line_writing import format_record

    def state(each: StateRecord | None) -> Any:
        from ..model.form_writing import write_state

        return None if each is None else msgspec.Raw(write_state(each))

    return {
        **row(found),
        **explanation(found.code)._asdict(),
        "event": None if event is None else msgspec.Raw(format_record(event)),
        "framing": dissected.framing,
        "schema": dissected.schema,
        "fields": dissected.fields,
        "stopped_at": dissected.stopped_at,
        "stopped_in": dissected.where,
        "stopped_because": dissected.reason,
        "bytes": None if found.body is None else b64encode(found.body).decode(),
        "state_then": state(then.state),
        "state_then_unknown": then.unknown,
        "state_now": state(now),
        "differences": [each._asdict() for each in changed],
    }

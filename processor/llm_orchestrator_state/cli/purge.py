"""``purge``: deletes runs that have been over for long."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..errors import Configuration, Connection
from ..units import duration_text, parse_duration
from .confirmation import YesOption, confirm
from .progress import progress
from .reading import reading
from .run_filters import parse_status
from .session import Session, session
from .state_text import COLOURS
from .terminal import as_json, counted, data, say, table
from .verdict import DEFAULT_TIMEOUT, TimeoutOption, event_on, who_judges

if TYPE_CHECKING:
    from ..client.producer import Delivered, EventProducer
    from ..client.reading import Page
    from ..model.records import StateRecord

BATCH = 1_000
"""Events that are waited for together: where nobody judges them, no more is published."""


class Purged(NamedTuple):
    """outcome: matched (nothing was published), deleted, kept (it was rejected, with this code and detail), or waiting
    (it was published, and no worker has judged it). partition: of the events topic.
    """

    state: StateRecord
    outcome: str
    code: str | None = None
    detail: str | None = None
    partition: int | None = None


def purge(
    context: typer.Context,
    *,
    older_than: Annotated[str, typer.Option(metavar="D", help="Not updated for so long, such as 30d.")],
    status: Annotated[str | None, typer.Option(metavar="S", help="Only completed or only failed ones.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing: show which runs it would be.")] = False,
    yes: YesOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a run.")] = False,
) -> None:
    """Delete completed and failed runs, with their checkpoints, that were not updated for so long.

    A run that changes meanwhile is kept. The events stay in the log.
    """
    age_s, timeout_s = parse_duration(older_than), parse_duration(timeout)
    statuses = _statuses(status)
    call = session(context)
    with reading(call, no_cache=False) as runs:
        pages = {each: runs.list(status=each, stale_for=age_s) for each in statuses}
    found = _counted(pages)
    if not any(map(len, pages.values())):
        say(f"no {' or '.join(statuses)} run in {call.topics.state} was not updated for {older_than}")
    elif dry_run:
        _show((Purged(state, "matched") for page in pages.values() for state in page.bare()), json=json)
        say(f"{found} would be deleted")
    else:
        confirm(
            f"delete {found} that were not updated for {older_than}, with their checkpoints?",
            "nothing was deleted",
            yes=yes,
            otherwise=", or --dry-run to see which runs it would be",
        )
        _purge(call, pages, timeout_s, json=json)


def _statuses(status: str | None) -> list[str]:
    if status is None:
        return ["completed", "failed"]
    found = parse_status(status)
    if found.is_active:
        raise Configuration(f"--status is {found}; expected completed or failed, as only runs that are over are purged")
    return [found.value]


def _counted(pages: dict[str, Page]) -> str:
    parts = ", ".join(f"{len(page):,} {status}" for status, page in pages.items() if len(page))
    number = sum(map(len, pages.values()))
    return f"{number:,} {'run' if number == 1 else 'runs'} ({parts})"


def _purge(call: Session, pages: dict[str, Page], timeout_s: float, *, json: bool) -> None:
    total = sum(map(len, pages.values()))
    states = (state for page in pages.values() for state in page.bare())
    numbers: Counter[str] = Counter()
    stuck: Purged | None = None
    with progress("purging", "runs", hidden=json and sys.stdout.isatty()) as shown:
        for batch in _batches(call, states, timeout_s):
            numbers.update(each.outcome for each in batch)
            stuck = next((each for each in batch if each.outcome == "waiting"), None)
            shown.update(numbers.total(), total)
            if json:
                _show(batch, json=True)
            if stuck is not None:
                break
    told = f"{counted(numbers['deleted'], 'run')} deleted"
    if numbers["kept"]:
        told += f", {numbers['kept']} kept, as they have changed meanwhile"
    if stuck is not None and stuck.partition is not None:
        raise Connection(
            f"{told}, and of {counted(numbers['waiting'], 'run')} the deletion was published, but no worker has judged it "
            f"within {timeout_s:g} s: {who_judges(call, stuck.partition)}; give the same command again then"
        )
    say(told)


def _batches(call: Session, states: Iterator[StateRecord], timeout_s: float) -> Iterator[list[Purged]]:
    from ..client.producer import EventProducer
    from ..client.read import partitions_of
    from ..client.rejections.redrive import ends_of

    topics = call.topics
    delivered: list[Delivered] = []
    partitions = partitions_of(call.log.admin, topics.rejections)
    with EventProducer(
        call.bootstrap_servers, call.settings.properties, topics.events, call.codec, delivered.append
    ) as producer:
        while batch := list(islice(states, BATCH)):
            since = ends_of(call.log, topics.rejections, partitions)
            delivered.clear()
            sent = _published(producer, batch)
            yield _judged(call, sent, delivered, since, timeout_s)


def _published(producer: EventProducer, batch: Iterable[StateRecord]) -> dict[str, StateRecord]:
    """By event id, when all are in the log."""
    sent = {}
    for state in batch:
        event = event_on(state, "WorkflowDeleted", {})
        producer.publish(event)
        sent[event["event_id"]] = state
    producer.flush()
    return sent


def _judged(
    call: Session, sent: dict[str, StateRecord], delivered: list[Delivered], since: dict[int, int], timeout_s: float
) -> list[Purged]:
    from ..client.rejections.record import Address
    from ..client.rejections.redrive import wait_for_verdicts

    places = {each.event_id: Address(each.partition, each.offset) for each in delivered}
    known = [place for place in places.values() if place.offset >= 0]  # else the broker has not told where it is
    judged = wait_for_verdicts(call.log, call.topics.rejections, known, since, timeout_s)

    def outcome(event_id: str, state: StateRecord) -> Purged:
        place = places[event_id]
        verdict = judged.get(place)
        if verdict is None:
            return Purged(state, "waiting", partition=place.partition)
        if verdict.code:
            return Purged(state, "kept", verdict.code, verdict.detail, place.partition)
        return Purged(state, "deleted", partition=place.partition)

    return [outcome(event_id, state) for event_id, state in sent.items()]


def _show(purged: Iterable[Purged], *, json: bool) -> None:
    from .columns import Column

    if json:
        for each in purged:
            data(as_json(_object(each)))
        return
    columns = [
        Column("run"), Column("workflow", least=10), Column("status", colours=COLOURS),
        Column("version", right=True, spare=2), Column("updated", right=True, spare=1),
    ]  # fmt: skip
    table(columns, [_row(each.state) for each in purged])


def _row(state: StateRecord) -> list[str]:
    ago = f"{duration_text(time.time() - state['updated_at'] / 1e6)} ago"
    return [state["id"], state["workflow_id"], state["status"], str(state["version"]), ago]


def _object(purged: Purged) -> dict[str, Any]:
    from ..model.instants import format_instant

    state = purged.state
    return {
        "run_id": state["id"],
        "workflow_id": state["workflow_id"],
        "status": state["status"],
        "version": state["version"],
        "updated_at": format_instant(state["updated_at"]),
        "outcome": purged.outcome,
        "code": purged.code,
        "detail": purged.detail,
    }

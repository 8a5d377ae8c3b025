"""``rejections redrive``: rejected events published again, after what was wrong has been put right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Configuration, InvalidState, NotFound
from ..hints import command
from ..units import parse_duration
from .confirmation import YesOption, confirm
from .progress import progress
from .redrive_text import end, outlooks, tell
from .rejected import CodeOption, RunOption, SinceOption, rejections_of, wanted_of
from .session import Session, session
from .terminal import counted, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..client.rejections.outlook import Planned
    from ..client.rejections.reading import Wanted
    from ..client.rejections.record import Address, Rejection
    from ..client.rejections.redrive import Judged

DEFAULT_WAIT = "30s"


def redrive(
    context: typer.Context,
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHICH", help="PARTITION:OFFSET as `rejections list` shows them, or event ids."),
    ] = None,
    *,
    code: CodeOption = None,
    run: RunOption = None,
    since: SinceOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Publish nothing: tell what would become of each, by the runs as they are."),
    ] = False,
    yes: YesOption = False,
    wait: Annotated[
        str, typer.Option(metavar="D", help="How long the workers may take to judge them; 0 does not wait.")
    ] = DEFAULT_WAIT,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an event.")] = False,
) -> None:
    """Publish rejected events again, each with the same key and content and a new id, and tell what became of it.

    The new id is always the same for one rejection, so that doing it twice is a duplicate. What can never be right is
    refused. Exit code 6 when an event was refused or rejected again.
    """
    wait_s = parse_duration(wait)
    wanted = _wanted(which or [], wanted_of(code, run, since))
    call = session(context)
    chosen = rejections_of(call, wanted)
    _refuse_unknown(call, wanted, chosen)
    if not chosen:
        say(f"no rejections in {call.topics.rejections} are as asked for")
        return
    planned = _plan(call, chosen)
    good = [each for each in planned if each.event_id is not None and each.outlook != "duplicate"]
    if dry_run:
        tell(planned, {}, {}, would=True, json=json)
        say(f"{outlooks(planned)}; nothing was published")
        return
    where: dict[Address, Address] = {}
    judged: dict[Address, Judged] = {}
    if good:
        _confirm(planned, good, yes=yes)
        where, judged = _redriven(call, good, wait_s)
    tell(planned, where, judged, would=False, json=json)
    end(planned, where, judged, wait_s)


def _wanted(which: Sequence[str], wanted: Wanted) -> Wanted:
    from ..client.rejections.reading import parse_address
    from ..model.ids import is_uuid

    if not which and wanted == type(wanted)():
        raise Configuration(
            "which rejections is not said; give PARTITION:OFFSET, an event id, --code, --run or --since"
        )
    named: set[Address | str] = set()
    for each in which:
        address = parse_address(each)
        if address is None and not is_uuid(each):
            raise InvalidState(f"{each!r} names no rejection; expected PARTITION:OFFSET or an event id")
        named.add(address or each.lower())
    return wanted._replace(named=frozenset(named)) if named else wanted


def _refuse_unknown(call: Session, wanted: Wanted, chosen: Sequence[Rejection]) -> None:
    from ..client.rejections.reading import Wanted
    from ..model.ids import is_uuid

    known = {each.address for each in chosen} | {(each.event_id or "").lower() for each in chosen}
    missing = sorted(str(each) for each in wanted.named or () if each not in known)
    for each in missing:
        if of_run := rejections_of(call, Wanted(run_id=each)) if is_uuid(each) else []:
            raise NotFound(
                f"{each} is no rejection, but a run with {counted(len(of_run), 'rejection')}; give it as --run: "
                f"`{command('rejections', 'redrive', '--run', each)}`; nothing was published"
            )
    if missing:
        raise NotFound(
            f"no rejection {', '.join(missing)} in {call.topics.rejections} is as asked for; "
            f"`{command('rejections', 'list')}` shows those there are; nothing was published"
        )


def _plan(call: Session, chosen: Sequence[Rejection]) -> list[Planned]:
    from ..client.read import partitions_of
    from ..client.rejections.outlook import plan
    from ..client.rejections.present import present_states
    from ..client.rejections.reading import with_bodies
    from ..kafka.topics import check

    topics = call.topics
    policy = check(call.log.admin, topics).checkpoints
    partitions = len(partitions_of(call.log.admin, topics.state))
    keys = {each.key for each in chosen if each.key}
    present = present_states(call.log, topics.state, partitions, call.codec, keys)
    whole = with_bodies(call.log, topics.rejections, topics.events, chosen)
    with progress("reading", "events") as shown:
        planned = []
        for each in plan(whole, call.codec, present, policy):
            planned.append(each)
            shown.update(len(planned), len(chosen))
        return planned


def _confirm(planned: Sequence[Planned], good: Sequence[Planned], *, yes: bool) -> None:
    if not yes:
        say(f"as the runs are now: {outlooks(planned)}")
    question = f"publish {counted(len(good), 'event')} again?"
    confirm(question, "nothing was published", yes=yes, otherwise=", or --dry-run to see what would happen")


def _redriven(
    call: Session, good: Sequence[Planned], wait_s: float
) -> tuple[dict[Address, Address], dict[Address, Judged]]:
    """Where each is now, by the rejection's own place; and what became of those that were judged, by where they are."""
    from ..client.rejections.reading import with_bodies
    from ..client.rejections.redrive import ends_of, publish_again, wait_for_verdicts
    from ..client.transport import KafkaTransport

    topics = call.topics
    partitions = range(len(_partitions(call)))
    since = ends_of(call.log, topics.rejections, partitions)
    whole = with_bodies(call.log, topics.rejections, topics.events, [each.rejection for each in good])
    transport = KafkaTransport(call.bootstrap_servers, call.settings.properties, topics.events)
    try:
        where = publish_again(whole, call.codec, transport)
    finally:
        transport.close()
    with progress("waiting for the workers", "events") as shown:
        judged = wait_for_verdicts(
            call.log, topics.rejections, where.values(), since, wait_s, lambda done: shown.update(done, len(where))
        )
    return where, judged


def _partitions(call: Session) -> list[int]:
    from ..client.read import partitions_of

    return partitions_of(call.log.admin, call.topics.events)

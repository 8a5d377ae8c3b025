"""What the commands about rejections share: which ones are meant, finding them, and their JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import Configuration, InvalidState
from .one_run import canonical
from .progress import progress
from .session import Session

if TYPE_CHECKING:
    from ..client.rejections.reading import Wanted
    from ..client.rejections.record import Rejection

CodeOption = Annotated[str | None, typer.Option(metavar="CODE", help="Only of this code, such as illegal_transition.")]
RunOption = Annotated[str | None, typer.Option(metavar="RUN", help="Only of this run.")]
SinceOption = Annotated[
    str | None,
    typer.Option(
        metavar="T", help="Only those rejected since then: a duration before now, such as 2h, or an RFC 3339 instant."
    ),
]


def wanted_of(code: str | None, run: str | None, since: str | None) -> Wanted:
    """Raises InvalidState and Configuration for what is no code, run id, duration or instant."""
    from ..client.rejections.reading import Wanted
    from ..model.verdicts import Code

    if code is not None and code.lower() not in set(Code):
        raise InvalidState(f"{code!r} is no code of a rejection; expected one of {', '.join(Code)}")
    return Wanted(
        code=code and code.lower(),
        run_id=None if run is None else canonical(run),
        since=None if since is None else _instant(since),
    )


def _instant(text: str) -> int:
    from ..errors import Serialization
    from ..model.instants import parse_instant
    from ..units import parse_duration

    try:
        return int((time.time() - parse_duration(text)) * 1e6)
    except Configuration:
        try:
            return parse_instant(text, "since")
        except Serialization as error:
            raise Configuration(f"{error}, or a duration before now, such as 2h") from None


def rejections_of(call: Session, wanted: Wanted) -> list[Rejection]:
    from ..client.read import partitions_of
    from ..client.rejections.reading import rejections

    topic = call.topics.rejections
    partitions = partitions_of(call.log.admin, topic)
    with progress("reading", "partitions") as shown:
        return rejections(call.log, topic, partitions, wanted, lambda done: shown.update(done, len(partitions)))


def row(each: Rejection) -> dict[str, Any]:
    """A rejection as JSON. run_id is the record's key, which is what the publisher sent, not checked."""
    from ..model.instants import format_instant

    again = each.redriven_from
    return {
        "at": str(each.address) if each.address else None,
        "code": each.code,
        "detail": each.detail,
        "event_id": each.event_id,
        "run_id": each.run_id,
        "rejected_at": None if each.rejected_at is None else format_instant(each.rejected_at),
        "source_topic": each.source_topic,
        "source_partition": each.address and each.address.partition,
        "source_offset": each.address and each.address.offset,
        "sha256": each.sha256,
        "redriven_from": again and {"at": str(again.address), "event_id": again.event_id},
    }

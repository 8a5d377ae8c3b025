"""``publish``: events from JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadInput, InvalidState, Serialization
from .session import session
from .terminal import as_json, counted, data, progress, say, while_read

if TYPE_CHECKING:
    from ..client.producer import Delivered


def publish(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines, plain or gzip; - reads standard input.")],
    *,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object a delivered event: event_id, run_id, partition, offset."),
    ] = False,
) -> None:
    """Publish the events of a file. Bad lines are reported and left out; exit code 6 when there were any."""
    from ..client.producer import EventProducer
    from ..client.read import partitions_of
    from ..wire.jsonlines import parse_line
    from .lines import open_lines

    call = session(context)
    bad = 0
    with open_lines(file) as lines:  # first of all: a wrong name is told before anything is connected
        partitions_of(call.admin, call.topics.events)
        told = _print if json else None
        publisher = EventProducer(
            call.bootstrap_servers, call.settings.properties, call.topics.events, call.codec, told
        )
        with progress() as shown, publisher:
            task = shown.add_task("publishing", total=None)
            for number, line in lines:
                try:
                    publisher.publish(parse_line(line))
                except (Serialization, InvalidState) as error:
                    bad += 1
                    say(f"{file}:{number}: {error}")
                if number % 1000 == 0:
                    shown.update(task, completed=number)
    say(f"published {counted(publisher.delivered, 'event')} to {call.topics.events}")
    if bad:
        what = "is not an event and was" if bad == 1 else "are not events and were"
        raise BadInput(f"{counted(bad, 'line')} of {file} {what} left out; correct and publish again what was left out")


def _print(delivery: Delivered) -> None:
    with while_read():  # who has gone does not stop what is being published
        data(as_json(delivery._asdict()))

"""``publish``: events from JSON lines."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import BadInput, InvalidState, Serialization
from .session import session
from .terminal import progress, say


def publish(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines, plain or gzip; - reads standard input.")],
) -> None:
    """Publish the events of a file. Bad lines are reported and left out; exit code 6 when there were any."""
    from ..client.publish import Publisher
    from ..client.read import partitions_of
    from ..wire.jsonlines import parse_line
    from .lines import open_lines

    call = session(context)
    bad = 0
    with open_lines(file) as lines:  # first of all: a wrong name is told before anything is connected
        partitions_of(call.admin, call.topics.events)
        publisher = Publisher(call.bootstrap_servers, call.settings.properties, call.topics.events, call.codec)
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
    say(f"published {publisher.delivered} events to {call.topics.events}")
    if bad:
        raise BadInput(f"{bad} lines of {file} are not events and were left out; correct them and publish them again")

"""``publish``: events from JSON lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadInput, InvalidState, Serialization
from .progress import progress
from .session import session
from .terminal import as_json, counted, data, say, while_read

if TYPE_CHECKING:
    from ..client.producer import Delivered

MOST_SHOWN = 20
"""Bad lines that are told one by one: of a file that holds no events, every line is bad."""


def publish(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines, plain or gzip; - reads standard input.")],
    *,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object a delivered event (event_id, run_id, partition, offset) or bad line (line, error).",
        ),
    ] = False,
) -> None:
    """Publish the events of a file. Bad lines are reported and left out; exit code 6 when there were any."""
    from ..client.producer import EventProducer
    from ..client.read import partitions_of
    from ..wire.jsonlines import parse_line
    from .lines import open_lines

    call = session(context)
    bad = _BadLines(file, json=json)
    damage: BadInput | None = None
    with open_lines(file) as lines:  # first of all: a wrong name is told before anything is connected
        partitions_of(call.admin, call.topics.events)
        told = _print if json else None
        producer = EventProducer(call.bootstrap_servers, call.settings.properties, call.topics.events, call.codec, told)
        unit = "lines" if lines.size is None else "bytes"
        with progress("publishing", unit, hidden=json and sys.stdout.isatty()) as shown, producer:
            try:
                for number, line in lines:
                    try:
                        producer.publish(parse_line(line))
                    except (Serialization, InvalidState) as error:
                        bad.add(number, str(error))
                    if number % 1000 == 0:
                        shown.update(number if lines.size is None else lines.done(), lines.size)
            except BadInput as error:
                damage = error  # told when all that precedes it has arrived
    bad.tell_the_rest()
    say(f"published {counted(producer.delivered, 'event')} to {call.topics.events}")
    if damage:
        raise damage
    if bad.number:
        what = "is not an event and was" if bad.number == 1 else "are not events and were"
        raise BadInput(
            f"{counted(bad.number, 'line')} of {file} {what} left out; correct and publish again what was left out"
        )


class _BadLines:
    """Told as they are met: on stderr the first ones only, as JSON all of them."""

    def __init__(self, file: str, *, json: bool) -> None:
        self.number = 0
        self._file = file
        self._json = json

    def add(self, line: int, error: str) -> None:
        self.number += 1
        if self._json:
            with while_read():
                data(as_json({"line": line, "error": error}))
        if self.number <= MOST_SHOWN:
            say(f"{self._file}:{line}: {error}")

    def tell_the_rest(self) -> None:
        if self.number > MOST_SHOWN:
            all_of_them = "" if self._json else " (--json tells all)"
            say(f"{self._file}: and {self.number - MOST_SHOWN} more bad lines{all_of_them}")


def _print(delivered: Delivered) -> None:
    with while_read():  # who has gone does not stop what is being published
        data(as_json(delivered._asdict()))

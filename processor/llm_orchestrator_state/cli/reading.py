"""Reading runs for one command, with a cache: the next command reads only what is new."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Connection, ForeignStore, StateDirectory, StoreLocked
from ..settings import xdg_directory
from .progress import progress
from .session import Session

if TYPE_CHECKING:
    from ..client.reading import Progress, StateReader

log = logging.getLogger(__name__)

STALLED_S = 30.0
"""Nobody waits at a prompt for longer than a broker's restart or an election takes."""

NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache", help="Read the topic from its start, and leave the cache in the user's cache directory alone."
    ),
]


@contextmanager
def reading(call: Session, *, no_cache: bool, partitions: Collection[int] | None = None) -> Iterator[StateReader]:
    """A reader that has read all that was there at the call.

    Raises Connection, also when nothing has come for 30 s; TopicMismatch; Configuration.
    """
    with ExitStack() as open_reader:
        runs = None if no_cache else _cached(call, partitions, open_reader)
        if runs is None:
            runs = open_reader.enter_context(_reader(call, partitions, None))
        with progress("reading", "offsets") as shown:
            stall = _Stall()

            def on_progress(now: Progress) -> None:
                shown.update(now.records, now.records + now.remaining)
                stall.note(now)

            runs.ready(on_progress=on_progress)
        yield runs


def _cached(call: Session, partitions: Collection[int] | None, open_reader: ExitStack) -> StateReader | None:
    """None where the cache cannot be used now: a command is not refused for that."""
    directory = xdg_directory("CACHE") / "runs" / call.admin.cluster_id
    for _ in range(2):
        try:
            return open_reader.enter_context(_reader(call, partitions, directory))
        except StoreLocked:
            log.info("another command uses the cache in %s; reading without it", directory)
            return None
        except ForeignStore:  # of topics of the same names that were there before
            _forget(directory / call.topics.state)
        except StateDirectory as error:
            log.warning(
                "%s; reading without the cache, as with --no-cache; XDG_CACHE_HOME names another place for it", error
            )
            return None
    return None


def _reader(call: Session, partitions: Collection[int] | None, directory: Path | None) -> StateReader:
    from ..client.reading import StateReader

    settings = call.settings
    return StateReader(
        call.bootstrap_servers,
        topic_prefix=settings.topic_prefix,
        directory=directory,
        partitions=partitions,
        group=settings.group,
        schema_registry_url=settings.schema_registry_url,
        schema_registry_properties=settings.schema_registry_properties,
        properties=settings.properties,
    )


def _forget(stores: Path) -> None:
    from ..store.removal import remove

    for path in stores.iterdir():
        remove(path)


class _Stall:
    def __init__(self) -> None:
        self._remaining = -1
        self._since = time.monotonic()

    def note(self, now: Progress) -> None:
        if now.remaining != self._remaining:
            self._remaining, self._since = now.remaining, time.monotonic()
        elif now.remaining and time.monotonic() - self._since > STALLED_S:
            raise Connection(
                f"the state topic could not be read to its end: nothing has come for {STALLED_S:g} s, and {now.remaining} "
                "offsets are left; check the brokers"
            )

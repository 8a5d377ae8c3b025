"""How far a consumer group has come in its input, shown while it works."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from confluent_kafka import KafkaException

from ..kafka.cluster import Cluster

ASK_SECONDS = 0.25
# A pipe is read later, or by a machine: a line now and then is enough.
PLAIN_LINE_SECONDS = 2.0


class Progress(NamedTuple):
    """Events behind the group's committed offsets, and all that there are."""

    done: int
    total: int


def progress_of(cluster: Cluster) -> Progress:
    """Raises KafkaException."""
    topic = cluster.topics.events
    found = cluster.admin.topics([topic])[topic]
    partitions = range(found.partitions if found else 0)
    ranges = cluster.log_ranges(topic, partitions)
    committed = cluster.group_offsets(partitions)
    done = sum((committed[n].offset or ranges[n].start) - ranges[n].start for n in partitions)
    return Progress(done, sum(each.end - each.start for each in ranges.values()))


def watch(cluster: Cluster, working: Callable[[], bool]) -> None:
    """Show the group's progress until it works no more: a bar on a terminal, plain lines elsewhere."""
    with _bar() if sys.stdout.isatty() else _lines() as show:
        while working():
            try:
                show(progress_of(cluster))
            except KafkaException as error:
                # A group's coordinator may be loading, or moving: the worker waits for it too.
                if not error.args[0].retriable():
                    raise
            time.sleep(ASK_SECONDS)  # brokers do not tell when a group commits; they must be asked
        show(progress_of(cluster))


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    with Display(TextColumn("processed"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as display:
        task = display.add_task("", total=None)
        yield lambda progress: display.update(task, completed=progress.done, total=progress.total)


@contextmanager
def _lines() -> Iterator[Callable[[Progress], None]]:
    last_line = time.monotonic()
    shown: Progress | None = None

    def show(progress: Progress) -> None:
        nonlocal last_line, shown
        due = progress.done == progress.total or time.monotonic() - last_line >= PLAIN_LINE_SECONDS
        if due and progress != shown:
            last_line, shown = time.monotonic(), progress
            print(f"processed {progress.done:,} of {progress.total:,} events", flush=True)

    yield show

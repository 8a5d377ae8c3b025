"""``rebuild``: the state again from the event log alone."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import StateDirectory
from .processing import rebuilt_stores, worker_config
from .progress import progress
from .session import Session, session
from .terminal import as_json, data, say, table

if TYPE_CHECKING:
    from ..engine.rebuild import Rebuilt
    from ..kafka.cluster import Cluster
    from ..kafka.format import Format
    from ..kafka.topics import TopicSet

COLUMNS = ("partition", "applied", "duplicate", "rejected", "missing")


def rebuild(
    context: typer.Context,
    *,
    partial: Annotated[
        bool, typer.Option("--partial", help="Also from a log whose start is gone: without the runs begun there.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the stores, in this directory. Default: a new one in the state directory, removed at the end.",
        ),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(metavar="PREFIX", help="Publish states, checkpoints and outputs to this fresh topic set, too."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a partition.")] = False,
) -> None:
    """Replay the event log from its start into fresh stores, and with --into into fresh topics.

    Exit code 10 when the log's start is gone.
    """
    call = session(context)
    flag = "--state-dir" if directory is None else "--directory"
    with _removed_at_the_end(call.settings.state_dir) if directory is None else nullcontext(directory) as place:
        done = _rebuilt(call, place, flag, partial=partial, into=into)
    if json:
        for each in done:
            data(as_json(each))
    else:
        table(COLUMNS, [[str(getattr(each, name)) for name in COLUMNS] for each in done], right=COLUMNS)
    if into is not None:
        say(f"the states, checkpoints and outputs are published to the topics of {into}, on which workers can go on")
    if directory is not None:
        say(f"the stores are in {directory}")
    elif into is None:
        say("the whole log can be folded; the stores were removed, --directory keeps them")


@contextmanager
def _removed_at_the_end(state_dir: Path) -> Iterator[Path]:
    """The name of a directory that nobody else has: nobody asked for the stores, and they are as large as all states."""
    directory = state_dir / f"rebuilt-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}"
    try:
        yield directory
    finally:
        if directory.exists():
            shutil.rmtree(directory)


def _rebuilt(call: Session, directory: Path, flag: str, *, partial: bool, into: str | None) -> list[Rebuilt]:
    """flag: what the directory was given by."""
    from ..engine import rebuild as engine
    from ..engine.clock import SystemClock
    from ..store.directory import make_directory

    cluster = call.member("rebuild")
    config = worker_config(call, cluster)
    engine.missing_events(cluster, config, partial=partial)
    fresh = rebuilt_stores(cluster, directory)
    for path in map(fresh.path, range(config.format.partitions)):
        if path.exists():
            raise StateDirectory(f"{path} exists already; give --directory one without stores")
    # before anything is made in Kafka; the first store is opened before anything is published
    make_directory(directory, instead=f"give another {flag}")
    target = None
    if into is not None:
        target, made = _target(call, cluster, into, config.format.partitions)
        config = engine.folded_for(config, made)
    done: dict[int, Rebuilt] = {}
    with progress("rebuilding", "events") as shown:
        for each in engine.rebuild(cluster, SystemClock(), config, fresh, target):
            done[each.partition] = each
            part = f"partition {each.partition} ({each.partition + 1} of {config.format.partitions})"
            shown.update(each.position - each.missing, each.end - each.missing, part)
    return list(done.values())


def _target(call: Session, cluster: Cluster, prefix: str, partitions: int) -> tuple[TopicSet, Format]:
    """The topic set to publish into, made where it is missing and empty. Raises TopicMismatch."""
    from ..engine.rebuild import refuse_used
    from ..kafka.topics import TopicSet, check, create

    recorded = check(cluster.admin, call.topics)
    target = TopicSet(prefix)
    create(cluster.admin, target, partitions=partitions, checkpoints=recorded.checkpoints)
    refuse_used(cluster, target, partitions)
    # only now: of topics with a log of their own it would be wrong
    return target, create(cluster.admin, target, rebuilt_from=call.topics.prefix)

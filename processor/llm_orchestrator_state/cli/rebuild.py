"""``rebuild``: the state again from the event log alone."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import StateDirectory
from .processing import rebuilt_stores, worker_config
from .session import Session, session
from .terminal import as_json, data, progress, say, table

if TYPE_CHECKING:
    from ..engine.rebuild import Rebuilt
    from ..kafka.cluster import Cluster
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
        typer.Option(metavar="DIR", help="Where the stores are made. Default: a new directory in the state directory."),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(metavar="PREFIX", help="Publish states and checkpoints to this fresh topic set, too."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a partition.")] = False,
) -> None:
    """Replay the event log from its start into fresh stores, and with --into into fresh topics.

    Exit code 10 when the log's start is gone.
    """
    call = session(context)
    directory = directory or call.settings.state_dir / f"rebuilt-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    done = _rebuilt(call, directory, partial=partial, into=into)
    if json:
        for each in done:
            data(as_json(each))
    else:
        table(COLUMNS, [[str(getattr(each, name)) for name in COLUMNS] for each in done], right=COLUMNS)
    say(f"the stores are in {directory}")


def _rebuilt(call: Session, directory: Path, *, partial: bool, into: str | None) -> list[Rebuilt]:
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
    make_directory(
        directory
    )  # before anything is made in Kafka; the first store is opened before anything is published
    target = None if into is None else _target(call, cluster, into, config.format.partitions)
    done: dict[int, Rebuilt] = {}
    with ExitStack() as stack:
        shown = stack.enter_context(progress())
        task = shown.add_task("rebuilding", total=None)
        for each in engine.rebuild(cluster, SystemClock(), config, fresh, target):
            done[each.partition] = each
            shown.update(task, description=f"partition {each.partition}", completed=each.position, total=each.end)
    return list(done.values())


def _target(call: Session, cluster: Cluster, prefix: str, partitions: int) -> TopicSet:
    """The topic set to publish into, made where it is missing and empty. Raises TopicMismatch."""
    from ..engine.rebuild import refuse_used
    from ..kafka.topics import TopicSet, check, create

    recorded = check(cluster.admin, call.topics)
    target = TopicSet(prefix)
    create(cluster.admin, target, partitions=partitions, checkpoints=recorded.checkpoints)
    refuse_used(cluster, target, partitions)
    # only now: of topics with a log of their own it would be wrong
    create(cluster.admin, target, rebuilt_from=call.topics.prefix)
    return target

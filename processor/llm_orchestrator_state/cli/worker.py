"""``worker``: the processor, until it is told to stop or has come to the end of the log."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import INTERRUPTED
from .session import Session, session
from .worker_loop import How, stopping, work

if TYPE_CHECKING:
    from ..engine.progress import Progress


def worker(
    context: typer.Context,
    *,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Up to the end of the log as it is at the start, then end.")
    ] = False,
    keep_membership: Annotated[
        bool,
        typer.Option("--keep-membership", help="Do not leave the group at the end: for a restart within the session."),
    ] = False,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """Fold events into states. SIGTERM finishes the transactions and leaves the group at once.

    With `processes` above 1 they are started and looked after by this one; what dies is started again.
    """
    call = session(context)
    call.client_lines = True
    call.named_lines = supervised
    how = How(until_end, keep_membership)
    if supervised:
        from .worker_processes import work_supervised

        raise typer.Exit(work_supervised(call, how))
    processes = process_count(call)
    if processes > 1:
        from .worker_processes import supervise

        raise typer.Exit(supervise(call, processes, how))
    _work_alone(call, how)


def process_count(call: Session) -> int:
    """As set, else one for each core, and no more than there are partitions. One where an identity is given: so it is
    this process's own, as whoever gave it expects. Raises Connection.
    """
    from ..engine.supervision.cores import cores

    settings = call.settings
    if settings.processes is not None:
        return settings.processes
    if settings.instance_id or (most := cores()) == 1:
        return 1
    from ..kafka.admin import Admin

    events = call.topics.events
    found = Admin(call.bootstrap_servers, settings.properties).topics([events])[events]
    return min(most, found.partitions) if found else 1  # which says what is missing


def _work_alone(call: Session, how: How) -> None:
    from .identity import identity_of

    with stopping() as stop:
        instance_id = identity_of(call.settings).instance_id
        latest: dict[str, Progress] = {}
        if call.settings.metrics_port is not None:
            from .metrics import serve

            serve(call.settings, latest)
        work(call, instance_id, how, stop, lambda progress: latest.update({instance_id: progress}))
    if stop.signal == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)

"""``checkpoints`` and ``restore``: what a run can go back to, and going there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import NotFound
from ..hints import command
from ..units import duration_text, parse_duration, size_text
from .one_run import RunArgument, canonical, one_run
from .session import Session, session
from .state_text import COLOURS
from .terminal import data, say, table
from .verdict import DEFAULT_TIMEOUT, StateJson, TimeoutOption, change, tell

if TYPE_CHECKING:
    from ..client.checkpoints import Kept
    from ..model.records import CheckpointRecord, StateRecord
    from .columns import Column


def checkpoints(
    context: typer.Context,
    run: RunArgument,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print complete checkpoints, one JSON object a line.")] = False,
) -> None:
    """List the checkpoints of a run that are kept, at most ten, the newest last."""
    from ..model.form_writing import write_checkpoint

    run_id, call = canonical(run), session(context)
    with one_run(call, run_id):
        pass  # only that there is such a run is asked
    kept = _kept(call, run_id, values=json)
    if json:
        for each in kept:
            data(write_checkpoint(each.checkpoint))
    elif kept:
        table(_columns(), [_row(each) for each in kept])
    else:
        say(f"run {run_id} has no checkpoints; `{command('topics', 'describe')}` shows when they are made")


def restore(
    context: typer.Context,
    run: RunArgument,
    *,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="ID", help="Which, as `checkpoints` shows it. Default: the newest.")
    ] = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT,
    json: StateJson = False,
) -> None:
    """Take a run back to a checkpoint. Steps that came after it go; the version goes on."""
    run_id, timeout_s = canonical(run), parse_duration(timeout)
    wanted = None if checkpoint is None else canonical(checkpoint, "checkpoint")
    call = session(context)
    with one_run(call, run_id) as (runs, state):
        # with its references: what the run still has is not sent, and not written, a second time
        chosen = _chosen(_kept(call, run_id, values=False), run_id, wanted)
        snapshot = chosen["snapshot"]
        fields = {"checkpoint_id": chosen["id"], "snapshot": snapshot}
        now = change(call, runs, state, "WorkflowRestored", fields, timeout_s, values=json)
    to = f"checkpoint {chosen['id']} of step {chosen['step_id']}, version {chosen['version']}"
    tell(state, now, json=json, to=to, gone=_gone(state, snapshot))


def _gone(state: StateRecord, snapshot: StateRecord) -> str:
    later = [step_id for step_id in state["steps"] if step_id not in snapshot["steps"]]
    return f"steps that came later: {', '.join(later)}" if later else ""


def _kept(call: Session, run_id: str, *, values: bool) -> list[Kept]:
    from ..client.checkpoints import complete_checkpoints, kept_checkpoints
    from ..client.read import partitions_of

    partitions = len(partitions_of(call.log.admin, call.topics.checkpoints))
    kept = complete_checkpoints if values else kept_checkpoints
    return kept(call.log, call.topics, partitions, call.codec, run_id)


def _chosen(kept: list[Kept], run_id: str, wanted: str | None) -> CheckpointRecord:
    for each in reversed(kept):
        if wanted in {None, each.checkpoint["id"]}:
            return each.checkpoint
    if wanted is None:
        raise NotFound(f"run {run_id} has no checkpoint to go back to")
    raise NotFound(
        f"run {run_id} has no checkpoint {wanted}; `{command('checkpoints', run_id)}` shows those that are kept"
    )


def _columns() -> list[Column]:
    from .columns import Column

    return [
        Column("checkpoint"),
        Column("step", least=8),
        Column("version", right=True),
        Column("run was", spare=2, colours=COLOURS),
        Column("made", right=True),
        Column("size", right=True, spare=1),
    ]


def _row(kept: Kept) -> list[str]:
    made = kept.checkpoint
    return [
        made["id"],
        made["step_id"],
        str(made["version"]),
        made["snapshot"]["status"],
        f"{duration_text(time.time() - made['timestamp'] / 1e6)} ago",
        size_text(kept.bytes),
    ]

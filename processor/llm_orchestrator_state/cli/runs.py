"""``get`` and ``list``: runs, read from the state topic, so from any machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidState, NotFound
from ..units import duration_text, parse_duration
from .reading import NoCache, reading
from .session import session
from .terminal import data, record, say, table

if TYPE_CHECKING:
    from ..client.reading.filter import Filters
    from ..model.records import StateRecord, StepRecord
    from ..model.status import WorkflowStatus
    from .columns import Column

COLOURS = {
    "pending": "dim", "running": "cyan", "paused": "yellow", "completed": "green", "failed": "red", "skipped": "dim",
}  # fmt: skip
"""Of statuses on a terminal."""


def get(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")],
    *,
    no_cache: NoCache = False,
    json: Annotated[bool, typer.Option("--json", help="Print the complete state as a JSON object.")] = False,
) -> None:
    """Show one run. Reads only its partition of the state topic; exit code 9 when there is no such run."""
    run_id = canonical(run)
    from ..client.read import partitions_of
    from ..kafka.partitioner import partition_of
    from ..model.form_writing import write_state

    call = session(context)
    topic = call.topics.state
    partition = partition_of(run_id.encode(), len(partitions_of(call.admin, topic)))
    with reading(call, no_cache=no_cache, partitions=[partition]) as runs:
        state = runs.record(run_id)
    if state is None:
        raise NotFound(f"no run {run_id} in {topic}; `list` shows the runs there are")
    if json:
        data(write_state(state))
    else:
        _show(state)


def list_(
    context: typer.Context,
    *,
    status: Annotated[
        str | None,
        typer.Option(metavar="S", help="Only of this status: pending, running, paused, completed or failed."),
    ] = None,
    active: Annotated[bool, typer.Option("--active", help="Only pending, running and paused ones.")] = False,
    workflow_id: Annotated[str | None, typer.Option(metavar="W", help="Only of this workflow definition.")] = None,
    stale_for: Annotated[
        str | None,
        typer.Option(
            metavar="D", help="Only those without an event for so long, such as 15m; active ones unless --status."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most so many.")] = None,
    no_cache: NoCache = False,
    json: Annotated[bool, typer.Option("--json", help="Print complete states, one JSON object a line.")] = False,
) -> None:
    """List runs, the most recently updated first; all of them unless told otherwise."""
    from ..model.form_writing import write_state

    if status is not None and active:
        raise typer.BadParameter("give --status or --active, not both")
    wanted: Filters = {
        "status": None if status is None else _status(status),
        "active": active,
        "workflow_id": workflow_id,
        "stale_for": None if stale_for is None else parse_duration(stale_for),
    }
    call = session(context)
    topic = call.topics.state
    with reading(call, no_cache=no_cache) as runs:
        page = runs.list(limit=limit, **wanted)
    if json:
        for state in page.records():
            data(write_state(state))
    elif page:
        table(_run_columns(), map(_row, page.records()))
    else:
        say(f"no runs in {topic} are as asked for" if any(wanted.values()) else f"no runs in {topic}")


def _status(text: str) -> WorkflowStatus:
    from ..model.status import WorkflowStatus

    try:
        return WorkflowStatus.parse(text)
    except InvalidState as error:
        raise InvalidState(
            f"{error}; expected pending, running, paused, completed or failed (a cancelled run is failed, with the "
            "error_type cancelled)"
        ) from None


def canonical(text: str) -> str:
    """The run id as Kafka has it as a key. Raises InvalidState."""
    from uuid import UUID

    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidState(
            f"run id {text!r} is not a UUID; expected one such as 6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
        ) from None


def _show(state: StateRecord) -> None:
    from ..model.instants import format_instant

    entries: list[tuple[str, str | None]] = [
        ("run", state["id"]),
        ("workflow", f"{state['workflow_id']} ({state['workflow_name']})"),
        ("status", _with_reason(state["status"], state["status_reason"])),
        ("error", _error(state["error_type"], state["error"])),
        ("user", state["user_id"]),
        ("created", format_instant(state["started_at"])),
        ("updated", format_instant(state["updated_at"])),
        ("completed", None if state["completed_at"] is None else format_instant(state["completed_at"])),
        ("version", str(state["version"])),
        ("parent", f"{state['parent']['id']} step {state['parent']['step_id']}" if state["parent"] else None),
        ("labels", _pairs(state["labels"])),
        ("usage", _pairs(state["usage"])),
        ("context", _shortened(state["context"])),
    ]
    record([(name, value) for name, value in entries if value])
    if state["steps"]:
        table(_step_columns(), [_step_row(step) for step in state["steps"].values()])


def _run_columns() -> list[Column]:
    from .columns import Column

    return [
        Column("run"),
        Column("workflow", least=10),
        Column("status", colours=COLOURS),
        Column("steps", right=True, spare=3),
        Column("version", right=True, spare=4),
        Column("updated", right=True, spare=2),
        Column("error", least=12, spare=1),
    ]


def _step_columns() -> list[Column]:
    from .columns import Column

    return [
        Column("step"),
        Column("status", least=9, colours=COLOURS),
        Column("attempt", right=True, spare=2),
        Column("retries", right=True, spare=4),
        Column("took", right=True, spare=1),
        Column("outputs", least=12, spare=3),
        Column("error", least=20),
    ]


def _row(state: StateRecord) -> Sequence[str]:
    steps = state["steps"].values()
    done = sum(step["status"] in {"completed", "skipped"} for step in steps)
    return (
        state["id"],
        state["workflow_id"],
        _with_reason(state["status"], None),
        f"{done}/{len(steps)}",
        str(state["version"]),
        f"{duration_text(time.time() - state['updated_at'] / 1e6)} ago",
        _shortened(_error(state["error_type"], state["error"]) or ""),
    )


def _step_row(step: StepRecord) -> Sequence[str]:
    began, ended = step["started_at"], step["completed_at"]
    return (
        step["step_id"],
        _with_reason(step["status"], step["status_reason"]),
        str(step["attempt"]),
        str(step["retry_count"]),
        "" if began is None or ended is None else f"{(ended - began) / 1e6:.3f} s",
        _shortened(step["outputs"] or ""),
        _shortened(_error(step["error_type"], step["error"]) or ""),
    )


def _with_reason(status: str, reason: str | None) -> str:
    return f"{status} ({_shortened(reason)})" if reason else status


def _error(kind: str | None, text: str | None) -> str | None:
    return f"{kind}: {text}" if kind and text else kind or text


def _pairs(values: dict[str, str] | dict[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _shortened(text: str, longest: int = 80) -> str:
    """Enough to recognise it; --json has the whole."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

"""``get`` and ``list``: runs, read from the state topic, so from any machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..units import duration_text
from .one_run import RunArgument, canonical, one_run
from .reading import NoCache, reading
from .run_filters import ActiveOption, LabelOption, StaleOption, StatusOption, WorkflowOption, filters_of
from .session import session
from .state_text import COLOURS, error_text, shortened, with_reason
from .terminal import data, record, say, table

if TYPE_CHECKING:
    from ..model.records import StateRecord, StepRecord
    from .columns import Column


def get(
    context: typer.Context,
    run: RunArgument,
    *,
    no_cache: NoCache = False,
    json: Annotated[bool, typer.Option("--json", help="Print the complete state as a JSON object.")] = False,
) -> None:
    """Show one run. Reads only its partition of the state topic; exit code 9 when there is no such run."""
    run_id = canonical(run)
    from ..model.form_writing import write_state

    with one_run(session(context), run_id, no_cache=no_cache, values=True) as (_, state):
        pass  # what is printed must not keep the cache from others
    if json:
        data(write_state(state))
    else:
        _show(state)


def list_(
    context: typer.Context,
    *,
    status: StatusOption = None,
    active: ActiveOption = False,
    workflow_id: WorkflowOption = None,
    label: LabelOption = None,
    stale_for: StaleOption = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most so many.")] = None,
    no_cache: NoCache = False,
    json: Annotated[bool, typer.Option("--json", help="Print complete states, one JSON object a line.")] = False,
) -> None:
    """List runs, the most recently updated first; all of them unless told otherwise."""
    from ..model.form_writing import write_state

    wanted = filters_of(status=status, active=active, workflow_id=workflow_id, labels=label, stale_for=stale_for)
    call = session(context)
    topic = call.topics.state
    with reading(call, no_cache=no_cache) as runs:
        page = runs.list(limit=limit, **wanted)
        if json:
            for state in page.records():
                data(write_state(state))
            return
    # a table shows no values, and what is printed must not keep the cache from others
    if page:
        table(_run_columns(), map(_row, page.bare()))
    else:
        say(f"no runs in {topic} are as asked for" if any(wanted.values()) else f"no runs in {topic}")


def _show(state: StateRecord) -> None:
    from ..model.instants import format_instant

    entries: list[tuple[str, str | None]] = [
        ("run", state["id"]),
        ("workflow", f"{state['workflow_id']} ({state['workflow_name']})"),
        ("status", with_reason(state["status"], state["status_reason"])),
        ("error", error_text(state["error_type"], state["error"])),
        ("user", state["user_id"]),
        ("created", format_instant(state["started_at"])),
        ("updated", format_instant(state["updated_at"])),
        ("completed", None if state["completed_at"] is None else format_instant(state["completed_at"])),
        ("version", str(state["version"])),
        ("parent", f"{state['parent']['id']} step {state['parent']['step_id']}" if state["parent"] else None),
        ("labels", _pairs(state["labels"])),
        ("usage", _pairs(state["usage"])),
        ("context", shortened(state["context"])),
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
        with_reason(state["status"], None),
        f"{done}/{len(steps)}",
        str(state["version"]),
        f"{duration_text(time.time() - state['updated_at'] / 1e6)} ago",
        shortened(error_text(state["error_type"], state["error"]) or ""),
    )


def _step_row(step: StepRecord) -> Sequence[str]:
    began, ended = step["started_at"], step["completed_at"]
    return (
        step["step_id"],
        with_reason(step["status"], step["status_reason"]),
        str(step["attempt"]),
        str(step["retry_count"]),
        "" if began is None or ended is None else f"{(ended - began) / 1e6:.3f} s",
        shortened(step["outputs"] or ""),
        shortened(error_text(step["error_type"], step["error"]) or ""),
    )


def _pairs(values: dict[str, str] | dict[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())

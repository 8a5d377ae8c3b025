"""``pause``, ``resume``, ``fail`` and ``delete``: what an operator does to one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..units import parse_duration
from .confirmation import YesOption, confirm
from .one_run import RunArgument, canonical, one_run
from .session import session
from .state_text import brief
from .verdict import DEFAULT_TIMEOUT, StateJson, TimeoutOption, change, tell

if TYPE_CHECKING:
    from ..model.records import StateRecord


def pause(
    context: typer.Context,
    run: RunArgument,
    *,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; the state shows it.")] = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT,
    json: StateJson = False,
) -> None:
    """Pause a pending or running run. Its orchestrator has to look at the state and to wait."""
    _change(context, run, "WorkflowPaused", {"reason": reason}, timeout, json=json)


def resume(
    context: typer.Context,
    run: RunArgument,
    *,
    timeout: TimeoutOption = DEFAULT_TIMEOUT,
    json: StateJson = False,
) -> None:
    """Let a paused or failed run go on. Its orchestrator has to take it up."""
    _change(context, run, "WorkflowResumed", {}, timeout, json=json)


def fail(
    context: typer.Context,
    run: RunArgument,
    *,
    error: Annotated[str, typer.Option(metavar="TEXT", help="What went wrong.")],
    error_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="cancelled, timed_out or an exception's class.")
    ] = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT,
    json: StateJson = False,
) -> None:
    """End a run that is not over as failed, such as one that was cancelled or whose orchestrator is gone."""
    _change(context, run, "WorkflowFailed", {"error": error, "error_type": error_type}, timeout, json=json)


def delete(
    context: typer.Context,
    run: RunArgument,
    *,
    yes: YesOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT,
    json: StateJson = False,
) -> None:
    """Delete a run and its checkpoints. Its events stay in the log."""

    def ask(state: StateRecord) -> None:
        question = f"delete run {state['id']} of {state['workflow_id']} ({brief(state)}) and its checkpoints?"
        confirm(question, "nothing was deleted", yes=yes)

    _change(context, run, "WorkflowDeleted", {}, timeout, json=json, before=ask)


def _change(
    context: typer.Context,
    run: str,
    kind: str,
    fields: dict[str, Any],
    timeout: str,
    *,
    json: bool,
    before: Callable[[StateRecord], None] = lambda _state: None,
) -> None:
    run_id, timeout_s = canonical(run), parse_duration(timeout)
    call = session(context)
    with one_run(call, run_id) as (runs, state):
        before(state)
        now = change(call, runs, state, kind, fields, timeout_s, values=json)
    tell(state, now, json=json)

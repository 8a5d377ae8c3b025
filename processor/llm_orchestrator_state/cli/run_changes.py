"""What has changed in a run, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Self

from .state_text import error_text, shortened, with_reason

if TYPE_CHECKING:
    from ..model.records import StateRecord, StepRecord

MOST_TOLD = 4
"""Steps of one change: where a worker has caught up with a long log, hundreds change at once."""

TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
COST = "cost_micro_usd"


class Seen(NamedTuple):
    """What is kept of a run to tell its next change. steps: status and attempt."""

    version: int
    status: str
    steps: Mapping[str, tuple[str, int]]
    usage: Mapping[str, int]
    context: int
    checkpoints: int

    @classmethod
    def of(cls, state: StateRecord) -> Self:
        return cls(
            state["version"],
            state["status"],
            {step_id: (step["status"], step["attempt"]) for step_id, step in state["steps"].items()},
            dict(state["usage"]),
            _context(state),
            state["checkpoint_count"],
        )


def changes_text(before: Seen | None, state: StateRecord) -> str:
    """before: None of a run that is seen for the first time, of which its last event is told as far as its instant says.

    `classify completed, +14 tokens`
    """
    told = list(_of_run(before, state))
    steps = list(_of_steps(before, state))
    told += steps[:MOST_TOLD]
    if len(steps) > MOST_TOLD:
        told.append(f"{len(steps) - MOST_TOLD} more steps")
    if before is not None:
        if _context(state) != before.context:
            told.append("context updated")
        told += _of_usage(before.usage, state["usage"])
        if not told and state["checkpoint_count"] > before.checkpoints:
            told.append("checkpoint")
    return ", ".join(told) or f"version {state['version']}"


def _context(state: StateRecord) -> int:
    """What tells it from another one."""
    ref = state["context_ref"]
    return hash(state["context"] if ref is None else ref["sha256"])


def _of_run(before: Seen | None, state: StateRecord) -> Iterator[str]:
    if state["version"] == 1:
        yield f"created: {state['workflow_id']}"
    elif (state["completed_at"] == state["updated_at"]) if before is None else (before.status != state["status"]):
        error = error_text(state["error_type"], state["error"]) if state["status"] == "failed" else None
        yield with_reason(state["status"], state["status_reason"] or error)


def _of_steps(before: Seen | None, state: StateRecord) -> Iterator[str]:
    for step_id, step in state["steps"].items():
        if _has_changed(before, step_id, step, state["updated_at"]):
            yield _step_text(step_id, step)
    if before is not None:
        yield from (f"{step_id} gone" for step_id in before.steps if step_id not in state["steps"])


def _has_changed(before: Seen | None, step_id: str, step: StepRecord, updated_at: int) -> bool:
    if before is None:
        return updated_at in {step["started_at"], step["completed_at"]}
    return before.steps.get(step_id) != (step["status"], step["attempt"])


def _step_text(step_id: str, step: StepRecord) -> str:
    text = f"{step_id} {step['status']}"
    if step["attempt"] > 1:
        text += f" (attempt {step['attempt']})"
    why = step["status_reason"] or (
        error_text(step["error_type"], step["error"]) if step["status"] == "failed" else None
    )
    return f"{text}: {shortened(why)}" if why else text


def _of_usage(before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[str]:
    """A restored run may have used less."""
    more = {name: now.get(name, 0) - before.get(name, 0) for name in {**before, **now}}
    if tokens := sum(more.pop(name, 0) for name in TOKENS):
        yield f"{tokens:+,} tokens"
    if cost := more.pop(COST, 0):
        yield f"{cost / 1e6:+.4f} USD"
    yield from (f"{number:+,} {name}" for name, number in more.items() if number)

"""A run in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.records import StateRecord

COLOURS = {
    "pending": "dim", "running": "cyan", "paused": "yellow", "completed": "green", "failed": "red", "skipped": "dim",
}  # fmt: skip
"""Of statuses on a terminal."""


def brief(state: StateRecord | None) -> str:
    """`running, version 7, updated 2026-01-05T09:30:01Z, steps: 2 completed, 1 running`"""
    from ..model.instants import format_instant

    if state is None:
        return "no such run"
    steps: dict[str, int] = {}
    for step in state["steps"].values():
        steps[step["status"]] = steps.get(step["status"], 0) + 1
    told = ", ".join(f"{number} {status}" for status, number in steps.items())
    why = state["status_reason"] or error_text(state["error_type"], state["error"])
    return (
        f"{with_reason(state['status'], why)}, version {state['version']}, "
        f"updated {format_instant(state['updated_at'])}{', steps: ' if told else ''}{told}"
    )


def with_reason(status: str, reason: str | None) -> str:
    return f"{status} ({shortened(reason)})" if reason else status


def error_text(kind: str | None, text: str | None) -> str | None:
    return f"{kind}: {text}" if kind and text else kind or text


def shortened(text: str, longest: int = 80) -> str:
    """Enough to recognise it; --json has the whole."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

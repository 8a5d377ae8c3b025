"""What the demo ends with: what became of the runs, and how fast."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from .acts import Verified
from .live import seconds_text
from .outcome import failures, rejected, slowest_steps, statuses, workflows
from .screen import Screen
from .settling import percentiles
from .stage import Stage
from .stream import Streamed
from .usage import Usage

MOST = 5
"""Rows of a table: the ones that matter most."""

MOST_FAILURES = 8


class Summary(NamedTuple):
    """states, rejections: as `list --json` and `rejections list --json` print them."""

    states: list[Any]
    rejections: list[Any]

    @classmethod
    def read(cls, stage: Stage) -> Self:
        """Raises CommandFailed."""
        return cls(stage.commands.read("list", quiet=True), stage.commands.read("rejections", "list", quiet=True))


def show_summary(screen: Screen, found: Summary, verified: Verified, streamed: Streamed | None) -> None:
    """streamed: of the story; None of a file."""
    screen.heading("What happened")
    counts = statuses(found.states)
    by_status = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    rows = [
        ("runs", f"{counts.total():,}: {by_status}" if counts else "none"),
        ("events", f"{verified.applied:,} applied, {verified.duplicate:,} duplicates, {verified.rejected:,} rejected"),
    ]
    if (usage := Usage.sum(Usage.of(state["usage"]) for state in found.states)).tokens:
        rows.append(("tokens", str(usage)))
    screen.names_and_values([*rows, *(_pace(streamed) if streamed else ()), ("time", screen.durations())])
    _show_failures(screen, found)
    _show_steps(screen, found)
    _show_workflows(screen, found)
    _show_rejections(screen, found)


def _pace(streamed: Streamed) -> list[tuple[str, str]]:
    simulated = streamed.simulated
    rate = simulated["events"] / simulated["seconds"]
    rows = [("throughput", f"{rate:,.0f} events/s published and folded, {streamed.fastest:,.0f}/s when it caught up")]
    while_up = [
        each.latency for each in streamed.settled if each.visible < streamed.killed or each.published > streamed.level
    ]
    if found := percentiles(while_up, (0.5, 0.99)):
        rows.append(
            (
                "latency",
                f"p50 {seconds_text(found[0])}, p99 {seconds_text(found[1])} from an event to its visible state",
            )
        )
    longest = max((each.latency for each in streamed.settled), default=0.0)
    rows.append(
        (
            "the kill",
            f"{seconds_text(streamed.level - streamed.killed)} until level; no event waited longer than {seconds_text(longest)}",
        )
    )
    crashed, zombies = simulated["crashed"], simulated["zombie_events"]
    rows.append(
        (
            "crashes",
            f"{crashed} orchestrators died; others resumed {simulated['runs_resumed']} runs, and {zombies} events of a zombie were fenced",
        )
    )
    return rows


def _show_failures(screen: Screen, found: Summary) -> None:
    rows = failures(found.states)
    if rows:
        screen.heading("Why runs failed")
        shown = [(f"{each.runs:,}", each.error_type, each.run, each.error) for each in rows[:MOST_FAILURES]]
        screen.table([("runs", "error type", "the last one", "its error"), *shown], right=[0], spare=[3])


def _show_steps(screen: Screen, found: Summary) -> None:
    rows = slowest_steps(found.states)
    if rows:
        screen.heading("Slowest steps")
        shown = [
            (f"{each.median:.1f} s", f"{each.longest:.1f} s", f"{each.times:,}", each.step, each.run, each.workflow)
            for each in rows[:MOST]
        ]
        screen.table(
            [("median", "longest", "times", "step", "in run", "workflow"), *shown], right=[0, 1, 2], spare=[5, 2]
        )


def _show_workflows(screen: Screen, found: Summary) -> None:
    rows = workflows(found.states)
    if rows:
        screen.heading("Most expensive workflows")
        shown = [
            (f"{each.usage.tokens:,}", f"${each.usage.cost / 1e6:,.2f}", f"{each.runs:,}", each.run, each.workflow_id)
            for each in rows[:MOST]
        ]
        screen.table([("tokens", "cost", "runs", "most in run", "workflow"), *shown], right=[0, 1, 2], spare=[3])


def _show_rejections(screen: Screen, found: Summary) -> None:
    rows = rejected(found.rejections)
    if rows:
        screen.heading("Rejected events, by code")
        shown = [(f"{each.events:,}", each.code, each.run or "", each.detail) for each in rows]
        screen.table([("events", "code", "the first one's run", "its detail"), *shown], right=[0], spare=[3])

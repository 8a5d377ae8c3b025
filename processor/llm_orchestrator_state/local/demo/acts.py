"""Acts that the story and the demo of a file share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import Different
from .commands import CommandFailed
from .stage import Stage

SHOWN = 8
"""Of many differences: what fits on a screen with the rest."""


class Verified(NamedTuple):
    """What `verify` has counted, over all partitions."""

    events: int
    applied: int
    duplicate: int
    rejected: int
    runs: int


def create_topics(stage: Stage) -> int:
    """How many partitions they have. Raises CommandFailed."""
    (made,) = stage.commands.read("topics", "create")
    prefix, partitions = stage.settings.topic_prefix, int(made["partitions"])
    stage.screen.fact(f"{prefix}.events, {prefix}.state and four more topics, {partitions} partitions each")
    return partitions


def verify(stage: Stage) -> Verified:
    """Raises CommandFailed where there is a difference, after telling it."""
    screen = stage.screen
    screen.act("verify", "The whole log is folded once more, from its start: is every state right?")
    reports = stage.commands.read("verify", tolerated=Different.exit_code)
    found = Verified(*(sum(report[name] for report in reports) for name in Verified._fields))
    different = sum(report["different"] for report in reports)
    screen.fact(
        f"{found.events:,} events: {found.applied:,} applied, {found.duplicate:,} duplicate, {found.rejected:,} rejected"
    )
    screen.fact(
        f"{found.runs:,} runs in the log's fold, the state topic and the store: {different:,} differences",
        "red" if different else "green",
    )
    named = [each for report in reports for each in report["differences"]]
    for each in named[:SHOWN]:
        screen.fact(f"run {each['run']}: {each['where']}: {each['what']}")
    if different:
        raise CommandFailed(Different.exit_code)
    return found


def compare_with_published(stage: Stage, verified: Verified, simulated: Mapping[str, Any]) -> None:
    """The simulator knows what has to become of each event that it has published.

    Raises CommandFailed where something else has.
    """
    verdicts = Counter(simulated["verdicts"])
    foretold = (verdicts.pop("applied", 0), verdicts.pop("duplicate", 0), verdicts.total())
    found = (verified.applied, verified.duplicate, verified.rejected)
    if found != foretold:
        stage.screen.fact(
            "what the orchestrators have published comes to {:,} applied, {:,} duplicate, {:,} rejected".format(
                *foretold
            ),
            "red",
        )
        raise CommandFailed(Different.exit_code)
    stage.screen.fact("what the orchestrators have published comes to the same: nothing lost, nothing twice", "green")

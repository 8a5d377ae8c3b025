"""What has become of the runs, worked out from their states and the rejections as `list --json` and `rejections list
--json` print them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...model.instants import parse_instant
from .usage import Usage

State = Mapping[str, Any]


class SlowStep(NamedTuple):
    """A step by its name, without the key of a branch or round. median, longest: seconds; run: of the longest."""

    workflow: str
    step: str
    times: int
    median: float
    longest: float
    run: str


class Failure(NamedTuple):
    """Runs that failed with the same type of error. error, run: of the last of them."""

    error_type: str
    runs: int
    error: str
    run: str


class Workflow(NamedTuple):
    """A definition, over all of its runs. run: its most expensive one."""

    workflow_id: str
    runs: int
    usage: Usage
    run: str


class Rejected(NamedTuple):
    """Events rejected with the same code. detail, run: of the first one."""

    code: str
    events: int
    detail: str
    run: str | None


def statuses(states: Iterable[State]) -> Counter[str]:
    return Counter(state["status"] for state in states)


def slowest_steps(states: Iterable[State]) -> list[SlowStep]:
    """The slowest first, by their median."""
    took: defaultdict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for state in states:
        for step in state["steps"].values():
            if step["started_at"] and step["completed_at"]:
                seconds = (_micros(step["completed_at"]) - _micros(step["started_at"])) / 1e6
                took[state["workflow_id"], step["step_id"].partition("[")[0]].append((seconds, state["id"]))
    found = []
    for (workflow, step), times in took.items():
        times.sort()
        found.append(SlowStep(workflow, step, len(times), times[len(times) // 2][0], *times[-1]))
    return sorted(found, key=lambda step: -step.median)


def failures(states: Iterable[State]) -> list[Failure]:
    """The most frequent first."""
    failed: defaultdict[str, list[State]] = defaultdict(list)
    for state in states:
        if state["status"] == "failed":
            failed[state["error_type"] or ""].append(state)
    found = []
    for error_type, runs in failed.items():
        last = max(runs, key=lambda state: _micros(state["updated_at"]))
        found.append(Failure(error_type, len(runs), last["error"] or "", last["id"]))
    return sorted(found, key=lambda failure: -failure.runs)


def workflows(states: Iterable[State]) -> list[Workflow]:
    """The one with the most tokens first; without those that have none."""
    spent: defaultdict[str, list[tuple[Usage, str]]] = defaultdict(list)
    for state in states:
        spent[state["workflow_id"]].append((Usage.of(state["usage"]), state["id"]))
    found = [
        Workflow(name, len(runs), Usage.sum(usage for usage, _ in runs), max(runs, key=lambda run: run[0].tokens)[1])
        for name, runs in spent.items()
    ]
    return sorted((each for each in found if each.usage.tokens), key=lambda workflow: -workflow.usage.tokens)


def rejected(rejections: Sequence[Mapping[str, Any]]) -> list[Rejected]:
    """The most frequent first."""
    first: dict[str, Mapping[str, Any]] = {}
    for each in rejections:
        first.setdefault(each["code"], each)
    counts = Counter(each["code"] for each in rejections)
    return [Rejected(code, count, first[code]["detail"], first[code]["run_id"]) for code, count in counts.most_common()]


def _micros(instant: str) -> int:
    return parse_instant(instant, "an instant of a state")

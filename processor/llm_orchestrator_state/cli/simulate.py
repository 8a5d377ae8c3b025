"""``simulate``: orchestrators that publish, as processes."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Configuration
from .progress import progress
from .session import session
from .terminal import as_json, counted, data, record

if TYPE_CHECKING:
    from ..local.simulator.simulation import Outcome, Progress


def simulate(
    context: typer.Context,
    *,
    runs: Annotated[int, typer.Option(min=1, metavar="N", help="Runs in all, sub-workflows included.")] = 200,
    rate: Annotated[
        str, typer.Option(metavar="EVENTS", help="Events a second over all orchestrators, or max: as fast as it goes.")
    ] = "200",
    orchestrators: Annotated[
        int, typer.Option(min=1, max=64, metavar="K", help="Processes that publish at the same time.")
    ] = 2,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=10**9, metavar="S", help="The same seed makes the same events. Default: another one each time."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT",
            help="When the first run began, such as 2026-01-05T09:30:00Z. Default: just so long ago that all is over.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Publish what orchestrators of LLM agents do: retries, pauses, crashes, a zombie; see `worker` for who folds it."""
    from ..client.read import partitions_of
    from ..local.interrupts import raised_as_keyboard_interrupt
    from ..local.simulator.plan import Plan
    from ..local.simulator.simulation import Simulation
    from ..model.instants import parse_instant
    from ..model.limits import MAX_INSTANT

    pace = events_a_second(rate)
    plan = Plan(seed=secrets.randbelow(10**6) if seed is None else seed, runs=runs, orchestrators=orchestrators)
    began = None if start is None else parse_instant(start, "--start")
    if began is not None and began + plan.longest > MAX_INSTANT:
        raise Configuration(f"--start is {start}; expected an instant from which all runs end before the year 10000")
    call = session(context)
    partitions_of(call.admin, call.topics.events)
    simulation = Simulation(plan, call.settings, call.bootstrap_servers, rate=pace, start=began)
    with raised_as_keyboard_interrupt(), progress("simulating", "runs") as shown:

        def show(now: Progress) -> None:
            shown.update(now.runs, runs, f"{now.events:,} events")

        outcome = simulation.run(show)
    if json:
        data(as_json(outcome._asdict() | {"seed": plan.seed}))
    else:
        _print(outcome, plan.seed)


def events_a_second(text: str) -> float | None:
    """Raises Configuration."""
    if text == "max":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise Configuration(f"--rate is {text!r}; expected events a second, such as 500, or max")
    return rate


def _print(outcome: Outcome, seed: int) -> None:
    rejections = {code: number for code, number in outcome.verdicts.items() if code not in {"applied", "duplicate"}}
    record([
        ("events", f"{outcome.events:,} in {outcome.seconds:.1f} s, {outcome.events / max(outcome.seconds, 1e-3):,.0f} a second"),
        ("runs", f"{outcome.runs:,}: {_counts(outcome.statuses)}"),
        ("orchestrators", f"{outcome.orchestrators}, {outcome.crashed} crashed; {counted(outcome.runs_resumed, 'run')} resumed"),
        ("zombie", f"{counted(outcome.zombie_events, 'event')} with an old fencing token"),
        ("duplicates", f"{outcome.verdicts.get('duplicate', 0):,}"),
        ("to be rejected", _counts(rejections) or "nothing"),
        ("times", "the instants and durations that these runs tell are simulated"),
        ("seed", str(seed)),
    ])  # fmt: skip


def _counts(numbers: dict[str, int]) -> str:
    ordered = sorted(numbers.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{number:,} {name}" for name, number in ordered)

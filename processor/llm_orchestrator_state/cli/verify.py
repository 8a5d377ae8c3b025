"""``verify``: whether log, topics and local store agree."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Different
from ..printable import escaped
from .processing import stores, worker_config
from .progress import progress
from .session import Session, session
from .terminal import as_json, counted, data, say, table, while_read

if TYPE_CHECKING:
    from ..engine.verify import PartitionReport


def verify(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a partition.")] = False,
) -> None:
    """Fold the event log again and compare it, run by run, with the state and outputs topics and the local store.

    Writes nothing to any; workers may go on meanwhile. Exit code 7, with every difference, when they do not agree.
    """
    reports = []
    for report in _reports(session(context), hidden=json and sys.stdout.isatty()):
        reports.append(report)
        if json:
            with while_read():  # the exit code is the answer, also for who reads no more
                data(as_json(report))
    if not json:
        with while_read():
            _show(reports)
    if unknown := sum(report.not_verifiable for report in reports):
        say(f"{counted(unknown, 'run')} of {sum(report.runs for report in reports)} could not be verified: "
            "their first events are not in this log")  # fmt: skip
    if different := sum(map(_different_runs, reports)):
        what = "is" if different == 1 else "are"
        raise Different(
            f"{counted(different, 'run')} {what} not the same in the event log, the topics made of it and the local store; "
            f"{_advice(reports)}"
        )


def _advice(reports: list[PartitionReport]) -> str:
    from ..engine.verify import OUTPUTS_TOPIC, STATE_TOPIC

    places = {each.where for report in reports for each in report.differences}
    if wrong := sorted(places & {STATE_TOPIC, OUTPUTS_TOPIC}, reverse=True):
        # the local store may be the only copy
        return (
            f"the {' and the '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} not right: rebuild the states from the event "
            "log into a new topic set (rebuild --into)"
        )
    return "a local store is restored from the state topic when its directory is removed"


def _different_runs(report: PartitionReport) -> int:
    """A run that differs in two places is one; of those that are not named, each counts as one."""
    return len({each.run for each in report.differences}) + report.different - len(report.differences)


def _reports(call: Session, *, hidden: bool) -> Iterator[PartitionReport]:
    """hidden: no progress is shown."""
    from ..engine import verify as engine
    from ..engine.clock import SystemClock

    cluster = call.log
    config = worker_config(call, cluster)
    local = stores(cluster, call.settings.state_dir)
    with (
        tempfile.TemporaryDirectory(prefix="llm-orchestrator-state-verify-") as directory,
        progress("verifying", "events", hidden=hidden) as shown,
    ):
        scratch = stores(cluster, Path(directory))
        for partition in range(config.format.partitions):
            fold, kept = scratch.open(partition), local.open_read_only(partition)
            part = f"partition {partition} ({partition + 1} of {config.format.partitions})"
            shown.update(0, None, part)
            try:
                yield engine.verify(
                    cluster, SystemClock(), config, partition, fold, kept, partial(shown.update, what=part)
                )
            finally:
                fold.close()
                if kept:
                    kept.close()
            scratch.clear(partition)  # a scratch store is as large as the state it proves


def _show(reports: list[PartitionReport]) -> None:
    from .columns import Column

    names = ["partition", "events", "not_judged", "applied", "duplicate", "rejected", "runs", "not_verifiable", "in_flight",
             "store", "different"]  # fmt: skip
    spare = {"duplicate": 3, "applied": 2, "rejected": 1}
    rows = [[str(getattr(report, name)) for name in names] for report in reports]
    if len(reports) > 1:
        sums = [str(sum(getattr(report, name) for report in reports)) for name in names[1:-2]]
        rows.append(["all", *sums, "", str(sum(report.different for report in reports))])
    columns = [Column(n.replace("_", " "), right=n != "store", spare=spare.get(n, 0)) for n in names]
    table(columns, rows)
    for report in reports:
        for each in report.differences:
            data(escaped(f"partition {report.partition}, run {each.run}: {each.where}: {each.what}").encode())
        if report.different > len(report.differences):
            data(f"partition {report.partition}: {report.different - len(report.differences)} more".encode())

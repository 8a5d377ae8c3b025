"""The work: is there a worker, is it behind, does anything hold it up, what does it reject."""

from __future__ import annotations

from collections.abc import Iterator

from ...engine.recovery import BROKER_SCAN_S
from ...errors import OffsetMismatch
from ...hints import command
from ...units import duration_text
from ..deployment import Deployment
from ..findings import Finding, failure, ok, warning
from ..status import Status
from ..wording import partitions_text

LATE_S = 60.0
"""A working worker judges an event within milliseconds; what waits for so long is not just under way."""


def workers(deployment: Deployment) -> Iterator[Finding]:
    return worker_findings(deployment.status)


def worker_findings(status: Status) -> Iterator[Finding]:
    if not status.workers:
        yield warning("workers", f"none in group {status.group}", f"start one: {command('worker')}")
        return
    shown = "; ".join(
        f"{each.instance_id} on {each.host} ({partitions_text(each.partitions)})" for each in status.workers
    )
    yield ok("workers", shown)
    unowned = [each.partition for each in status.partitions if each.owner is None]
    if status.group_state != "Stable":
        yield warning("workers", f"the group is in state {status.group_state}", "look again in a few seconds")
    elif unowned:
        yield warning(
            "workers",
            f"{partitions_text(unowned)} of the events topic has no worker",
            "start or stop any worker: the group then assigns all anew",
        )


def lag(deployment: Deployment) -> Iterator[Finding]:
    return lag_findings(deployment.status)


def lag_findings(status: Status) -> Iterator[Finding]:
    misfits = [
        each
        for each in status.partitions
        if each.committed is not None and not each.start <= each.committed <= each.end
    ]
    for each in misfits:
        yield failure(
            "offsets",
            f"{status.prefix}.events[{each.partition}]: the group's offset is {each.committed}, the log has {each.start} to {each.end}",
            "set the offset to where it belongs, or rebuild into a new topic set (README, Recovery)",
            OffsetMismatch,
        )
    if status.lag == 0:
        yield ok("lag", "every event is judged")
        return
    since = status.waiting_since
    age = 0.0 if since is None else status.at - since
    found = f"{status.lag:,} events wait, the oldest for {duration_text(age)}"
    if not status.workers:
        yield warning("lag", f"{found}, and no worker runs", f"start one: {command('worker')}")
    elif age > LATE_S:
        yield warning(
            "lag",
            found,
            f"see `{command('status')}` for the partitions, and the workers' logs; start more workers, up to one a partition",
        )
    else:
        yield ok("lag", found)


def transactions(deployment: Deployment) -> Iterator[Finding]:
    return transaction_findings(deployment.status, deployment.settings.transaction_timeout + BROKER_SCAN_S)


def transaction_findings(status: Status, longest_s: float) -> Iterator[Finding]:
    """longest_s: until when the brokers abort an abandoned one by themselves."""
    hanging = [
        each for each in status.open_transactions if each.since is not None and status.at - each.since > longest_s
    ]
    for each in hanging:
        assert each.since is not None
        yield failure(
            "transactions",
            f"{each.topic}[{each.partition}]: open at offset {each.offset} for {duration_text(status.at - each.since)}; readers see nothing behind it",
            "start a worker: it ends what a dead one left open; of another program's: kafka-transactions find-hanging, then abort",
            OffsetMismatch,
        )
    if not hanging:
        under_way = len(status.open_transactions)
        yield ok("transactions", f"none hangs{f', {under_way} under way' if under_way else ''}")


def rejections(deployment: Deployment) -> Iterator[Finding]:
    return rejection_findings(deployment.status)


def rejection_findings(status: Status) -> Iterator[Finding]:
    found = status.rejections
    if found.recent.number == 0:
        yield ok("rejections", f"none in the last hour, {found.kept.text()} in all")
        return
    codes = ", ".join(f"{code} {number:,}" for code, number in found.codes.items())
    yield warning(
        "rejections",
        f"{found.recent.text()} in the last hour ({codes}), {found.kept.text()} in all",
        f"see what and why: {command('rejections', 'list')}",
    )

"""``worker``: the processor, until it is told to stop or has come to the end of the log."""

from __future__ import annotations

import logging
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from .session import Session, session

if TYPE_CHECKING:
    from ..engine.worker import Progress, Worker
    from ..kafka.cluster import Cluster
    from ..settings import Settings

log = logging.getLogger(__name__)

STEP_S = 0.5
"""Longest wait for events, and so for a signal to be noticed."""

REPORT_S = 10.0
"""How often progress is logged while there is some."""

INTERRUPTED = 128 + signal.SIGINT


def worker(
    context: typer.Context,
    *,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Up to the end of the log as it is at the start, then end.")
    ] = False,
) -> None:
    """Fold events into states. SIGTERM finishes the transaction and leaves the group at once."""
    call = session(context)
    call.client_lines = True
    with _stopping() as stop:
        cluster = call.member(_instance_id(call.settings))
        running = _started(call, cluster)
        ends = _ends(cluster) if until_end else None
        _run(running, stop, ends)
    if stop.signal == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)


class _Stop:
    """The signal that asked this process to end; None as long as there was none."""

    signal: int | None = None

    def __call__(self, signum: int, _: FrameType | None) -> None:
        self.signal = signum
        signal.signal(signum, signal.SIG_DFL)  # who asks a second time does not want to wait


@contextmanager
def _stopping() -> Iterator[_Stop]:
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _instance_id(settings: Settings) -> str:
    """As given, else from the host's name and the first slot of the state directory that is free."""
    from ..store.slots import claim_slot

    if settings.instance_id:
        return settings.instance_id
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:80] or "host"
    return f"{host}-{claim_slot(settings.state_dir)}"


def _started(call: Session, cluster: Cluster) -> Worker:
    """A worker on topics that are as they must be. Raises TopicMismatch, StateDirectory, Connection."""
    from ..engine.clock import SystemClock
    from ..engine.config import WorkerConfig
    from ..engine.worker import Worker
    from ..kafka.topics import check
    from ..store.rocks import RocksStores

    settings, topics = call.settings, cluster.topics
    recorded = check(cluster.admin, topics)
    config = WorkerConfig(
        topics=topics,
        format=recorded,
        codec=call.codec,
        transactional_id=cluster.transactional_id,
        commit_interval_s=settings.commit_interval,
        cache_bytes=settings.cache_bytes,
        tombstones_live_s=int(cluster.admin.topic_settings([topics.state])[topics.state]["delete.retention.ms"]) / 1000,
        transaction_timeout_s=settings.transaction_timeout,
    )
    stores = RocksStores(settings.state_dir, topics.events, cluster.identity())
    log.info("worker %s of group %s on %s", cluster.instance_id, cluster.group, topics.events)
    return Worker(cluster, stores, SystemClock(), config)


def _ends(cluster: Cluster) -> dict[int, int]:
    topic = cluster.topics.events
    found = cluster.admin.topics([topic])[topic]
    assert found is not None  # it was checked
    return {partition: known.end for partition, known in cluster.log_ranges(topic, range(found.partitions)).items()}


def _run(running: Worker, stop: _Stop, ends: dict[int, int] | None) -> None:
    """Until a signal, or the ends. Whatever stops it, the group is left and the stores are closed."""
    import time

    try:
        report_at = time.monotonic() + REPORT_S
        while stop.signal is None and (ends is None or not running.at_end(ends)):
            running.step(STEP_S)
            if time.monotonic() >= report_at:
                report_at = time.monotonic() + REPORT_S
                _report(running.progress())
    except BaseException:
        _close_after_failure(running)
        raise
    running.close()
    _report(running.progress())


def _close_after_failure(running: Worker) -> None:
    """The others shall not wait for the session time-out; what goes wrong now is told, and hides nothing."""
    try:
        running.close()
    except Exception as error:  # noqa: BLE001 -- whatever stopped the worker may stop this too
        log.warning("leaving the group failed as well: %s", error)


def _report(progress: Progress) -> None:
    log.info(
        "partitions %s: %d applied, %d duplicate, %d rejected, %d commits",
        ", ".join(map(str, progress.partitions)) or "none",
        progress.counts.applied,
        progress.counts.duplicate,
        progress.counts.all_rejected,
        progress.commits,
    )

"""One process's work: the loop around engine.worker, until a signal or the end of the log."""

from __future__ import annotations

import gc
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from ..handlers import handled
from .processing import stores, worker_config
from .session import Session

if TYPE_CHECKING:
    from ..engine.progress import Progress
    from ..engine.worker import Worker
    from ..kafka.cluster import Cluster

log = logging.getLogger(__name__)

STEP_S = 0.5
"""Longest wait for events, and so for a signal to be noticed."""

REPORT_S = 10.0
"""How often progress is logged while there is some."""

LOOK_S = 1.0
"""How often the worker's figures are taken for the log and for Prometheus."""

COLLECT_S = 60.0
"""Between two garbage collections."""


class How(NamedTuple):
    """until_end: up to the end of the log as it is at the start. keep_membership: do not leave the group at the end."""

    until_end: bool
    keep_membership: bool


class Stop:
    """signal: the one that asked this process to end; None as long as there was none."""

    signal: int | None = None

    def __call__(self, signum: int, _: FrameType | None) -> None:
        self.signal = signum
        signal.signal(signum, signal.SIG_DFL)  # who asks a second time does not want to wait


@contextmanager
def stopping() -> Iterator[Stop]:
    stop = Stop()
    with handled((signal.SIGTERM, signal.SIGINT), stop):
        yield stop


def work(call: Session, instance_id: str, how: How, stop: Stop, tell: Callable[[Progress], object]) -> None:
    """tell: is given the worker's figures now and then. Raises what stops a worker: errors.StateError, KafkaException."""
    cluster = call.member(instance_id)
    running = _started(call, cluster)
    ends = _ends(cluster) if how.until_end else None
    with _no_automatic_collection():
        _run(running, stop, ends, tell)
    last = running.progress()
    running.close(keep_membership=how.keep_membership)
    _report(last)


def _started(call: Session, cluster: Cluster) -> Worker:
    """A worker on topics that are as they must be. Raises TopicMismatch, StateDirectory, Connection."""
    from ..engine.clock import SystemClock
    from ..engine.worker import Worker

    config = worker_config(call, cluster)
    log.info("worker %s of group %s on %s", cluster.instance_id, cluster.group, cluster.topics.events)
    return Worker(cluster, stores(cluster, call.settings.state_dir, call.settings.memory), SystemClock(), config)


def _ends(cluster: Cluster) -> dict[int, int]:
    topic = cluster.topics.events
    found = cluster.admin.topics([topic])[topic]
    assert found is not None  # it was checked
    return {partition: known.end for partition, known in cluster.log_ranges(topic, range(found.partitions)).items()}


def _run(running: Worker, stop: Stop, ends: dict[int, int] | None, tell: Callable[[Progress], object]) -> None:
    """Until a signal, or the ends. Whatever else stops it, the group is left and the stores are closed."""
    look_at = report_at = 0.0
    collect_at = time.monotonic() + COLLECT_S
    reported: Progress | None = None
    try:
        while stop.signal is None and (ends is None or not running.at_end(ends)):
            running.step(STEP_S)
            now = time.monotonic()
            if now < look_at:
                continue
            look_at = now + LOOK_S
            if now >= collect_at:
                gc.collect()
                collect_at = now + COLLECT_S
            progress = running.progress()
            tell(progress)
            if now >= report_at and progress.commits != (reported.commits if reported else 0):
                report_at, reported = now + REPORT_S, progress
                _report(progress)
    except BaseException:
        _close_after_failure(running)
        raise


@contextmanager
def _no_automatic_collection() -> Iterator[None]:
    """The states that are kept live long and hold no cycles; collecting again and again costs up to 15 % (measured)."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


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

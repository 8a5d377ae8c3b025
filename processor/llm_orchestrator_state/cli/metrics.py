"""The figures of a worker's processes for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..errors import Configuration
from ..settings import PROGRAM, Settings

if TYPE_CHECKING:
    from ..engine.progress import Progress

PREFIX = PROGRAM.replace("-", "_")

WORKER = "worker"
"""The label with a process's identity in the group. `instance` is Prometheus's own: the address it scrapes."""


def serve(settings: Settings, latest: Mapping[str, Progress], restarts: Mapping[str, int] | None = None) -> None:
    """From a thread of its own, where there is a metrics_port; see WorkerMetrics.

    Raises Configuration when address or port cannot be had.
    """
    if settings.metrics_port is None:
        return
    registry = CollectorRegistry()
    registry.register(WorkerMetrics(latest, restarts or {}))
    address, port = settings.metrics_address, settings.metrics_port
    try:
        start_http_server(port, address, registry=registry)
    except OSError as error:
        raise Configuration(
            f"metrics cannot be served at {address}, port {port}: {error.strerror}; give another metrics_port, or a "
            "metrics_address that this machine has"
        ) from error


class WorkerMetrics(Collector):
    """latest: the last snapshot of each process that runs; the server's thread never looks into a worker. restarts: of
    each process that is supervised. Both by identity, and filled by another thread.
    """

    def __init__(self, latest: Mapping[str, Progress], restarts: Mapping[str, int]) -> None:
        self._latest = latest
        self._restarts = restarts

    def collect(self) -> Iterable[Metric]:
        restarts = CounterMetricFamily(
            f"{PREFIX}_restarts", "Times that a process died and was started again.", labels=[WORKER]
        )
        for worker, number in dict(self._restarts).items():
            restarts.add_metric([worker], number)
        yield restarts
        if latest := dict(self._latest):
            yield from _figures(latest)


def _figures(latest: Mapping[str, Progress]) -> Iterator[Metric]:
    events = CounterMetricFamily(f"{PREFIX}_events", "Events judged, by verdict.", labels=[WORKER, "verdict", "code"])
    commits = CounterMetricFamily(f"{PREFIX}_commits", "Transactions committed.", labels=[WORKER])
    restored = CounterMetricFamily(
        f"{PREFIX}_restored_states", "State records read from the state topic.", labels=[WORKER]
    )
    stages = CounterMetricFamily(
        f"{PREFIX}_stage_seconds",
        "Time spent in each stage; waiting for events is part of poll.",
        labels=[WORKER, "stage"],
    )
    opening = GaugeMetricFamily(
        f"{PREFIX}_opening_partitions", "Partitions not yet level with the state topic.", labels=[WORKER]
    )
    positions = GaugeMetricFamily(
        f"{PREFIX}_position", "Next offset to judge, by partition of the events topic.", labels=[WORKER, "partition"]
    )
    left = GaugeMetricFamily(
        f"{PREFIX}_restore_records_left",
        "State records still to be read, by partition that is being restored.",
        labels=[WORKER, "partition"],
    )
    rate = GaugeMetricFamily(
        f"{PREFIX}_restore_records_per_second",
        "State records read, by partition that is being restored.",
        labels=[WORKER, "partition"],
    )
    for worker, progress in latest.items():
        events.add_metric([worker, "applied", ""], progress.counts.applied)
        events.add_metric([worker, "duplicate", ""], progress.counts.duplicate)
        for code, number in progress.counts.rejected.items():
            events.add_metric([worker, "rejected", code.value], number)
        commits.add_metric([worker], progress.commits)
        restored.add_metric([worker], progress.restored)
        for stage, seconds in progress.seconds.items():
            stages.add_metric([worker, stage], seconds)
        opening.add_metric([worker], len(progress.opening))
        for partition, position in progress.positions.items():
            positions.add_metric([worker, str(partition)], position)
        for partition, so_far in progress.restoring.items():
            left.add_metric([worker, str(partition)], so_far.left)
            rate.add_metric([worker, str(partition)], so_far.per_s)
    yield from (events, commits, restored, stages, opening, positions, left, rate)

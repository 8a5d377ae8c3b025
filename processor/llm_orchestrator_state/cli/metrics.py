"""The worker's figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..errors import Configuration
from ..settings import PROGRAM

if TYPE_CHECKING:
    from ..engine.progress import Progress

PREFIX = PROGRAM.replace("-", "_")


class WorkerMetrics(Collector):
    """Shows the last snapshot that the worker's loop left here: the server's thread never looks into the worker."""

    def __init__(self) -> None:
        self.latest: Progress | None = None

    def serve(self, address: str, port: int) -> None:
        """From a thread of its own. Raises Configuration when address or port cannot be had."""
        registry = CollectorRegistry()
        registry.register(self)
        try:
            start_http_server(port, address, registry=registry)
        except OSError as error:
            raise Configuration(
                f"metrics cannot be served at {address}, port {port}: {error.strerror}; give another metrics_port, or a "
                "metrics_address that this machine has"
            ) from error

    def collect(self) -> Iterable[Metric]:
        progress = self.latest
        if progress is None:
            return
        events = CounterMetricFamily(f"{PREFIX}_events", "Events judged, by verdict.", labels=["verdict", "code"])
        events.add_metric(["applied", ""], progress.counts.applied)
        events.add_metric(["duplicate", ""], progress.counts.duplicate)
        for code, number in progress.counts.rejected.items():
            events.add_metric(["rejected", code.value], number)
        yield events
        yield CounterMetricFamily(f"{PREFIX}_commits", "Transactions committed.", value=progress.commits)
        yield CounterMetricFamily(
            f"{PREFIX}_restored_states", "State records read from the state topic.", value=progress.restored
        )
        stages = CounterMetricFamily(
            f"{PREFIX}_stage_seconds", "Time spent in each stage; waiting for events is part of poll.", labels=["stage"]
        )
        for stage, seconds in progress.seconds.items():
            stages.add_metric([stage], seconds)
        yield stages
        yield GaugeMetricFamily(
            f"{PREFIX}_opening_partitions", "Partitions not yet level with the state topic.", len(progress.opening)
        )
        positions = GaugeMetricFamily(
            f"{PREFIX}_position", "Next offset to judge, by partition of the events topic.", labels=["partition"]
        )
        for partition, position in progress.positions.items():
            positions.add_metric([str(partition)], position)
        yield positions

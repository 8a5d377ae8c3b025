"""One worker process: its identity, its fate, and what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.clients import SimKafka
from tests.simulation.faults import Faults
from tests.simulation.store import Disk, SimStores

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.consumer import SimConsumer
    from tests.simulation.producer import SimProducer


class SimProcess:
    """What a worker is made from: `kafka`, `stores`, `clock` and its names."""

    def __init__(self, cluster: SimCluster, instance_id: str, disk: Disk) -> None:
        self.cluster = cluster
        self.instance_id = instance_id
        self.transactional_id = f"{cluster.prefix}.{instance_id}"
        self.disk = disk
        self.clock = disk.clock
        self.faults = Faults(cluster.rng, cluster.clock, instance_id)
        self.consumers: list[SimConsumer] = []
        self.producers: list[SimProducer] = []
        self.paused = False
        self.slow = False
        """The application is at something else; the client's background thread goes on."""
        self.store_failed = False
        """A store has raised StateDirectory, so the worker may end with it."""
        self.rivalled = False
        """There was another process with the same identity."""
        self.kafka = SimKafka(cluster, self)
        self.stores = SimStores(disk, self)
        self.worker: Any = None
        cluster.processes.append(self)

    def end(self, *, lost_writes: int) -> None:
        """The process is gone, by a crash or after its worker was closed."""
        if self.faults.dead:
            for producer in self.producers:
                producer.die()
        self.faults.dead = True
        self.cluster.processes.remove(self)
        self.disk.release(self, lost_writes)
        self.worker = None

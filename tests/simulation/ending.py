"""The calm at a schedule's end, in which everything must come right."""

from __future__ import annotations

from tests.simulation.fleet import Fleet
from tests.simulation.invariants import Folded, check_store, check_topics, require
from tests.simulation.log import Record
from tests.simulation.process import SimProcess
from tests.simulation.scene import Scene

CALM_S = 60.0
"""Virtual time within which the calm must reach the end: the longest known wait is a session, a transaction's time-out
and two scans, 40 s."""
CALM_ROUNDS = 2_000
"""Steps of each worker in the calm, at most."""

OUTPUTS = ("state", "checkpoints", "outputs", "rejections")


class Ending:
    def __init__(self, scene: Scene, fleet: Fleet) -> None:
        self._scene = scene
        self._cluster = scene.cluster
        self._fleet = fleet

    def calm_down(self) -> None:
        """Let the workers go on without faults until all is judged and written. Raises Violation when they do not."""
        self._check_noted()
        names: set[str] = set()
        for process in reversed(list(self._cluster.processes)):
            process.faults.rates = self._scene.rates
            process.paused = False
            if process.instance_id in names:  # of two with one identity the older one has lost it
                self._fleet.crash(process)
            names.add(process.instance_id)
        targets = [(records[-1].offset() + 1 if records else 0) for records in self._committed_events()]
        deadline = self._scene.clock.now + CALM_S
        for _ in range(CALM_ROUNDS):
            if self._scene.clock.now > deadline:
                break
            if not self._cluster.processes:
                self._fleet.start()
            self._cluster.group.adopt_orphans(self._scene.clock.now)
            for process in list(self._cluster.processes):
                self._fleet.step(process, 1.0)
            if all(self._settled(partition, target) for partition, target in enumerate(targets)):
                return
        offsets, pending = self._cluster.group.offsets, self._cluster.group.pending
        require(
            False,
            f"no end within {CALM_S} s: {targets} to reach, {offsets} committed, {pending} pending, or a store that differs",
        )

    def _check_noted(self) -> None:
        """A store that is ahead of the group would be restored, and hide that it was written too early."""
        if self._scene.offsets_lost:
            return
        group = self._cluster.group
        for disk in self._scene.disks:
            for partition, files in disk.partitions.items():
                if group.pending.get(partition):
                    continue  # it may be committed, and the marker on its way
                committed = group.offsets.get(partition)
                ahead = files.positions and (files.positions.input or 0) > (committed.offset if committed else 0)
                require(not ahead, f"a store of partition {partition} knows of events that are not committed")

    def _committed_events(self) -> list[list[Record]]:
        return [log.committed() for log in self._cluster.logs("events")]

    def _owner(self, partition: int) -> SimProcess | None:
        for process in self._cluster.processes:
            if any(partition in consumer.fetches for consumer in process.consumers):
                return process
        return None

    def _settled(self, partition: int, target: int) -> bool:
        group = self._cluster.group
        committed, owner = group.offsets.get(partition), self._owner(partition)
        if owner is None or group.pending.get(partition) or (committed.offset if committed else 0) < target:
            return False
        if any(partition in c.paused for c in owner.consumers):
            return False  # still being opened
        if any(self._cluster.logs(kind)[partition].open for kind in OUTPUTS):
            return False  # a commit's markers are on their way
        files = owner.disk.files(partition)
        if files.positions is None or (files.positions.input or 0) < target:
            return False
        # A store that is being caught up knows of the last event before it has read every state.
        if files.positions.outputs is None:
            return False  # its contexts are still being brought back
        return files.values == self._cluster.logs("state")[partition].last_values()

    def check(self) -> None:
        """Raises Violation. The workers are stopped then."""
        folded = [self._scene.engine.fold(p, records) for p, records in enumerate(self._committed_events())]
        check_topics(self._cluster, folded, repeated_rejections=self._scene.offsets_lost)
        for partition, fold in enumerate(folded):
            self._check_store(partition, fold)
        stopped = list(self._cluster.processes)
        for process in stopped:
            self._fleet.stop_process(process)
        # an impostor that crashed in their place has a session of its own, which nobody ends for it
        there = self._cluster.group.live_instances()
        left = [p.instance_id for p in stopped if p.instance_id in there and not p.rivalled]
        require(not left, f"workers that were stopped are still in the group: {left}")
        names = {process.transactional_id for process in stopped}
        left = [name for name in self._cluster.transactions.open_transactions() if name in names]
        require(not left, f"workers that were stopped left transactions open: {left}")
        held = [p for disk in self._scene.disks for p, files in disk.partitions.items() if files.holder is not None]
        require(not held, f"workers that were stopped still hold the stores of {held}")

    def _check_store(self, partition: int, fold: Folded) -> None:
        owner = self._owner(partition)
        assert owner is not None
        check_store(partition, owner.disk.files(partition), fold)

"""What happens around the workers: events come, topics are compacted and trimmed, things are lost."""

from __future__ import annotations

from tests.simulation.conditions import Conditions
from tests.simulation.engine import CODEC
from tests.simulation.events import Histories
from tests.simulation.fleet import Fleet
from tests.simulation.publisher import Publisher
from tests.simulation.scene import Scene

HOUR_S = 3600.0

WRONG_CLOCK_S = 5 * HOUR_S
"""Two clocks may differ by less than half of what tombstones live: a store's age is told from them (README)."""


class Accidents:
    def __init__(self, scene: Scene, conditions: Conditions, fleet: Fleet) -> None:
        self._scene = scene
        self._rng = scene.rng
        self._cluster = scene.cluster
        self._fleet = fleet
        self.publisher = Publisher(scene.cluster, Histories(scene.rng, CODEC, conditions).next)

    def publish(self) -> None:
        few = self._rng.random() < 0.9
        self.publisher.publish(self._rng.randrange(1, 9) if few else self._rng.randrange(10, 40))

    def publish_in_transaction(self) -> None:
        self.publisher.transact()

    def wait(self) -> None:
        self._cluster.wait(self._rng.choice((0.1, 1.0, 4.0, 12.0)))

    def compact(self) -> None:
        for log in [log for kind in ("state", "checkpoints", "outputs") for log in self._cluster.logs(kind)]:
            log.compact(self._scene.clock.now)

    def trim_events(self) -> None:
        """Retention, or DeleteRecords, of what was judged: with what a group without offsets would need, too."""
        if self._scene.offsets_lost:
            return
        for partition, committed in self._cluster.group.offsets.items():
            log = self._cluster.log(self._cluster.events, partition)
            if committed.offset > log.start:
                self._scene.trimmed = True
                log.trim(self._rng.randrange(log.start, committed.offset + 1))

    def delete_directory(self) -> None:
        partition = self._rng.randrange(self._cluster.partitions)
        if self._rng.choice(self._scene.disks).delete(partition):
            self._scene.note(f"directory of partition {partition} deleted")

    def lose_group_offsets(self) -> None:
        """offsets.retention.minutes has passed for a group without members."""
        group, scene = self._cluster.group, self._scene
        if group.members or any(group.pending.values()) or self._cluster.processes or not group.offsets:
            return
        if scene.slept or scene.trimmed or not self._stores_agree():
            return
        scene.note("group offsets expire")
        scene.offsets_lost = True
        group.offsets.clear()

    def _stores_agree(self) -> bool:
        """Without the group's offsets a worker goes on at its store's position; one that another host's store is ahead
        of, by rejections alone, would be taken for a group that was set back.
        """
        for partition in range(self._cluster.partitions):
            stores = [disk.partitions.get(partition) for disk in self._scene.disks]
            if len({store.positions.input for store in stores if store and store.positions}) > 1:
                return False
        return True

    def sleep(self) -> None:
        """Everything stands still for a day or so, and compaction removes old tombstones."""
        if self._scene.offsets_lost:
            return
        self._scene.note("nobody runs for a long time")
        self._scene.slept = True
        for process in list(self._cluster.processes):
            self._fleet.crash(process)
        self._cluster.wait(self._rng.choice((11, 13, 26, 40)) * HOUR_S)
        self.compact()

    def turn_clock(self) -> None:
        """Of one host."""
        clock = self._rng.choice(self._scene.disks).clock
        clock.ahead_s = self._rng.uniform(-WRONG_CLOCK_S, WRONG_CLOCK_S)
        self._scene.note(f"a host's clock is {clock.ahead_s:.0f} s ahead")

    def lose_registry(self) -> None:
        self._cluster.registry_away_until = self._scene.clock.now + self._rng.choice((0.5, 3.0, 15.0))

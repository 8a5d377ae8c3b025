"""What a worker must not go on with: topics and offsets that do not fit each other any more, and a rival."""

from __future__ import annotations

from typing import NamedTuple

from llm_orchestrator_state.errors import Fenced, OffsetMismatch, StateError
from llm_orchestrator_state.store.interface import Positions
from tests.simulation.fleet import Fleet
from tests.simulation.group import Committed
from tests.simulation.invariants import require, source_offset
from tests.simulation.log import PartitionLog
from tests.simulation.process import SimProcess
from tests.simulation.scene import Scene

REFUSED_S = 30.0
"""Within which a worker must have refused: it waits up to 10 s for a new leader to know its end."""


class Broken(NamedTuple):
    what: str
    error: type[StateError] = OffsetMismatch
    """With which a worker must end."""


class Refusals:
    """Once everything was judged and the workers are stopped."""

    def __init__(self, scene: Scene, fleet: Fleet) -> None:
        self._scene = scene
        self._rng = scene.rng
        self._cluster = scene.cluster
        self._fleet = fleet
        self._partition = scene.rng.randrange(scene.cluster.partitions)

    def check(self) -> None:
        """Break one thing in one partition, and require that a worker stops before it writes anything there."""
        broken = self._rng.choice((
            self._set_group_back, self._trim_too_far, self._set_group_beyond, self._empty_states,
            self._delete_states,
            self._trim_under_a_worker, self._rival,
        ))()  # fmt: skip
        if broken is None:
            return
        self._scene.note(f"partition {self._partition}: {broken.what}")
        before = self._outputs()
        require(self._refused(broken.error), f"a worker goes on although {broken.what}")
        require(self._outputs() == before, f"a worker has written although {broken.what}")

    def _refused(self, error: type[StateError]) -> bool:
        if not self._cluster.processes:
            self._fleet.start()
        deadline = self._scene.clock.now + REFUSED_S
        while self._scene.clock.now < deadline:
            for process in self._cluster.processes:
                try:
                    self._fleet.step(process, 1.0)
                except error:
                    process.worker.close()
                    return True
        return False

    def _outputs(self) -> list[object]:
        ends: list[object] = [self._log(kind).end for kind in ("state", "checkpoints", "outputs", "rejections")]
        return [*ends, self._cluster.group.offsets.get(self._partition)]

    def _log(self, kind: str) -> PartitionLog:
        return self._cluster.logs(kind)[self._partition]

    # ---- before a worker starts; None where it cannot be broken in that way

    def _set_group_back(self) -> Broken | None:
        start, known = self._log("events").start, self._known()
        if known <= start:
            return None
        self._set_offset(self._rng.randrange(start, known))
        return Broken("the group was set back")

    def _trim_too_far(self) -> Broken:
        self._remove_unread()
        return Broken("events were removed that nobody has judged")

    def _set_group_beyond(self) -> Broken:
        self._set_offset(self._log("events").end + self._rng.randrange(1, 5))
        return Broken("the group was set beyond the log's end")

    def _empty_states(self) -> Broken | None:
        """The state topic is made anew."""
        log = self._log("state")
        if self._rng.random() < 0.5:
            for disk in self._scene.disks:
                disk.delete(self._partition)
            # without rejections, that there are no states proves that they were lost
            if self._log("rejections").end or self._committed() <= self._log("events").start:
                return None
        elif sum(positions.state > 0 for positions in self._positions()) < len(self._scene.disks):
            return None
        log.entries.clear()
        log.start = 0
        return Broken("the state topic is empty")

    def _delete_states(self) -> Broken | None:
        """Up to where no store has read them; one that is too old is restored from what is left."""
        known = len(self._positions()) == len(self._scene.disks)
        if not known or self._scene.slept or any(disk.clock.ahead_s for disk in self._scene.disks):
            return None
        log = self._log("state")
        log.append((b"key", None, [("source-offset", b"0")]), -1, self._scene.clock.now)
        log.trim(log.end)
        return Broken("states were deleted that its store has not read")

    # ---- under a worker

    def _trim_under_a_worker(self) -> Broken:
        self._at_work()
        self._remove_unread()
        return Broken("events were removed that its worker has not judged")

    def _rival(self) -> Broken:
        process = self._at_work()
        self._scene.disks.append(self._scene.new_disk())
        self._fleet.launch(process.instance_id, self._scene.disks[-1])
        return Broken("another one has its identity", Fenced)

    def _at_work(self) -> SimProcess:
        self._fleet.start()
        (process,) = self._cluster.processes
        deadline = self._scene.clock.now + REFUSED_S
        while self._partition not in process.worker.progress().partitions:
            require(self._scene.clock.now < deadline, "a worker does not begin")
            self._fleet.step(process, 1.0)
        return process

    # ---- what there is

    def _committed(self) -> int:
        return self._cluster.group.offsets[self._partition].offset

    def _set_offset(self, offset: int) -> None:
        before = self._cluster.group.offsets[self._partition]
        self._cluster.group.offsets[self._partition] = Committed(offset, before.metadata)

    def _remove_unread(self) -> None:
        events = self._log("events")
        judged = events.end
        for _ in range(3):
            events.append((b"key", b"value", None), -1, self._scene.clock.now)
        events.trim(self._rng.randrange(judged + 1, events.end + 1))

    def _known(self) -> int:
        """Behind the last event that any recovery knows of."""
        from_topic = max((source_offset(record) + 1 for record in self._log("state").committed()), default=0)
        return min([positions.input or 0 for positions in self._positions()] + [from_topic])

    def _positions(self) -> list[Positions]:
        """Of the stores that can be opened, on whichever host."""
        stores = [disk.partitions.get(self._partition) for disk in self._scene.disks]
        return [store.positions for store in stores if store and store.positions and not store.corrupt]

"""What a worker must not go on with: topics and offsets that do not fit each other any more."""

from __future__ import annotations

from llm_orchestrator_state.errors import OffsetMismatch
from llm_orchestrator_state.store.interface import Positions
from tests.simulation.fleet import Fleet
from tests.simulation.group import Committed
from tests.simulation.invariants import require
from tests.simulation.log import PartitionLog
from tests.simulation.scene import Scene

REFUSED_S = 30.0
"""Within which a worker must have refused: it waits up to 10 s for a new leader to know its end."""


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
        ways = (self._set_group_back, self._trim_too_far, self._set_group_beyond, self._empty_states)
        broken = self._rng.choice(ways)()
        if broken is None:
            return
        self._scene.note(f"partition {self._partition}: {broken}")
        before = self._outputs()
        require(self._refused(), f"a worker goes on although {broken}")
        require(self._outputs() == before, f"a worker has written although {broken}")

    def _refused(self) -> bool:
        self._fleet.start()
        (process,) = self._cluster.processes
        deadline = self._scene.clock.now + REFUSED_S
        while self._scene.clock.now < deadline:
            try:
                self._fleet.step(process, 1.0)
            except OffsetMismatch:
                process.worker.close()
                return True
        return False

    def _outputs(self) -> list[object]:
        ends: list[object] = [self._log(kind).end for kind in ("state", "checkpoints", "outputs", "rejections")]
        return [*ends, self._cluster.group.offsets.get(self._partition)]

    def _log(self, kind: str) -> PartitionLog:
        return self._cluster.logs(kind)[self._partition]

    def _set_offset(self, offset: int) -> None:
        before = self._cluster.group.offsets[self._partition]
        self._cluster.group.offsets[self._partition] = Committed(offset, before.metadata)

    # ---- ways, each of which returns what is broken then, or None where it cannot be

    def _committed(self) -> int:
        return self._cluster.group.offsets[self._partition].offset

    def _known(self) -> int:
        """Behind the last event that any recovery knows of."""
        states = self._log("state").committed()
        from_topic = max((int(dict(r.headers() or ())["source-offset"]) + 1 for r in states), default=0)
        return min([positions.input or 0 for positions in self._positions()] + [from_topic])

    def _positions(self) -> list[Positions]:
        """Of the stores, on whichever host."""
        stores = [disk.partitions.get(self._partition) for disk in self._scene.disks]
        return [store.positions for store in stores if store is not None and store.positions is not None]

    def _set_group_back(self) -> str | None:
        start, known = self._log("events").start, self._known()
        if known <= start:
            return None
        self._set_offset(self._rng.randrange(start, known))
        return "the group was set back"

    def _trim_too_far(self) -> str | None:
        events = self._log("events")
        for _ in range(3):
            events.append((b"key", b"value", None), -1, self._scene.clock.now)
        events.trim(self._rng.randrange(self._committed() + 1, events.end + 1))
        return "events were removed that nobody has judged"

    def _set_group_beyond(self) -> str | None:
        self._set_offset(self._log("events").end + self._rng.randrange(1, 5))
        return "the group was set beyond the log's end"

    def _empty_states(self) -> str | None:
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
        return "the state topic is empty"

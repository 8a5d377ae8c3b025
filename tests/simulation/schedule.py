"""One seeded schedule: events, workers and accidents interleaved, then a calm in which everything must come right."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable
from random import Random

from llm_orchestrator_state.errors import Connection, Fenced, StateDirectory, StateError
from tests.simulation.clock import SimClock
from tests.simulation.cluster import SimCluster
from tests.simulation.events import Appended, Histories
from tests.simulation.faults import CALM, Crash, Rates
from tests.simulation.invariants import System, check_store, check_topics, require
from tests.simulation.log import Record
from tests.simulation.process import SimProcess
from tests.simulation.publisher import Publisher
from tests.simulation.store import Disk

PARTITIONS = 2
CALM_S = 60.0
"""Virtual time within which the calm must reach the end: the longest known wait is a session, a transaction's time-out
and two scans, 40 s."""
CALM_ROUNDS = 2_000
"""Steps of each worker in the calm, at most."""

HOUR_S = 3600.0
OUTPUTS = ("state", "checkpoints", "rejections")

Source = Callable[[Random], Callable[[], Appended]]


def untidy_histories(rng: Random) -> Callable[[], Appended]:
    from tests.simulation.engine import CODEC

    return Histories(rng, CODEC, PARTITIONS).next


class Schedule:
    def __init__(
        self,
        seed: int,
        system: System,
        source: Source,
        emphasis: dict[str, float] | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.rng = rng = Random(seed)
        self.clock = SimClock()
        self.cluster = SimCluster(rng, self.clock, PARTITIONS)
        self._system = system
        self._trace = trace
        self._publisher = Publisher(self.cluster, source(rng))
        self._disks = [Disk() for _ in range(rng.choice((1, 1, 2)))]
        workers = rng.choice((1, 2, 2, 3))
        self._slots = [(f"h{n % len(self._disks)}-{n}", self._disks[n % len(self._disks)]) for n in range(workers)]
        self._calm = False
        self._nested = False
        self._offsets_lost = False
        self._slept = False
        level = rng.choice((0.0, 0.004, 0.012, 0.03))
        self._rates = Rates(
            fail=level,
            unknown=level,
            crash=level / 4 * rng.random(),
            stall=rng.choice((0, 0, 0.002, 0.01)),
            lazy=level * 10,
        )
        weights = self._weights() | (emphasis or {})
        self._actions = tuple(getattr(self, f"_{name}") for name in weights)
        self._cumulative = list(itertools.accumulate(weights.values()))

    def _weights(self) -> dict[str, float]:
        """How often each action, a method of this class, is chosen."""
        rare = self.rng.random() < 0.3
        return {
            "step_any": 60, "publish": 18, "publish_in_transaction": 3, "wait": 4, "start": 4, "kill": 1.5,
            "pause": 1.5, "resume": 2, "stop": 1, "compact": 1, "delete_directory": 1.5 * rare,
            "impersonate": 0.7 * rare, "lose_group_offsets": 1.5 * rare, "sleep": 0.6 * rare,
        }  # fmt: skip

    # ---- the run

    def run(self) -> None:
        """Raises Violation, or whatever a worker raised that nothing in the schedule explains."""
        self.cluster.transactions.rates = self._rates
        for _ in range(self.rng.choice((30, 60, 90))):
            self._act(self._actions, self._cumulative)
        self._calm_down()
        self._check()

    def _act(self, actions: tuple[Callable[[], None], ...], cumulative: list[float]) -> None:
        point = self.rng.random() * cumulative[-1]
        actions[bisect.bisect_right(cumulative, point)]()

    def _note(self, message: str) -> None:
        if self._trace is not None:
            self._trace(f"{self.clock.now:9.3f} --- {message}")

    # ---- workers

    def _running(self) -> list[SimProcess]:
        return [process for process in self.cluster.processes if not process.paused]

    def _start(self) -> None:
        taken = {process.instance_id for process in self.cluster.processes}
        free = [slot for slot in self._slots if slot[0] not in taken]
        if free:
            self._launch(*self.rng.choice(free))

    def _launch(self, instance_id: str, disk: Disk) -> None:
        self._note(f"start {instance_id}")
        process = SimProcess(self.cluster, instance_id, disk)
        process.faults.rates = CALM if self._calm else self._rates
        process.faults.trace = self._trace
        process.faults.on_stall = lambda: self._stall(process)
        self._guard(process, lambda: setattr(process, "worker", self._system.worker(process)))

    def _guard(self, process: SimProcess, call: Callable[[], None]) -> bool:
        """Run a process's code; returns False when that was its end."""
        try:
            call()
        except Crash:
            self._end(process)
        except StateError as error:
            if not self._explained(process, error):
                raise
            self._note(f"{process.instance_id} ended: {error}")
            self._end(process)
        else:
            if not process.faults.dead:
                return True
            self._end(process)  # it has swallowed its own crash
        return False

    def _explained(self, process: SimProcess, error: StateError) -> bool:
        """Whether the schedule has given the worker a reason to give up."""
        if isinstance(error, StateDirectory):
            return process.store_failed
        if isinstance(error, Fenced) and process.rivalled:
            return True
        return isinstance(error, Fenced | Connection) and not self._calm

    def _end(self, process: SimProcess) -> None:
        self._note(f"{process.instance_id} is gone")
        process.end(lost_writes=self.rng.choice((0, 0, 0, 1, 2, 4)))

    def _step_any(self) -> None:
        running = self._running()
        if not running:
            if not self._nested:
                self._start()
            return
        process = self.rng.choice(running)
        self._step(process, self.rng.choice((0.0, 0.0, 0.05, 0.3, 1.0)))

    def _step(self, process: SimProcess, wait_s: float) -> None:
        worker = process.worker
        self._guard(process, lambda: worker.step(wait_s))

    def _kill(self) -> None:
        running = self._running()
        if running:
            process = self.rng.choice(running)
            process.faults.dead = True
            self._end(process)

    def _pause(self) -> None:
        running = self._running()
        if running:
            process = self.rng.choice(running)
            self._note(f"pause {process.instance_id}")
            process.paused = True

    def _resume(self) -> None:
        paused = [process for process in self.cluster.processes if process.paused]
        if paused:
            process = self.rng.choice(paused)
            self._note(f"resume {process.instance_id}")
            process.paused = False

    def _stop(self) -> None:
        running = self._running()
        if running:
            self._stop_process(self.rng.choice(running))

    def _stop_process(self, process: SimProcess) -> None:
        self._note(f"stop {process.instance_id}")
        if self._guard(process, process.worker.close):
            process.end(lost_writes=0)

    def _stall(self, process: SimProcess) -> None:
        """The process stands still in the middle of a call, while the others go on."""
        if self._nested:
            return
        self._nested = True
        process.paused = True
        actions = (self._step_any, self._publish, self._wait, self._kill, self._stop)
        for _ in range(self.rng.randrange(2, 25)):
            self._act(actions, [60, 70, 85, 88, 93])
        process.paused = False
        self._nested = False

    def _impersonate(self) -> None:
        """A paused worker's identity is given to a new process, elsewhere."""
        paused = [process for process in self.cluster.processes if process.paused]
        if paused:
            original = self.rng.choice(paused)
            original.rivalled = True
            self._disks.append(Disk())
            self._launch(original.instance_id, self._disks[-1])
            self.cluster.processes[-1].rivalled = True

    # ---- the world around them

    def _publish(self) -> None:
        self._publisher.publish(self.rng.randrange(1, 9))

    def _publish_in_transaction(self) -> None:
        self._publisher.transact()

    def _wait(self) -> None:
        self.cluster.wait(self.rng.choice((0.1, 1.0, 4.0, 12.0)))

    def _compact(self) -> None:
        for log in self.cluster.logs("state") + self.cluster.logs("checkpoints"):
            log.compact(self.clock.now)

    def _delete_directory(self) -> None:
        partition = self.rng.randrange(PARTITIONS)
        if self.rng.choice(self._disks).delete(partition):
            self._note(f"directory of partition {partition} deleted")

    def _lose_group_offsets(self) -> None:
        """offsets.retention.minutes has passed for a group without members."""
        group = self.cluster.group
        if group.members or any(group.pending.values()) or self.cluster.processes or self._slept or not group.offsets:
            return
        self._note("group offsets expire")
        self._offsets_lost = True
        group.offsets.clear()

    def _sleep(self) -> None:
        """Everything stands still for a day or so, and compaction removes old tombstones."""
        if self._offsets_lost:
            return
        self._note("nobody runs for a long time")
        self._slept = True
        for process in list(self.cluster.processes):
            process.faults.dead = True
            self._end(process)
        self.cluster.wait(self.rng.choice((11, 13, 26, 40)) * HOUR_S)
        self._compact()

    # ---- the end

    def _calm_down(self) -> None:
        self._note("calm")
        self._calm = True
        self._publisher.finish()
        self.cluster.transactions.rates = CALM
        names: set[str] = set()
        for process in reversed(list(self.cluster.processes)):
            process.faults.rates = CALM
            process.paused = False
            if process.instance_id in names:  # of two with one identity the older one has lost it
                process.faults.dead = True
                self._end(process)
            names.add(process.instance_id)
        targets = [(records[-1].offset() + 1 if records else 0) for records in self._committed_events()]
        deadline = self.clock.now + CALM_S
        for _ in range(CALM_ROUNDS):
            if self.clock.now > deadline:
                break
            if not self.cluster.processes:
                self._start()
            self.cluster.group.adopt_orphans(self.clock.now)
            for process in list(self.cluster.processes):
                self._step(process, 1.0)
            if all(self._settled(partition, target) for partition, target in enumerate(targets)):
                return
        offsets, pending = self.cluster.group.offsets, self.cluster.group.pending
        require(
            False,
            f"no end within {CALM_S} s: {targets} to reach, {offsets} committed, {pending} pending, or a store that differs",
        )

    def _committed_events(self) -> list[list[Record]]:
        return [log.committed() for log in self.cluster.logs("events")]

    def _owner(self, partition: int) -> SimProcess | None:
        for process in self.cluster.processes:
            if any(partition in consumer.fetches for consumer in process.consumers):
                return process
        return None

    def _settled(self, partition: int, target: int) -> bool:
        group = self.cluster.group
        committed, owner = group.offsets.get(partition), self._owner(partition)
        if owner is None or group.pending.get(partition) or (committed.offset if committed else 0) < target:
            return False
        if any(partition in c.paused for c in owner.consumers):
            return False  # still being opened
        if any(self.cluster.logs(kind)[partition].open for kind in OUTPUTS):
            return False  # a commit's markers are on their way
        files = owner.disk.files(partition)
        if files.positions is None or (files.positions.input or 0) < target:
            return False
        # A store that is being caught up knows of the last event before it has read every state.
        return files.values == self.cluster.logs("state")[partition].last_values()

    def _check(self) -> None:
        folded = [self._system.fold(p, records) for p, records in enumerate(self._committed_events())]
        check_topics(self.cluster, folded, repeated_rejections=self._offsets_lost)
        for partition, fold in enumerate(folded):
            owner = self._owner(partition)
            assert owner is not None
            check_store(partition, owner.disk.files(partition).values, fold)
        stopped = list(self.cluster.processes)
        for process in stopped:
            self._stop_process(process)
        # an impostor that crashed in their place has a session of its own, which nobody ends for it
        there = self.cluster.group.live_instances()
        left = [p.instance_id for p in stopped if p.instance_id in there and not p.rivalled]
        require(not left, f"workers that were stopped are still in the group: {left}")
        names = {process.transactional_id for process in stopped}
        left = [name for name in self.cluster.transactions.open_transactions() if name in names]
        require(not left, f"workers that were stopped left transactions open: {left}")
        held = [p for disk in self._disks for p, files in disk.partitions.items() if files.holder is not None]
        require(not held, f"workers that were stopped still hold the stores of {held}")


def run_schedule(
    seed: int,
    system: System,
    *,
    source: Source = untidy_histories,
    emphasis: dict[str, float] | None = None,
    trace: Callable[[str], None] | None = None,
) -> None:
    """Same arguments, same run. Raises Violation or the worker's own exception.

    `emphasis` replaces weights of Schedule._weights(), for a schedule that is to dwell on some accidents.
    """
    Schedule(seed, system, source, emphasis, trace).run()

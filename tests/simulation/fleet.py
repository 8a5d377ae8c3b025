"""The workers' processes: started, stepped, stopped, and what befalls them."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaException

from llm_orchestrator_state.errors import Connection, Fenced, StateDirectory, StateError
from tests.simulation.faults import Crash
from tests.simulation.process import SimProcess
from tests.simulation.scene import Scene
from tests.simulation.store import Disk


class Fleet:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rng = scene.rng
        self._cluster = scene.cluster
        self._disks = scene.disks
        workers = scene.rng.choice((1, 2, 2, 3))
        self._slots = [(f"h{n % len(self._disks)}-{n}", self._disks[n % len(self._disks)]) for n in range(workers)]
        self._nested = False
        self.meanwhile: Callable[[], None] = lambda: None
        """What may happen while a process stands still in the middle of a call."""

    def running(self) -> list[SimProcess]:
        return [process for process in self._cluster.processes if not process.paused and not process.slow]

    # ---- beginning and end

    def start(self) -> None:
        taken = {process.instance_id for process in self._cluster.processes}
        free = [slot for slot in self._slots if slot[0] not in taken]
        if free:
            self.launch(*self._rng.choice(free))

    def launch(self, instance_id: str, disk: Disk) -> SimProcess:
        scene = self._scene
        scene.note(f"start {instance_id}")
        process = SimProcess(self._cluster, instance_id, disk)
        process.faults.rates = scene.rates
        process.faults.trace = scene.trace
        process.faults.on_stall = lambda: self._stall(process)
        self._guard(process, lambda: setattr(process, "worker", scene.engine.worker(process)))
        return process

    def _guard(self, process: SimProcess, call: Callable[[], None], *, close_after: bool = False) -> bool:
        """Run a process's code; returns False when that was its end."""
        try:
            call()
        except Crash:
            self.end(process)
        except StateError as error:
            if not self._explained(process, error):
                raise
            self._scene.note(f"{process.instance_id} ended: {error}")
            if close_after:
                self._close_after_failure(process)
            self.end(process)
        else:
            if not process.faults.dead:
                return True
            self.end(process)  # it has swallowed its own crash
        return False

    def _close_after_failure(self, process: SimProcess) -> None:
        """As the command line does it; what goes wrong now hides nothing."""
        try:
            process.worker.close()
        except (Crash, StateError, KafkaException) as error:
            self._scene.note(f"{process.instance_id} could not be closed: {error}")

    def _explained(self, process: SimProcess, error: StateError) -> bool:
        """Whether the schedule has given the worker a reason to give up."""
        if isinstance(error, StateDirectory):
            return process.store_failed
        if isinstance(error, Fenced) and process.rivalled:
            return True
        return isinstance(error, Fenced | Connection) and not self._scene.calm

    def end(self, process: SimProcess) -> None:
        self._scene.note(f"{process.instance_id} is gone")
        process.end(lost_writes=self._rng.choice((0, 0, 0, 1, 2, 4)))

    def crash(self, process: SimProcess) -> None:
        process.faults.dead = True
        self.end(process)

    def stop_process(self, process: SimProcess, *, keep_membership: bool = False) -> None:
        self._scene.note(f"stop {process.instance_id}")
        if self._guard(process, lambda: process.worker.close(keep_membership=keep_membership)):
            process.end(lost_writes=0)

    # ---- actions

    def step_any(self) -> None:
        running = self.running()
        if running:
            self.step(self._rng.choice(running), self._rng.choice((0.0, 0.0, 0.05, 0.3, 1.0)))
        elif not self._nested:
            self.start()

    def step(self, process: SimProcess, wait_s: float) -> None:
        worker = process.worker
        self._guard(process, lambda: worker.step(wait_s), close_after=True)

    def kill(self) -> None:
        if running := self.running():
            self.crash(self._rng.choice(running))

    def stop(self) -> None:
        if running := self.running():
            self.stop_process(self._rng.choice(running))

    def restart(self) -> None:
        """A supervisor starts again what has crashed, or was stopped for that: the same member, within its session."""
        running = self.running()
        if not running:
            return
        process = self._rng.choice(running)
        if self._rng.random() < 0.5:
            self.crash(process)
        else:
            self.stop_process(process, keep_membership=True)
        self._cluster.wait(self._rng.choice((0.0, 1.0, 4.0)))
        self._launch_again(process.instance_id, process.disk)

    def pause(self) -> None:
        if running := self.running():
            process = self._rng.choice(running)
            self._scene.note(f"pause {process.instance_id}")
            process.paused = True

    def resume(self) -> None:
        paused = [process for process in self._cluster.processes if process.paused]
        if paused:
            process = self._rng.choice(paused)
            self._scene.note(f"resume {process.instance_id}")
            process.paused = False

    def storm(self) -> None:
        """Workers come and go faster than the group can settle."""
        actions = (self.start, self.start, self.kill, self.stop, self.restart, self.pause, self.resume)
        for _ in range(self._rng.randrange(3, 12)):
            self._rng.choice(actions)()
            for _ in range(self._rng.randrange(3)):
                self.step_any()

    def impersonate(self) -> None:
        """A paused worker's identity is given to a new process, elsewhere."""
        paused = [process for process in self._cluster.processes if process.paused]
        if paused:
            original = self._rng.choice(paused)
            self._disks.append(self._scene.new_disk())
            self._launch_again(original.instance_id, self._disks[-1])

    def _launch_again(self, instance_id: str, disk: Disk) -> None:
        """Others of this identity may stand still, and come back."""
        self.launch(instance_id, disk)
        lives = [process for process in self._cluster.processes if process.instance_id == instance_id]
        for process in lives:
            process.rivalled |= len(lives) > 1

    def _stall(self, process: SimProcess) -> None:
        """The process stands still in the middle of a call, while the others go on.

        Either all of it, or only its application: the client in the background keeps the membership, for a while.
        """
        if self._nested:
            return
        self._nested = True
        slow = self._rng.random() < 0.3
        process.slow, process.paused = slow, not slow
        for _ in range(self._rng.randrange(2, 25)):
            self.meanwhile()
        if slow and self._rng.random() < 0.3:
            self._cluster.wait(310.0)  # more than max.poll.interval.ms
        process.slow = process.paused = False
        self._nested = False

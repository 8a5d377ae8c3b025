"""The workers of a soak: processes, each with an identity and a state directory of its own."""

from __future__ import annotations

import re
import shutil
import signal
from collections import Counter

from tests.faults.proxied import ProxiedCluster
from tests.integration.harness import Stage
from tests.integration.processes import Child, Processes

UNREACHABLE = 3
"""The exit code of one that was started while no broker could be reached: whoever supervises it starts it again."""

ASKED_TO_END = {0, -signal.SIGTERM}
"""The second is of one that was only just being started."""

LEAVING_S = 60.0
"""Of a worker that is asked to end while its producer is stuck, or the brokers are away."""

ERROR = re.compile(r"^error: .*|^Traceback.*", re.MULTILINE)


class Crew:
    def __init__(self, stage: Stage, kafka: ProxiedCluster, size: int) -> None:
        self._stage = stage
        self._processes = Processes(stage, kafka.proxied)
        self._size = size
        self._workers: dict[int, Child] = {}
        self.started = 0
        self.ended_by_themselves: Counter[str] = Counter()
        """Exit code and last words."""

    @property
    def states(self) -> list[str]:
        return [f"state-{number}" for number in range(self._size)]

    def start(self, number: int) -> None:
        self._workers[number] = self._processes.worker(self.states[number], f"w{number}")
        self.started += 1

    def start_all(self) -> None:
        for number in range(self._size):
            self.start(number)

    def number(self, target: int) -> int:
        return target % self._size

    def send(self, number: int, signum: signal.Signals) -> None:
        self._workers[number].send(signum)

    def kill(self, number: int) -> None:
        self._workers[number].kill()

    def delete_state(self, number: int) -> None:
        """A directory that no process has open."""
        shutil.rmtree(self._stage.directory / self.states[number], ignore_errors=True)

    def leave(self, number: int) -> None:
        self._workers[number].send(signal.SIGTERM)
        self._note_end(number, self._workers[number].ended(LEAVING_S), ASKED_TO_END)

    def look_after(self) -> None:
        """Whoever has ended without being asked to is started again, as a supervisor does."""
        for number, worker in list(self._workers.items()):
            code = worker.process.poll()
            if code is not None:
                self._note_end(number, code, set())
                self.start(number)

    def _note_end(self, number: int, code: int, expected: set[int]) -> None:
        if code not in expected:
            words = ERROR.findall(self._workers[number].log)
            self.ended_by_themselves[f"exit code {code}: {words[-1] if words else 'no error told'}"] += 1

    @property
    def unforeseen(self) -> int:
        """Ends that are no documented answer to brokers that are away."""
        return sum(n for how, n in self.ended_by_themselves.items() if not how.startswith(f"exit code {UNREACHABLE}:"))

    def leave_all(self) -> None:
        for worker in self._workers.values():
            worker.send(signal.SIGTERM)
        for number, worker in self._workers.items():
            self._note_end(number, worker.ended(LEAVING_S), ASKED_TO_END)

    def load(self, seed: int, rate: int) -> Child:
        return self._processes.load(seed, rate)

    def end(self) -> None:
        self._processes.kill()

"""Workers and publishers as processes of their own, which can be killed, stopped and continued."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.integration.harness import DEADLINE_S, SESSION_S, Stage, until

CHECKOUT = Path(__file__).resolve().parents[2]


class Child:
    """One process, and what it says on stderr."""

    def __init__(self, command: list[str], log: Path) -> None:
        if shutil.which("setpriv"):  # not even a killed test run leaves it behind
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LLM_ORCHESTRATOR_STATE_")}
        self._log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(command, stderr=file, stdin=subprocess.PIPE, env=kept, cwd=CHECKOUT)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, text: str, times: int = 1) -> float:
        """Waits for a text in its log; returns the seconds it took."""
        return until(lambda: self._said(text, times))

    def _said(self, text: str, times: int) -> bool:
        if self.log.count(text) >= times:
            return True
        assert self.process.poll() is None, self.log
        return False

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def is_stopped(self) -> bool:
        """By SIGSTOP."""
        return os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None

    def alive_for(self, seconds: float) -> bool:
        """False as soon as it has ended by itself."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def ended(self, within_s: float = DEADLINE_S) -> int:
        return self.process.wait(within_s)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


class Processes:
    """bootstrap: the address that workers are given, where it is not the stage's own."""

    def __init__(self, stage: Stage, bootstrap: str | None = None) -> None:
        self._stage = stage
        self._bootstrap = bootstrap or stage.bootstrap
        self._started: list[Child] = []

    def worker(
        self, state: str = "state", instance: str | None = None, *flags: str, processes: int | None = 1
    ) -> Child:
        """The command `worker`, of a slot's identity where no instance is given. processes: None for what it chooses."""
        stage = self._stage
        command = [
            sys.executable, "-m", "llm_orchestrator_state", "worker",
            "--bootstrap-servers", self._bootstrap, "--topic-prefix", stage.topics.prefix,
            "--state-dir", str(stage.directory / state), "--session-timeout", f"{SESSION_S}s",
            *(["--instance-id", instance] if instance else []),
            *(["--processes", str(processes)] if processes else []),
        ]  # fmt: skip
        return self.start([*command, *flags])

    def accident(self, moment: str, number: int, what: signal.Signals, instance: str, state: str) -> Child:
        """See accident.py."""
        stage = self._stage
        words = [self._bootstrap, stage.topics.prefix, str(stage.directory), state, instance]
        return self.start([sys.executable, "-m", "tests.integration.accident", *words, moment, str(number), str(what)])

    def load(self, seed: int, rate: int) -> Child:
        """See load.py."""
        words = [self._stage.bootstrap, self._stage.topics.prefix, str(seed), str(rate)]
        return self.start([sys.executable, "-m", "tests.integration.load", *words])

    def start(self, command: list[str]) -> Child:
        child = Child(command, self._stage.directory / f"process-{len(self._started)}.log")
        self._started.append(child)
        return child

    def kill(self) -> None:
        for child in self._started:
            child.kill()

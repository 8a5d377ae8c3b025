"""A process which outlives the one that started it, and is known again later."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

POLL_SECONDS = 0.05
LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Fields of /proc/<pid>/stat after the command's name, which may itself hold spaces and brackets (proc(5)).
STATE, START_TIME = 0, 19

# The shell leaves at once, so the program belongs to init: nobody has to wait for it, and no zombie stays.
DETACH = '"$@" </dev/null >>"$0" 2>&1 & echo $!'


class Process(NamedTuple):
    """One process, and no later one with the same pid.

    birth: the boot and the instant at which it was started, as the operating system tells it; "" where it was
    gone before it could be asked.
    """

    pid: int
    birth: str

    @classmethod
    def of(cls, pid: int) -> Process:
        return cls(pid, _birth(pid) or "")

    def alive(self) -> bool:
        return bool(self.birth) and _birth(self.pid) == self.birth

    def send(self, signum: signal.Signals) -> None:
        """Does nothing to a process that is gone."""
        if self.alive():
            try:
                os.kill(self.pid, signum)
            except ProcessLookupError:
                return

    def stop(self, patience_seconds: float) -> bool:
        """SIGTERM, then SIGKILL when the patience is over. Whether it left by itself."""
        self.send(signal.SIGTERM)
        if wait_until(lambda: not self.alive(), patience_seconds):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.send(signal.SIGKILL)
        wait_until(lambda: not self.alive(), float("inf"))


def spawn_detached(command: Sequence[str], log: Path) -> Process:
    """Start a program in a session of its own, with its output appended to the log."""
    shell = ["sh", "-c", DETACH, str(log), *command]
    pid = subprocess.run(shell, stdout=subprocess.PIPE, check=True, start_new_session=True).stdout
    return Process.of(int(pid))


def wait_until(condition: Callable[[], bool], patience_seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + patience_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)  # of another process there is no event to wait for
    return True


def _birth(pid: int) -> str | None:
    """None where there is no such process, or only what is left of it until its parent takes notice (a zombie).

    A zombie whose other threads are still there is not gone: until the last of them ends, its ports are taken.
    """
    if not LINUX_BOOT_ID.exists():
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return found.stdout.strip() or None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return None
    gone = fields[STATE] in "ZX" and threads <= 1
    return None if gone else f"{LINUX_BOOT_ID.read_text().strip()}/{fields[START_TIME]}"

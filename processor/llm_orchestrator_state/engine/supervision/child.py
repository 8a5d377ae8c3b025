"""A place in a worker, and the process that is in it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence

from ..progress import Progress
from .policy import Backoff
from .reports import ReportReader


class Child:
    """name: its identity in the group, the same for each process that is started here.

    The process reads from a pipe that is closed when this one ends (see lifeline.py), and writes reports to
    another. It has a session of its own: Ctrl-C reaches the supervisor alone. descriptors: kept open in it.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int] = ()
    ) -> None:
        self.name = name
        self.backoff = Backoff()
        self.progress: Progress | None = None
        """The last that it told; None where none is running."""
        self.error = ""
        """What it told of its end, until the next start."""
        self.started_at = 0.0
        self.start_at: float | None = 0.0
        """When it is to be started; None where it is not."""
        self._command = list(command)
        self._environment = dict(environment)
        self._descriptors = tuple(descriptors)
        self._process: subprocess.Popen[bytes] | None = None
        self._reports: ReportReader | None = None

    @property
    def pid(self) -> int | None:
        """None where none is running."""
        return self._process.pid if self._process else None

    def start(self, now: float) -> int:
        """Returns the descriptor that is readable when it has told something, until it has ended. Raises OSError."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._descriptors,
            start_new_session=True,
        )
        assert self._process.stdout
        self.started_at, self.start_at, self.error = now, None, ""
        self._reports = ReportReader(self._process.stdout.fileno())
        return self._process.stdout.fileno()

    def listen(self) -> None:
        """Takes in what it has told."""
        for report in self._reports.read() if self._reports else ():
            self.progress = report.progress or self.progress
            self.error = report.error or self.error

    def send(self, number: signal.Signals) -> None:
        """Does nothing where none is running."""
        if self._process:
            self._process.send_signal(number)

    def has_ended(self) -> bool:
        """Of its own accord or not; wait() then returns at once."""
        return self._process is not None and self._process.poll() is not None

    def wait(self) -> int:
        """Its exit code, below zero the signal that ended it. What it told before is taken in."""
        process = self._process
        assert process
        assert process.stdin
        assert process.stdout
        code = process.wait()
        self.listen()
        process.stdin.close()
        process.stdout.close()
        self._process = self._reports = self.progress = None
        return code

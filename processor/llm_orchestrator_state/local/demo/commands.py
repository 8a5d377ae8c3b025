"""This package's own command line, run as a user would, each command shown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from ...errors import StateError
from ...settings import ENVIRONMENT_PREFIX, Settings, settings_table
from ...settings_sources import as_environment
from ..interrupts import uninterrupted
from ..process import wait_until
from .screen import Screen

STOP_PATIENCE_SECONDS = 10.0
"""A worker ends its transaction and leaves its group within 5 s."""

LAST_LINES = 5
"""Of the log of a command that failed: its reason stands at the end."""


class CommandFailed(Exception):
    """A command ended with an exit code that was not to be. Why has been shown."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Child:
    """A running command, in a session of its own: Ctrl-C reaches the demo alone, which ends its commands in order.

    out, log: files for its stdout and its stderr; None: both are this program's own.
    """

    def __init__(self, command: list[str], environment: dict[str, str], out: Path | None, log: Path | None) -> None:
        self.log = log
        self._out = out
        with ExitStack() as files:
            stdout, stderr = (files.enter_context(file.open("wb")) if file else None for file in (out, log))
            self._process = subprocess.Popen(
                command, env=environment, stdout=stdout, stderr=stderr, start_new_session=True
            )
        self.pid = self._process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """Its exit code."""
        return self._process.wait()

    def printed(self) -> bytes:
        """What it has printed, where there is a file for that."""
        assert self._out
        return self._out.read_bytes()

    def kill(self) -> None:
        """SIGKILL, and to whatever it has started."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, then SIGKILL when the patience is over. Its exit code."""
        self._signal(signal.SIGTERM)
        if not wait_until(lambda: not self.running(), STOP_PATIENCE_SECONDS):
            self.kill()
        return self.wait()

    def _signal(self, signum: signal.Signals) -> None:
        try:
            os.killpg(self.pid, signum)
        except ProcessLookupError:
            return  # it is gone, and all that it had started


class Commands:
    """Run with the demo's settings, which are handed on in the environment: arguments, and so passwords, could be seen
    by everybody on this machine. Of them only the topic prefix is shown.
    """

    def __init__(self, screen: Screen, settings: Settings, directory: Path) -> None:
        variable = settings_table()["topic_prefix"].environment
        screen.typed(f"export {variable}={settings.topic_prefix}")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
        self._environment = inherited | as_environment(settings)
        self._directory = directory
        self._screen = screen
        self._running: list[Child] = []

    def run(self, *words: str, tolerated: int = 0) -> int:
        """The exit code; what it prints is seen. Raises CommandFailed when it is neither 0 nor the tolerated one."""
        return self.ended(self._start(words, None), tolerated)

    def read(self, *words: str, tolerated: int = 0, quiet: bool = False) -> list[Any]:
        """The JSON objects that it prints. quiet: the command is not shown. Raises CommandFailed, as run()."""
        child = self.start(*words, quiet=quiet, json=True)
        with self._screen.working(f"{words[0]} …"):
            child.wait()
        self.ended(child, tolerated)
        return [msgspec.json.decode(line) for line in child.printed().splitlines()]

    def start(self, *words: str, quiet: bool = False, json: bool = False) -> Child:
        """It goes on beside this program, and prints to files. json: as JSON, whereas what is shown is what people type."""
        name = f"{len(self._running)}-{words[0]}"
        return self._start(words, self._directory / name, quiet=quiet, json=json)

    def ended(self, child: Child, tolerated: int = 0) -> int:
        """Its exit code, once it has ended. Raises CommandFailed, after the end of its log was shown."""
        code = child.wait()
        if code not in {0, tolerated}:
            self.failed(child)
        return code

    def failed(self, child: Child) -> NoReturn:
        """It should not have ended, or not so. Raises CommandFailed, after the end of its log was shown."""
        code = child.wait()
        if child.log:
            sys.stderr.writelines(
                f"{line}\n" for line in child.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            )
        raise CommandFailed(code if code > 0 else 128 - code if code else StateError.exit_code)

    def close(self) -> None:
        """Nothing that was started is left running."""
        for child in self._running:
            if child.running():
                child.stop()

    def _start(self, words: tuple[str, ...], files: Path | None, *, quiet: bool = False, json: bool = False) -> Child:
        if not quiet:
            self._screen.command(*words)
        command = [sys.executable, "-m", "llm_orchestrator_state", *words, *(["--json"] if json else [])]
        out, log = (files and files.with_suffix(suffix) for suffix in (".out", ".log"))
        with uninterrupted():
            child = Child(command, self._environment, out, log)
            self._running.append(child)
        return child

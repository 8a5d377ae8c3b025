"""This package's own command line, run as a user would, each command shown."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from typing import Any

import msgspec

from ..kafka.cluster import Cluster
from ..settings import PROGRAM, Settings, settings_table
from ..settings_sources import as_environment
from .process import Process
from .progress import watch

STOP_PATIENCE_SECONDS = 30.0  # a worker leaves within 5


class CommandFailed(Exception):
    """A command ended with an exit code that was not to be. It has said why."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Commands:
    """With the demo's settings, of which those that are its own are shown; the worker's log goes to its state directory.

    Settings are handed on in the environment: arguments, and so passwords, could be seen by everybody on this machine.
    """

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        variables = as_environment(settings)
        for name in ("bootstrap_servers", "topic_prefix", "group", "state_dir"):
            variable = settings_table()[name].environment
            print(f"export {variable}={shlex.quote(variables[variable])}")
        known = {setting.environment for setting in settings_table().values()}
        inherited = {name: value for name, value in os.environ.items() if name not in known}
        self._cluster = cluster
        self._environment = {**inherited, **variables}
        self._worker_log = settings.state_dir / "worker.log"

    def run(self, *words: str, tolerated: int = 0) -> int:
        """The exit code. Raises CommandFailed when it is neither 0 nor the tolerated one."""
        code = subprocess.run(self._command(*words), env=self._environment, check=False).returncode
        return _checked(code, tolerated)

    def read(self, *words: str) -> list[Any]:
        """The JSON objects that a command prints. Raises CommandFailed."""
        command = self._command(*words, "--json")
        ran = subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, check=False)
        _checked(ran.returncode)
        return [msgspec.json.decode(line) for line in ran.stdout.splitlines()]

    def fold(self) -> None:
        """Run a worker to the end of the log, with its progress; its own log is shown only if it fails.

        Raises CommandFailed.
        """
        began = time.monotonic()
        command = self._command("worker", "--until-end")
        with self._worker_log.open("wb") as log:
            worker = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        process = Process.of(worker.pid)
        try:
            watch(self._cluster, working=lambda: worker.poll() is None)
        finally:
            process.stop(STOP_PATIENCE_SECONDS)
            code = worker.wait()
        if code:
            sys.stderr.write(self._worker_log.read_text(errors="replace"))
        _checked(code)
        print(f"the worker ended after {time.monotonic() - began:.1f} s")

    def _command(self, *words: str) -> list[str]:
        print(f"\n$ {PROGRAM} {shlex.join(words)}", flush=True)
        return [sys.executable, "-m", "llm_orchestrator_state", *words]


def _checked(code: int, tolerated: int = 0) -> int:
    if code not in {0, tolerated}:
        raise CommandFailed(code)
    return code

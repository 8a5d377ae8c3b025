"""A program in a process of its own, and what it tells on its way."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.benchmarks import machine

STOP_PATIENCE_S = 20.0
SHOWN_LINES = 15


class ProgramFailed(Exception):
    """It ended, or was silent for too long; with the last lines of its log."""


class Program:
    """A Python module that runs beside this process until the with block is left.

    environment: besides this process's own. log: takes its standard error. launcher: what runs the module, if it is not
    this Python's -m.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: dict[str, str],
        log: Path,
        launcher: Sequence[str] = (sys.executable, "-m"),
    ) -> None:
        self._module = module
        self._log = log
        self.began = time.perf_counter()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*launcher, module, *arguments],
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._said = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """Of its threads that have not ended, so far."""
        return machine.running_s(self._process.pid)

    def expect(self, what: str, patience_s: float) -> dict[str, Any]:
        """What it says next under this name (a JSON object a line: {"what": …}). Raises ProgramFailed."""
        deadline = time.monotonic() + patience_s
        while True:
            line = msgspec.json.decode(self._line(deadline), type=dict[str, Any])
            if line["what"] == what:
                return line

    def _line(self, deadline: float) -> bytes:
        output = self._process.stdout
        assert output is not None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._said:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise self._failed("said nothing for too long")
                part = os.read(output.fileno(), 65_536)
                if not part:
                    raise self._failed(f"ended with {self._process.wait()}")
                self._said += part
        line, _, self._said = self._said.partition(b"\n")
        return line

    def said(self) -> list[dict[str, Any]]:
        """What it has said until its end and nobody has heard. It must have ended."""
        output = self._process.stdout
        assert output is not None
        lines = (self._said + output.read()).splitlines()
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]

    def leave_alone(self, seconds: float) -> None:
        """Let it run for so long. Raises ProgramFailed when it ends meanwhile."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise self._failed(f"ended with {code}")

    def stop(self) -> None:
        """SIGTERM, and wait for its end. Raises ProgramFailed when that is not an orderly one."""
        self._process.terminate()
        self.wait()

    def wait(self, patience_s: float = STOP_PATIENCE_S) -> None:
        """For its end. Raises ProgramFailed when that is not an orderly one."""
        try:
            code = self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise self._failed("does not end") from None
        if code:
            raise self._failed(f"ended with {code}")

    def _failed(self, how: str) -> ProgramFailed:
        last = self._log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        return ProgramFailed("\n".join([f"{self._module} {how}:", *last]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

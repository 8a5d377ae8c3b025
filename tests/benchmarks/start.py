"""How long the command line takes to say anything at all."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.system import System

COMMAND = Path(sys.executable).with_name("llm-orchestrator-state")
TIMES = 9


def start(_on: System) -> dict[str, Any]:
    flags = ("version", "help")
    for flag in flags:
        _seconds(flag)  # the first one reads the files from the disk
    return {"named": {f"start.{flag}.s": median(_seconds(flag) for _ in range(TIMES)) for flag in flags}}


def _seconds(flag: str) -> float:
    began = time.perf_counter()
    subprocess.run([str(COMMAND), f"--{flag}"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def start_text(figures: dict[str, Any]) -> str:
    named = figures["named"]
    return (
        f"start of the command line: --version {named['start.version.s']:.2f} s, --help {named['start.help.s']:.2f} s"
    )

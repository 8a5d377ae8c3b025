"""What is kept from one run to the next, in the user's cache directory: fetched once, and there only when complete."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from llm_orchestrator_state.settings import xdg_directory

CHECKOUT = Path(__file__).parents[2]
CACHE = xdg_directory("CACHE") / "docker-tests"


class Unavailable(Exception):
    """What could not be had, and what the program said that should have brought it."""


def made(name: str, make: Callable[[Path], None]) -> Path:
    """The directory of that name, which is filled by ``make`` where there is none yet."""
    place = CACHE / name
    if not place.exists():
        unfinished = place.with_name(f"{name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(place)
    return place


def digest(*contents: bytes | str) -> str:
    """A name for what is made of these."""
    parts = [each.encode() if isinstance(each, str) else each for each in contents]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:12]


def run(*command: str, environment: Mapping[str, str] | None = None, given: str | None = None) -> str:
    """What it prints; given: what it can read. Raises Unavailable with its last complaint."""
    asked = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if asked.returncode:
        complaints = [line for line in (asked.stdout + asked.stderr).splitlines() if line.strip()]
        raise Unavailable(f"{' '.join(command[:2])}: {(complaints or ['it does not say why'])[-1]}")
    return asked.stdout

"""Runs these tests where there is a Docker engine: the one that answers, else one of their own.

python -m tests.docker [pytest arguments]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from llm_orchestrator_state.errors import MissingProgram
from tests.docker import engine, sources
from tests.docker.cache import Unavailable


def main(arguments: Sequence[str]) -> int:
    pytest = [sys.executable, "-m", "pytest", "tests/docker", *arguments]
    try:
        return _run(pytest)
    except (engine.NoEngine, Unavailable, MissingProgram) as why:
        return engine.without(pytest, why)


def _run(pytest: Sequence[str]) -> int:
    if engine.answers():
        return subprocess.run(pytest, check=False).returncode
    engine.install()
    sources.fetch_all()  # in the engine's network there is nothing to fetch from
    return engine.run(pytest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What Docker knows of a container."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.docker.cache import run

POLL_S = 0.3
"""Each look is a program that has to start, on cores that the container needs."""


def state_of(container: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(run("docker", "inspect", container))[0]["State"]
    return state


def becomes_healthy(container: str, patience_s: float) -> bool:
    """Whether it did so in time, and has not ended."""
    deadline = time.monotonic() + patience_s
    while (state := state_of(container))["Running"] and time.monotonic() < deadline:
        if state["Health"]["Status"] == "healthy":
            return True
        time.sleep(POLL_S)
    return False

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.processes import CHECKOUT

LATER_S = 600.0
"""Than its faults: brokers that start, the quiet at the end, and the comparison, on a machine that is busy."""

SEED = 7


def command(minutes: float, seed: int = SEED) -> list[str]:
    return [sys.executable, "-m", "tests.faults.soak", "--minutes", str(minutes), "--seed", str(seed)]


def soak(minutes: float, seed: int) -> dict[str, Any]:
    """Its last line."""
    ran = subprocess.Popen(command(minutes, seed), stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    try:
        told, _ = ran.communicate(timeout=60 * minutes + LATER_S)
    finally:
        ran.send_signal(signal.SIGTERM)
        ran.wait()
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    assert ran.returncode == (1 if found["differences"] else 0)
    return found


@pytest.mark.soak
def test_nothing_is_different_after_two_minutes_of_random_faults() -> None:
    found = soak(2, SEED)
    assert found["differences"] == 0, found
    assert found["faults"] >= 3
    assert found["events"] > 30_000
    assert set(found["recovery_ms"]) == {"p50", "max"}


@pytest.mark.long
@pytest.mark.soak
def test_nothing_is_different_after_half_an_hour_of_random_faults() -> None:
    found = soak(30, SEED)
    assert found["differences"] == 0, found

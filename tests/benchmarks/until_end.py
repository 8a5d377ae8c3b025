"""A log that is there, judged by one worker to its end."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import machine
from tests.benchmarks.program import Program
from tests.benchmarks.system import Topics

STARTING_S = 120.0
PATIENCE_S = 1_800.0
"""For whole logs: the longest states cost a hundred times what the shortest do."""


def until_end(made: Topics, commit_interval_s: float = 0.2) -> dict[str, Any]:
    """What the worker has said of it (see worker.py), and CPU seconds of the broker and of everything else meanwhile."""
    log = made.system.directory / "worker.log"
    broker = made.system.broker_pid
    environment = made.environment(commit_interval_s)
    with Program("tests.benchmarks.worker", "--until-end", environment=environment, log=log) as program:
        program.expect("began", STARTING_S)
        broker_s, busy_s = machine.cpu_s(broker) if broker else 0.0, machine.busy_s()
        said = program.expect("ended", PATIENCE_S)
        broker_s, busy_s = (machine.cpu_s(broker) - broker_s if broker else 0.0), machine.busy_s() - busy_s
        program.wait()
    return {
        **said,
        "broker_s": broker_s,
        "other_s": busy_s - broker_s - said["cpu_s"],
    }

"""What is written for a run with large outputs."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NamedTuple

from tests.benchmarks.machine import peak_mib
from tests.benchmarks.peers.conditions import Conditions
from tests.benchmarks.peers.ours import Ours
from tests.benchmarks.peers.tables import table
from tests.benchmarks.probes import probes
from tests.benchmarks.system import System, Topics, topics
from tests.benchmarks.workload import of_steps, workload

OUTPUT_DIGITS = 20_000
STARTING_S, PATIENCE_S = 60.0, 30.0

Figures = dict[str, Any]


class _Written(NamedTuple):
    records: int
    bytes: int


def large_outputs(on: System, steps: int) -> Figures:
    """One run with large outputs, one event per commit, a checkpoint after each step: what is written for it."""
    shape = of_steps(steps, 1, OUTPUT_DIGITS)
    with ExitStack() as open_, topics(on, "outputs", "step") as made:
        made.keep_everything()
        (worker,) = Ours.as_started().programs(
            made, made.cluster.group, made.state_dir, Conditions("outputs", 0, 1, 200)
        )
        open_.enter_context(worker)
        with probes(made) as probing:
            for event in workload(shape, shape.events):
                probing.send(event)
                probing.receive_all(STARTING_S if not probing.latencies_s else PATIENCE_S)
        mib = peak_mib(worker.pid)
        worker.stop()
        names = made.cluster.topics
        published = _written(made, names.events)
        written = {name: _written(made, getattr(names, name)) for name in ("state", "checkpoints", "outputs")}
    ratio = sum(each.bytes for each in written.values()) / published.bytes
    return {
        "steps": steps,
        "output_bytes": OUTPUT_DIGITS,
        "events": published._asdict(),
        "written": {name: each._asdict() for name, each in written.items()},
        "peak_mib": mib,
        "named": {"flat.large_outputs": ratio, "peak_mib.large_outputs": mib},
    }


def _written(made: Topics, topic: str) -> _Written:
    sizes = [len(message) + len(message.key() or b"") for message in made.records(topic)]
    return _Written(len(sizes), sum(sizes))


def large_outputs_text(figures: Figures) -> str:
    head = [f"a run of {figures['steps']} steps with outputs of {figures['output_bytes']:,} bytes", "records", "bytes"]
    each = {"events": figures["events"], **figures["written"]}
    lines = [[name, f"{found['records']:,}", f"{found['bytes']:,}"] for name, found in each.items()]
    ratio = figures["named"]["flat.large_outputs"]
    return f"{table(head, lines)}\n\nwritten: {ratio:.2f} times the events' bytes; peak {figures['peak_mib']:,.0f} MiB"

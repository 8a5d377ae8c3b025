"""Measures throughput, latency, restore, the publisher, the reader and the store on a real Kafka.

The figures wanted are those of an idle machine.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, NoReturn

import msgspec

from llm_orchestrator_state.errors import StateError
from tests.benchmarks import report
from tests.benchmarks.latency import latency
from tests.benchmarks.machine import machine
from tests.benchmarks.program import ProgramFailed
from tests.benchmarks.publisher import publisher
from tests.benchmarks.reader import reader
from tests.benchmarks.restore import restore
from tests.benchmarks.store import store
from tests.benchmarks.system import System, system
from tests.benchmarks.throughput import throughput

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

PARTS = ("throughput", "latency", "restore", "publisher", "reader", "store")


class Sizes(NamedTuple):
    events: int
    states: int
    probes: int
    idle_s: float
    load_s: float
    published: int
    steps: int
    runs: int
    calls: int


FULL = Sizes(
    events=1_000_000, states=500_000, probes=200, idle_s=10, load_s=10, published=300_000, steps=100_000, runs=10_000,
    calls=1_000,
)  # fmt: skip
QUICK = Sizes(
    events=30_000, states=10_000, probes=50, idle_s=3, load_s=2, published=20_000, steps=5_000, runs=500, calls=50
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/benchmarks/run", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes: that it works, in less than a minute")
    parser.add_argument("--events", type=int, metavar="N", help=f"of throughput; default: {FULL.events:,}")
    parser.add_argument("--states", type=int, metavar="N", help=f"of restore; default: {FULL.states:,}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    parser.add_argument(
        "--bootstrap", metavar="HOST:PORT", help="a Kafka to use; default: one that is started for this"
    )
    parser.add_argument("--broker-pid", type=int, metavar="PID", help="of that Kafka, if it is here: for its CPU time")
    parser.add_argument(
        "-X",
        dest="properties",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a librdkafka property of the worker",
    )
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, _interrupted)
    logging.basicConfig(level=logging.ERROR)  # a broker that has just started is told to be loading, and retried
    sizes = QUICK if given.quick else FULL
    sizes = sizes._replace(events=given.events or sizes.events, states=given.states or sizes.states)
    figures: dict[str, Any] = {"machine": machine(own_broker=given.bootstrap is None)}
    print(report.machine_text(figures["machine"]), flush=True)
    properties = dict(each.split("=", 1) for each in given.properties)
    with system(given.bootstrap, given.broker_pid, properties) as on:
        for part in given.parts or PARTS:
            figures[part] = _measure(part, on, sizes)
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    return 1 if any(each["wrong"] for each in figures.get("throughput", ())) else 0


def _measure(part: str, on: System, sizes: Sizes) -> Any:
    figures: Any
    if part == "throughput":
        figures = throughput(on, sizes.events)
        text = report.throughput_text(figures)
    elif part == "latency":
        figures = latency(on, sizes.probes, sizes.idle_s, sizes.load_s)
        text = report.latency_text(figures)
    elif part == "publisher":
        figures = publisher(on, sizes.published, sizes.steps)
        text = report.publisher_text(figures)
    elif part == "reader":
        figures = reader(on, sizes.states, sizes.probes)
        text = report.reader_text(figures)
    elif part == "store":
        figures = store(on, sizes.runs, sizes.calls)
        text = report.store_text(figures)
    else:
        figures = restore(on, sizes.states)
        text = report.restore_text(figures)
    print(f"\n{text}", flush=True)
    return figures


def _interrupted(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt  # what was started is stopped on the way out


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ProgramFailed, StateError) as failed:
        sys.exit(f"error: {failed}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

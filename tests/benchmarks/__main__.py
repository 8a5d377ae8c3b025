"""Measures on a real Kafka what the product costs and how fast it is, also beside Kafka Streams, Quix Streams and Faust.

The figures wanted are those of an idle machine.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import NoReturn

from llm_orchestrator_state.errors import StateError
from tests.benchmarks import report
from tests.benchmarks.machine import machine
from tests.benchmarks.output import Output
from tests.benchmarks.parts import FULL, PARTS, QUICK, QUICK_PARTS, chosen
from tests.benchmarks.program import ProgramFailed
from tests.benchmarks.system import system

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

OUTPUT = Path(__file__).parents[2] / ".benchmarks"


def main() -> int:
    given = _arguments()
    signal.signal(signal.SIGTERM, _interrupted)
    logging.basicConfig(level=logging.ERROR)  # a broker that has just started is told to be loading, and retried
    sizes = QUICK if given.quick else FULL
    sizes = sizes._replace(events=given.events or sizes.events, states=given.states or sizes.states)
    output = Output(given.output, given.json)
    measured_on = machine(own_broker=given.bootstrap is None)
    output.add("machine", measured_on, report.machine_text(measured_on))
    properties = dict(each.split("=", 1) for each in given.properties)
    names = chosen(given.parts, is_quick=given.quick)
    for delay_ms, alike in groupby(names, lambda name: PARTS[name].rebalance_delay_ms):
        with system(given.bootstrap, given.broker_pid, properties, delay_ms) as on:
            for name in alike:
                began = time.perf_counter()
                figures = PARTS[name].measure(on, sizes)
                output.add(name, figures, PARTS[name].text(figures))
                print(f"{name} took {time.perf_counter() - began:.0f} s\n", file=sys.stderr)
    output.draw()
    return 1 if output.is_wrong else 0


def _arguments() -> argparse.Namespace:
    every_time = ", ".join(chosen((), is_quick=False))
    by_name = ", ".join(name for name, part in PARTS.items() if part.only_by_name)
    parser = argparse.ArgumentParser(prog="tests/benchmarks/run", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {every_time} (default: all of these); and of {by_name}"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"small sizes, and of the peers Kafka Streams on A only; default then: {', '.join(QUICK_PARTS)}",
    )
    parser.add_argument(
        "--events", type=int, metavar="N", help=f"of throughput, and of peers on A; default: {FULL.events:,}"
    )
    parser.add_argument("--states", type=int, metavar="N", help=f"of restore; default: {FULL.states:,}")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write all figures; default: in the directory"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIRECTORY", default=OUTPUT, help="where to write the report and its plots"
    )
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
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    return given


def _interrupted(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt  # what was started is stopped on the way out


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ProgramFailed, StateError) as failed:
        sys.exit(f"error: {failed}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

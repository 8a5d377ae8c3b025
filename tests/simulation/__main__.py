"""Runs seeded schedules: python -m tests.simulation --seeds 0:5000, or --seed 17 [--trace] to replay one.

--coverage counts how often they reach each safeguard of the engine; --without shows which seed fails without one.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import sys
import time
import traceback
from collections.abc import Iterable, Iterator

from tests.simulation.coverage import first_failure, reached
from tests.simulation.rewriting import line_number
from tests.simulation.safeguards import SAFEGUARDS
from tests.simulation.schedule import run_schedule

MAX_FAILURES = 30

COLLECT_EVERY = 200
"""Schedules between two garbage collections: what a schedule leaves is small and cyclic."""

STUCK_S = 300.0
"""For as many schedules, which take seconds: one of them has not come to its end, and the stack tells where."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", default="0:1000", metavar="A:B", help="run the seeds from A up to, not including, B")
    which.add_argument("--seed", type=int, help="replay one schedule")
    parser.add_argument("--coverage", action="store_true", help="fail where a safeguard of the engine is not reached")
    parser.add_argument("--without", metavar="TEXT", help="take out each safeguard whose rule has this text")
    parser.add_argument("--trace", action="store_true", help="print every external call")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failing seed")
    arguments = parser.parse_args()
    if arguments.trace:
        logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="              %(message)s")
    else:
        logging.disable(logging.CRITICAL)
    if arguments.seed is not None:
        first, end = arguments.seed, arguments.seed + 1
    else:
        first, end = (int(part) for part in arguments.seeds.split(":"))
    if arguments.without is not None:
        return 1 if take_out(arguments.without, first, end) else 0
    if arguments.coverage:
        return 1 if cover(first, end) else 0
    return 1 if run(first, end, trace=arguments.trace, keep_going=arguments.keep_going) else 0


def thawed(seeds: Iterable[int]) -> Iterator[int]:
    """These seeds, with the garbage of their schedules collected now and then, and an end to one that has none."""
    gc.disable()
    try:
        for n, seed in enumerate(seeds):
            if n % COLLECT_EVERY == 0:
                faulthandler.dump_traceback_later(STUCK_S, exit=True)
                gc.unfreeze()  # a worker freezes what it begins with
                gc.collect()
            yield seed
    finally:
        faulthandler.cancel_dump_traceback_later()


def cover(first: int, end: int) -> int:
    """Returns how many safeguards are not reached."""
    found = reached(thawed(range(first, end)))
    for times, safeguard in sorted(found, key=lambda each: each[0]):
        print(f"{times:9,}  {safeguard.rule} ({safeguard.line.file}:{line_number(safeguard.line)})")
    missing = sum(not times for times, _ in found)
    print(f"{len(found) - missing} of {len(found)} safeguards reached by {end - first:,} schedules")
    return missing


def take_out(text: str, first: int, end: int) -> int:
    """Returns how many safeguards are not missed."""
    unmissed = 0
    for safeguard in SAFEGUARDS:
        if text not in safeguard.rule:
            continue
        found = first_failure(safeguard, thawed(range(first, end)))
        unmissed += found is None
        seen = f"seed {found[0]}: {type(found[1]).__name__}" if found else "no schedule fails"
        print(f"{seen}: without the rule that {safeguard.rule}", flush=True)
    return unmissed


def run(first: int, end: int, *, trace: bool, keep_going: bool) -> int:
    """Returns how many seeds failed."""
    failed = 0
    began = time.perf_counter()
    for seed in thawed(range(first, end)):
        try:
            run_schedule(seed, trace=print if trace else None)
        except Exception as error:  # noqa: BLE001 whatever a schedule ends with is its result
            failed += 1
            if keep_going:
                print(f"seed {seed}: {type(error).__name__}: {error}"[:300])
            else:
                traceback.print_exc()
            print(f"replay: python -m tests.simulation --seed {seed} --trace", flush=True)
            if not keep_going or failed == MAX_FAILURES:
                break
    else:
        seed = end - 1
    count = seed + 1 - first
    elapsed = time.perf_counter() - began
    print(f"{count - failed} of {count} schedules clean, {count / elapsed * 60:,.0f} a minute")
    return failed


if __name__ == "__main__":
    sys.exit(main())

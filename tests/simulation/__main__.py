"""Runs seeded schedules: python -m tests.simulation --seeds 0:5000, or --seed 17 [--trace] to replay one."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import sys
import time
import traceback

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
    return 1 if run(first, end, trace=arguments.trace, keep_going=arguments.keep_going) else 0


def run(first: int, end: int, *, trace: bool, keep_going: bool) -> int:
    """Returns how many seeds failed."""
    failed = 0
    began = time.perf_counter()
    gc.disable()
    faulthandler.dump_traceback_later(STUCK_S, exit=True)
    for seed in range(first, end):
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
        if (seed - first) % COLLECT_EVERY == COLLECT_EVERY - 1:
            faulthandler.dump_traceback_later(STUCK_S, exit=True)
            gc.unfreeze()  # a worker freezes what it begins with
            gc.collect()
    else:
        seed = end - 1
    faulthandler.cancel_dump_traceback_later()
    count = seed + 1 - first
    elapsed = time.perf_counter() - began
    print(f"{count - failed} of {count} schedules clean, {count / elapsed * 60:,.0f} a minute")
    return failed


if __name__ == "__main__":
    sys.exit(main())

"""Play many histories: `python tests/runtime/simulation --seeds 100000 [--from 0]`."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from sim_schedule import FAULTS, Failure, Plan, run, shrunk


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--stop-after", type=int, default=5, help="failures")
    parser.add_argument("--whole", action="store_true", help="do not shrink what fails")
    parser.add_argument(
        "--without", action="append", default=[], choices=FAULTS, help="a kind of fault; may be repeated"
    )
    given = parser.parse_args()
    faults = frozenset(FAULTS).difference(given.without)
    seen: Counter[str] = Counter()
    failures = 0
    began = time.perf_counter()
    for seed in range(given.first, given.first + given.seeds):
        try:
            seen += run(Plan(seed, faults=faults))
        except Failure:
            failures += 1
            if not given.whole:
                try:
                    run(shrunk(Plan(seed, faults=faults)))
                except Failure as smaller:
                    failure = smaller
            print(f"seed {seed} fails: {failure}\n", flush=True)
            if failures >= given.stop_after:
                break
    took = time.perf_counter() - began
    print(
        f"{given.seeds} histories in {took:.1f} s, {given.seeds / took:.0f} a second; {failures} failed; {dict(seen)}"
    )
    return min(failures, 1)


raise SystemExit(main())

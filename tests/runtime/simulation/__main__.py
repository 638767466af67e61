"""Play many histories: `python tests/runtime/simulation --seeds 100000 [--from 0] [--law]`."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from sim_law import run_law
from sim_ledger import Violation
from sim_schedule import FAULTS, Failure, Plan, failure_of, run, shrunk


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--law", action="store_true", help="commands only, without the runtime")
    parser.add_argument("--stop-after", type=int, default=5, help="failures")
    parser.add_argument("--whole", action="store_true", help="do not shrink what fails")
    parser.add_argument("--without", action="append", default=[], choices=FAULTS, help="may be repeated")
    given = parser.parse_args()
    faults = frozenset(FAULTS).difference(given.without)
    seen: Counter[str] = Counter()
    failures = played = 0
    began = time.perf_counter()
    for seed in range(given.first, given.first + given.seeds):
        plan = Plan(seed, faults=faults)
        played += 1
        try:
            seen += run_law(seed) if given.law else run(plan)
        except (Failure, Violation) as failure:
            failures += 1
            smaller = None if given.law or given.whole else failure_of(shrunk(plan))
            print(f"seed {seed} fails: {smaller or failure}\n", flush=True)
        if failures >= given.stop_after:
            break
    took = time.perf_counter() - began
    print(f"{played} histories in {took:.1f} s, {played / took:.0f} a second; {failures} failed; {dict(seen)}")
    return min(failures, 1)


if __name__ == "__main__":
    raise SystemExit(main())

"""The command: measures, prints the table, and writes it as JSON where asked."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from .goals import DBOS, asked_for
from .run import Scale, measure, versions
from .table import lines, record


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"turns of each contestant (default {Scale().rounds})")
    parser.add_argument("--only", help="numbers of measures, e.g. 1,7")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--disk", type=Path, help="a directory on the disk to measure (default: the temporary one)")
    parser.add_argument("--tiny", action="store_true", help="a few calls of everything: shows that it works, no more")
    asked = parser.parse_args()
    try:
        measures = asked_for(asked.only)
    except ValueError as error:
        parser.error(str(error))
    scale = Scale.tiny() if asked.tiny else Scale()
    if asked.rounds is not None:
        scale = replace(scale, rounds=max(1, asked.rounds))
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=asked.disk) as base:
        results = measure(measures, scale, Path(base), lambda text: print(f"... {text}", file=sys.stderr))
    records = [record(each, results) for each in measures]
    made_with = versions()
    notes = [
        f"medians of {scale.rounds} shuffled rounds; {DBOS} is slow: 5 rounds at most, a twentieth of the calls, and "
        f"workflows of {scale.steps_of(DBOS):,} steps, of which the resumed ones are scaled to {scale.steps:,}",
        "; ".join(f"{name} {version}" for name, version in made_with.items()),
    ]
    print("\n".join(lines(records, notes)))
    if asked.json is not None:
        made = {"versions": made_with, "scale": asdict(scale), "measures": records}
        asked.json.write_text(json.dumps(made, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

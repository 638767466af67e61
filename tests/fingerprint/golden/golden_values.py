"""The digests of a table of values, as JSON; run by itself it prints them, with ``write`` it writes them down."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from values_under_test import PANDAS, arrays_under_test, builtins_under_test, fp, frames_under_test

GOLDEN = Path(__file__).with_name("values.json")
# These hold what numpy draws, or how this machine stores a long double.
MACHINE = frozenset(("longdouble", "clongdouble", "np.longdouble"))


def computed() -> dict[str, dict[str, str]]:
    groups = {"builtins": builtins_under_test(), "arrays": arrays_under_test()}
    if PANDAS >= 3:  # text is of another type before
        groups["frames"] = frames_under_test()
    return {
        group: {name: fp(value) for name, value in values.items() if name not in MACHINE}
        for group, values in groups.items()
    }


if __name__ == "__main__":
    found = json.dumps(computed(), indent=0, ensure_ascii=True)
    if sys.argv[1:] == ["write"]:
        GOLDEN.write_text(found + "\n")
    else:
        print(found)

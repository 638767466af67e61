"""The digests of a table of values, as JSON; run by itself it prints them, with ``write`` it writes them down."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from packages_under_test import (
    arrow_under_test,
    graphs_under_test,
    images_under_test,
    polars_under_test,
    sparse_under_test,
)
from values_under_test import PANDAS, arrays_under_test, builtins_under_test, fp, frames_under_test

GOLDEN = Path(__file__).with_name("values.json")
# These hold how this machine stores a long double, or a form of their own that polars and pyarrow write.
MOVING = frozenset(("longdouble", "clongdouble", "np.longdouble"))
FORMS = ("pl expression", "pa expression")


def computed() -> dict[str, dict[str, str]]:
    groups = {
        "builtins": builtins_under_test(),
        "arrays": arrays_under_test(),
        "polars": polars_under_test(),
        "arrow": arrow_under_test(),
        "graphs": graphs_under_test(),
        "images": images_under_test(),
        "sparse": sparse_under_test(),
    }
    if PANDAS >= 3:  # text is of another type before
        groups["frames"] = frames_under_test()
    return {
        group: {name: fp(value) for name, value in values.items() if name not in MOVING and not name.startswith(FORMS)}
        for group, values in groups.items()
    }


if __name__ == "__main__":
    found = json.dumps(computed(), indent=0, ensure_ascii=True)
    if sys.argv[1:] == ["write"]:
        GOLDEN.write_text(found + "\n")
    else:
        print(found)

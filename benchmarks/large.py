"""Large values, functions that are given or read them, and modules of many small functions."""

from __future__ import annotations

import importlib.util
import itertools
import linecache
from pathlib import Path
from types import ModuleType
from typing import Any

HELPERS = 300

TABLE: Any = ()
"""What `over_table` reads; `load` puts it there."""

_count = itertools.count()


def length(x: Any) -> int:
    return len(x)


def over_table(x: int) -> int:
    return len(TABLE) + x


def load(megabytes: int) -> None:
    """`TABLE` is a frame of floats from here on."""
    global TABLE
    import pandas as pd

    TABLE = pd.DataFrame(array(megabytes).reshape(-1, 10), columns=list("abcdefghij"))


def array(megabytes: int) -> Any:
    """Random floats."""
    import numpy as np

    return np.random.default_rng(megabytes).random(megabytes * 125_000)


def frame(megabytes: int) -> Any:
    """Floats, integers, instants, texts and categories, of about so many megabytes together."""
    import numpy as np
    import pandas as pd

    rows = megabytes * 12_500
    numbers = np.random.default_rng(megabytes).random((4, rows))
    words = [f"carrier {number % 1_000}" for number in range(rows)]
    return pd.DataFrame(
        {
            **dict(zip("abcd", numbers, strict=True)),
            "day": pd.date_range("2013-01-01", periods=rows, freq="s"),
            "flight": np.arange(rows),
            "carrier": pd.Series(words, dtype="str"),
            "origin": pd.Categorical(words),
            "tail": pd.Series(words[::-1], dtype="str"),
        }
    )


def helpers(directory: Path) -> ModuleType:
    """A module that nobody has seen before, whose function `top` reaches `HELPERS` others and as many constants."""
    number = next(_count)
    parts = ["def top(x):", "    return h0(x)", ""]
    for position in range(HELPERS):
        more = f"h{position + 1}(x) + " if position + 1 < HELPERS else ""
        parts += [
            f"C{position} = {position + number}",
            f"def h{position}(x, scale=2):",
            f'    """Helper {position}."""',
            "    total = 0",
            "    for step in range(x % 3):",
            f"        total += step * C{position} if step > 1 else len([y for y in range(step)])",
            "    try:",
            f"        return {more}total * scale",
            "    except ValueError as error:",
            f'        raise RuntimeError(f"h{position} failed: {{error}}") from error',
        ]
    name = f"helpers_{number}"
    path = directory / f"{name}.py"
    path.write_text("\n".join(parts), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    linecache.getlines(str(path))
    return module

"""The Python in a notebook's file, for functions of a notebook that was imported as a module."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache

from ._parse import parse

_MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)


@lru_cache(maxsize=8)
def python_of(text: str) -> list[str]:
    """The lines of all cells of code, one cell after the other; [] where it is no notebook.

    A line that only IPython understands is `pass`: a function with one in its body has other code than its text, and
    is not found. A cell that is no Python even so is left out.

    Args:
        text: of the file, as it is stored.
    """
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        return []
    return [line for source in sources for line in _plain(source)]


def _plain(source: str) -> Iterator[str]:
    for text in (source, _MAGIC.sub(r"\1pass", source)):
        try:
            parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        yield from f"{text}\n".splitlines(keepends=True)
        return

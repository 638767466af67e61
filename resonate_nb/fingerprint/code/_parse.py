"""Text -> tree, whatever other threads parse meanwhile.

CPython counts how deep the parsers of all threads are together. A thread that another one overtakes, which takes no
more than a collection of garbage in its middle, is told that the parser is broken (SystemError, "AST constructor
recursion depth mismatch") or that the text is nested too deeply. Neither is so: it is asked again.
"""

from __future__ import annotations

import ast
import threading

from ...forks import held_over_forks

_MOST = 20
_MOST_TOO_DEEP = 3

lock = held_over_forks(threading.RLock())
"""At least two of ours are never at it at the same time."""


def parse(source: str, filename: str = "<unknown>") -> ast.Module:
    """The tree of a module's text.

    Raises:
        SyntaxError, ValueError: as `ast.parse`.
        RecursionError: it is nested too deeply.
    """
    too_deep = 0
    for asked in range(_MOST):
        try:
            with lock:
                return ast.parse(source, filename)
        except SystemError:
            if asked == _MOST - 1:
                raise
        except RecursionError:
            too_deep += 1
            if too_deep == _MOST_TOO_DEEP:
                raise
    raise AssertionError("unreachable")

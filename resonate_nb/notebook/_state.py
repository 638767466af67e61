"""State of the process that a cell may change beside its names: settings and directories.

In this stage such a change is not recorded, so a cell that made one is not replayed, and says which it was. Not so the
global random generators, which are recorded and set again: they have a module of their own (`_generators.py`).
"""

from __future__ import annotations

import ast
import locale
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from resonate_nb.records import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """Tokens of what is watched; a token that is absent belongs to a package that is not loaded yet."""

    tokens: Mapping[str, object]
    modules: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Watched:
    phrase: str
    """What a cell did that changed it, after "it"."""
    words: tuple[str, ...]
    """Names in the cell's text that may have done it: the first of them gives the line."""
    is_set_by_imports: bool = False
    """Importing a package changes it, too, and a replay imports again: without one of the words it does not count."""


_WATCHED = {
    "cwd": _Watched("changed the working directory", ("chdir",)),
    "sys.path": _Watched("changed `sys.path`", ("path",)),
    "environ": _Watched("changed environment variables", ("environ", "putenv"), is_set_by_imports=True),
    "warnings": _Watched(
        "changed the warnings filters", ("filterwarnings", "simplefilter", "resetwarnings"), is_set_by_imports=True
    ),
    "rcParams": _Watched(
        "changed matplotlib's rcParams",
        ("rcParams", "rc", "style", "use", "set_theme", "set", "set_style", "set_palette"),
    ),
    "pandas.options": _Watched("changed pandas' options", ("options", "set_option"), is_set_by_imports=True),
    "numpy.options": _Watched("changed numpy's print or error settings", ("set_printoptions", "seterr")),
    "decimal": _Watched("changed the decimal context", ("getcontext", "setcontext")),
    "locale": _Watched("changed the locale", ("setlocale",)),
}  # fmt: skip


def look() -> State:
    """The state as it is now; costs some tenths of a millisecond."""
    tokens: dict[str, object] = {
        "sys.path": tuple(sys.path),
        "environ": dict(os.environ),
        "warnings": tuple(warnings.filters),
        "locale": locale.setlocale(locale.LC_ALL),
    }
    try:
        tokens["cwd"] = os.getcwd()
    except FileNotFoundError:  # it was deleted under us
        tokens["cwd"] = None
    modules: Mapping[str, Any] = sys.modules
    if (numpy := _loaded("numpy")) is not None:
        tokens["numpy.options"] = repr((numpy.get_printoptions(), numpy.geterr()))
    if (matplotlib := _loaded("matplotlib")) is not None and hasattr(matplotlib, "rcParams"):
        tokens["rcParams"] = _settings(matplotlib.rcParams)
    if (config := _loaded("pandas._config.config")) is not None:
        tokens["pandas.options"] = repr(getattr(config, "_global_config", None))
    if (decimal := _loaded("decimal")) is not None:
        tokens["decimal"] = repr(decimal.getcontext())
    return State(tokens, frozenset(modules))


def changes(tree: ast.Module, before: State, after: State) -> list[tuple[str, int | None]]:
    """What a cell changed between the two looks: a phrase that follows "it", and the line if the text shows one."""
    found: list[tuple[str, int | None]] = []
    imported_anything = after.modules != before.modules
    for name, watched in _WATCHED.items():
        if name not in after.tokens:
            continue
        old = before.tokens[name] if name in before.tokens else _fresh(name, after.tokens[name])
        if old == after.tokens[name]:
            continue
        line = _line(tree, watched.words)
        if watched.is_set_by_imports and imported_anything and line is None:
            continue
        found.append((watched.phrase, line))
    return found


def _fresh(name: str, now: object) -> object:
    """The token as it was when its package had just been loaded (by this very cell)."""
    if name == "rcParams":
        original = getattr(_loaded("matplotlib"), "rcParamsOrig", None)
        return now if original is None else _settings(original)
    return now


def _settings(parameters: Any) -> dict[str, str]:
    # The backend settles at the first plot, by itself. Read past the mapping's own look-up, which would settle it.
    return {k: repr(v) for k, v in dict.items(parameters) if not k.startswith(("backend", "interactive"))}


def _loaded(name: str) -> Any:
    return sys.modules.get(name)


def _line(tree: ast.Module, words: tuple[str, ...]) -> int | None:
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in words) or (isinstance(node, ast.Name) and node.id in words)
    ]
    return min(lines, default=None)

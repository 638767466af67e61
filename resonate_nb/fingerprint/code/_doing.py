"""What code does to the process it runs in, by name: a replay does not do it again. Nothing is imported for it.

Not told is what the same code undoes, in a `finally` or at the end of a `with` that is there for it.
"""

from __future__ import annotations

import ast
import os
import sys
from types import BuiltinFunctionType, FunctionType

from .._kinds import is_a
from ._uses import Use, chain_of

NOT_REPLAYED = "; a replay does not"
"""So end these phrases."""

_VARIABLES = "sets environment variables"
_FILTERS = "sets the filters of warnings"

_FUNCTIONS = {
    "chdir": ("os", "changes the working directory"),
    "fchdir": ("os", "changes the working directory"),
    "putenv": ("os", _VARIABLES),
    "unsetenv": ("os", _VARIABLES),
    "setlocale": ("locale", "sets the locale"),
    "filterwarnings": ("warnings", _FILTERS),
    "resetwarnings": ("warnings", _FILTERS),
    "simplefilter": ("warnings", _FILTERS),
}
_WORDS = frozenset(("environ", "environb", "path", *_FUNCTIONS))
_UNDOING = frozenset(("catch_warnings", "patch", "MonkeyPatch", "monkeypatch"))


def doing(value: object, use: Use, undone: frozenset[str]) -> str:
    """What a use of this value does, before "in f"; empty for nearly all. `undone`: the words of `undone_in`."""
    if value is os.environ or value is getattr(os, "environb", os.environ):
        phrase = _VARIABLES if use.is_put else ""
    elif value is sys.path:
        phrase = "changes `sys.path`" if use.is_put else ""
    elif use.is_called and (is_a(value, FunctionType) or is_a(value, BuiltinFunctionType)):
        module, phrase = _FUNCTIONS.get(value.__name__, ("", ""))
        if phrase and getattr(sys.modules.get(module), value.__name__, None) is not value:
            phrase = ""
    else:
        return ""
    return phrase + NOT_REPLAYED if phrase and undone.isdisjoint((use.name, *use.chain)) else ""


def undone_in(node: ast.Try | ast.With) -> frozenset[str]:
    """The words for what is done and undone, where this is a statement that undoes."""
    body = node.finalbody if isinstance(node, ast.Try) else node.body if _is_undoing(node) else []
    parts = [part for statement in body for part in ast.walk(statement)]
    named = {part.attr for part in parts if isinstance(part, ast.Attribute) and chain_of(part) != ("os", ("path",))}
    return _WORDS & (named | {part.id for part in parts if isinstance(part, ast.Name)})


def _is_undoing(node: ast.With) -> bool:
    made = (item.context_expr for item in node.items)
    chains = (chain_of(each.func if isinstance(each, ast.Call) else each) for each in made)
    return any(found is not None and not _UNDOING.isdisjoint((found[0], *found[1])) for found in chains)

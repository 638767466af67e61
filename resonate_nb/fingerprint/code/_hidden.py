"""Doors: what leads code to variables that it does not spell as names, and to which, where its text says that."""

from __future__ import annotations

import builtins
import os
import re
import sys
from types import FunctionType, MethodType

from ...records import dataclass
from .._kinds import is_a
from ._uses import Use

_NAMESPACES = {id(builtins.locals): "locals", id(builtins.vars): "vars", id(builtins.dir): "dir"}
_IF_COMPUTED = {id(builtins.getattr): "getattr", id(builtins.__import__): "__import__"}
_STORING = {id(builtins.setattr): "setattr", id(builtins.delattr): "delattr"}
# Of modules that may not be loaded: what they are called is known, what they are only when they are.
_EVALUATING = frozenset({"builtins.eval", "numexpr.evaluate", "pandas.eval"})
_BINDING = frozenset(
    {
        "IPython.get_ipython",
        "builtins.breakpoint",
        "builtins.exec",
        "inspect.currentframe",
        "inspect.stack",
        "sys._getframe",
    }
)
_LEADING = frozenset(
    {
        "gc.get_objects",
        "gc.get_referrers",
        "importlib.util.module_from_spec",
        "importlib.util.spec_from_file_location",
        "inspect.getsource",
        "inspect.getsourcelines",
        "pkgutil.resolve_name",
        "pydoc.locate",
        "runpy.run_module",
        "runpy.run_path",
        "sys.modules",
    }
)
READ_ONLY = frozenset({"__subclasses__", "getsource", "getsourcelines"})
"""Words that lead to names or texts, and bind nothing there."""
# Words in a text that is evaluated which lead on from there.
_LEADING_WORDS = frozenset(
    {"__import__", "compile", "dir", "eval", "exec", "getattr", "globals", "locals", "open", "setattr", "vars"}
)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")

_LOADS = frozenset({"load", "loads", "Unpickler"})
_UNPICKLING = {
    "_pickle": _LOADS,
    "cloudpickle": _LOADS,
    "dill": _LOADS,
    "joblib": _LOADS,
    "pandas": frozenset({"read_pickle"}),
    "pickle": _LOADS,
    "shelve": frozenset({"open", "Shelf", "DbfilenameShelf"}),
    "torch": frozenset({"load"}),
}


@dataclass(frozen=True, slots=True)
class Door:
    """A use that leads to variables which the code does not spell as names."""

    phrase: str
    """What is said of it, before "in f"."""
    names: tuple[str, ...] | None = None
    """All the variables that it leads to; None where its text does not say which."""
    stores: str = ""
    """What it binds among them."""
    may_bind: bool = False
    """Which of them it binds cannot be told."""
    runs_text: bool = False
    """It may do anything at all to them."""


def door(value: object, use: Use) -> Door | None:
    """What a use of this value leads to beside the value; None for nearly all."""
    if value is builtins.globals or (id(value) in _NAMESPACES and _shows_the_module(use)):
        word = "globals" if value is builtins.globals else _NAMESPACES[id(value)]
        is_seen = use.is_called and (use.chain or (use.name,))[-1] == word
        names = (use.target,) if is_seen and use.target else None
        if is_seen and use.is_changed:
            return Door(f"uses `{word}()`", names or (), stores=use.target or f"what `{word}()` gives")
        return Door(f"uses `{word}()`", names, may_bind=names is None and word != "dir")
    if id(value) in _IF_COMPUTED:
        name = _IF_COMPUTED[id(value)]
        is_seen = not _is_computed(use, name) or (use.is_traced and _spells(use, name))
        return None if is_seen else Door(f"uses `{name}()` with a computed name")
    if value is _import_module():
        return Door("uses `import_module()` with a computed name") if _is_computed(use, "import_module") else None
    for text in _BINDING:
        if _is(value, text):
            return Door(f"uses `{text.removeprefix('builtins.')}()`", may_bind=True, runs_text=True)
    for text in _EVALUATING:
        if _is(value, text):
            return Door(f"uses `{text.removeprefix('builtins.')}()`", _evaluated(use))
    for text in _LEADING:
        if _is(value, text):
            if text == "sys.modules" and (use.target or use.is_changed):
                return None
            return Door(f"uses `{text}`")
    if is_a(value, MethodType) and value.__name__ == "get_ipython":
        return Door("uses `get_ipython()`", may_bind=True, runs_text=True)
    return None


def door_by_name(text: str) -> Door | None:
    """The same of something that is not loaded yet, by its full name."""
    if text in _BINDING:
        return Door(f"uses `{text}()`", may_bind=True, runs_text=True)
    return Door(f"uses `{text}`") if text in _LEADING | _EVALUATING else None


def _is(value: object, text: str) -> bool:
    module, _, name = text.rpartition(".")
    # Not `getattr`: a module's own would be asked for what it has put off.
    return module in sys.modules and sys.modules[module].__dict__.get(name, _NOTHING) is value


_NOTHING = object()


def _shows_the_module(use: Use) -> bool:
    """Whether `locals()` and the like show the variables of a cell; in a function they show its own."""
    return use.at_top and (not use.is_called or use.is_computed or bool(use.target))


def _spells(use: Use, name: str) -> bool:
    return use.is_called and (use.chain or (use.name,))[-1] == name


def _evaluated(use: Use) -> tuple[str, ...] | None:
    """The names in a text that is evaluated as it stands."""
    words = _IDENTIFIER.findall(use.target)
    return None if not words or use.is_computed or _LEADING_WORDS.intersection(words) else tuple(dict.fromkeys(words))


def _import_module() -> object:
    return getattr(sys.modules.get("importlib"), "import_module", _NOTHING)


def is_asking(value: object) -> bool:
    """Whether the text given to this decides where it leads."""
    return (
        value is builtins.globals
        or id(value) in _NAMESPACES
        or id(value) in _IF_COMPUTED
        or value is _import_module()
        or value is sys.modules
        or value is os.environ
        or value is os.getenv
        or any(_is(value, text) for text in _EVALUATING)
    )


def stores_attributes(value: object) -> str:
    """``setattr`` or ``delattr`` if the value is one of them."""
    return _STORING.get(id(value), "")


def imported_by_call(value: object, use: Use) -> str:
    """The module that `__import__("name")` or `import_module("name")` names."""
    if value is sys.modules and not use.is_changed:
        return use.target
    is_import = value is builtins.__import__ or value is _import_module()
    return use.target if is_import and use.is_called else ""


def brings_back(text: str) -> tuple[type, ...]:
    """What is named so unpickles: the kinds of code it may bring back that the code here does not name."""
    top, _, rest = text.partition(".")
    if top not in _UNPICKLING or rest.rpartition(".")[2] not in _UNPICKLING[top]:
        return ()
    # A pickled frame may well hold objects of a class; functions in one are not worth an edit of any of them.
    return (type,) if top == "pandas" else (type, FunctionType)


def _is_computed(use: Use, name: str) -> bool:
    # Under another name (`g = getattr`) the arguments were not looked at.
    return not use.is_called or use.is_computed or (use.chain or (use.name,))[-1] != name

"""Callables that lead code to names or texts which no reading of the code shows, and why."""

from __future__ import annotations

import builtins
import re
import sys
from types import FunctionType, MethodType

from ._uses import Use

_AT_NAME = re.compile(r"@\s*`?\w")

_ALWAYS = {
    id(value): f"{value.__name__}()"
    for value in (
        builtins.globals,
        builtins.locals,
        builtins.vars,
        builtins.dir,
        builtins.eval,
        builtins.exec,
        builtins.breakpoint,
    )
}
_IF_COMPUTED = {
    id(builtins.getattr): ("getattr", "getattr() with a computed name"),
    id(builtins.__import__): ("__import__", "__import__() with a computed name"),
}
_STORING = {id(builtins.setattr): "setattr", id(builtins.delattr): "delattr"}
# Only looked at when their modules are loaded.
# Of modules that may not be loaded: what they are called is known, what they are only when they are.
_ELSEWHERE = frozenset(
    {
        "IPython.get_ipython",
        "gc.get_objects",
        "gc.get_referrers",
        "importlib.util.module_from_spec",
        "importlib.util.spec_from_file_location",
        "inspect.currentframe",
        "inspect.getsource",
        "inspect.getsourcelines",
        "inspect.stack",
        "numexpr.evaluate",
        "pandas.eval",
        "pkgutil.resolve_name",
        "pydoc.locate",
        "runpy.run_module",
        "runpy.run_path",
        "sys._getframe",
        "sys.modules",
    }
)

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


def hiding(value: object, use: Use) -> str:
    """What is said of a value that hides which names it leads to; empty for all others."""
    found = _ALWAYS.get(id(value))
    if found is not None:
        return found
    if id(value) in _IF_COMPUTED:
        name, text = _IF_COMPUTED[id(value)]
        return text if _is_computed(use, name) else ""
    import_module = getattr(sys.modules.get("importlib"), "import_module", None)
    if value is import_module and import_module is not None:
        return "import_module() with a computed name" if _is_computed(use, "import_module") else ""
    for text in _ELSEWHERE:
        module, _, name = text.rpartition(".")
        if module in sys.modules and getattr(sys.modules[module], name, use) is value:
            return text
    if isinstance(value, MethodType) and value.__name__ == "get_ipython":
        return "get_ipython()"
    return ""


def hiding_by_name(text: str) -> str:
    """The same of something that is not loaded yet, by its full name."""
    return text if text in _ELSEWHERE else ""


def stores_attributes(value: object) -> str:
    """``setattr`` or ``delattr`` if the value is one of them."""
    return _STORING.get(id(value), "")


def imported_by_call(value: object, use: Use) -> str:
    """The module that `__import__("name")` or `import_module("name")` names."""
    import_module = getattr(sys.modules.get("importlib"), "import_module", None)
    is_import = value is builtins.__import__ or (import_module is not None and value is import_module)
    return use.target if is_import and use.is_called else ""


def brings_back(text: str) -> tuple[type, ...]:
    """What is named so unpickles: the kinds of code it may bring back that the code here does not name."""
    top, _, rest = text.partition(".")
    if top not in _UNPICKLING or rest.rpartition(".")[2] not in _UNPICKLING[top]:
        return ()
    # A pickled frame may well hold objects of a class; functions in one are not worth an edit of any of them.
    return (type,) if top == "pandas" else (type, FunctionType)


def names_variables(text: str) -> bool:
    """Whether a query text names variables by ``@name``."""
    return _AT_NAME.search(text) is not None


def _is_computed(use: Use, name: str) -> bool:
    # Under another name (`g = getattr`) the arguments were not looked at.
    return not use.is_called or use.is_computed or (use.chain or (use.name,))[-1] != name

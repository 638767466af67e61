"""Callables that lead code to names or texts which no reading of the code shows, and why."""

from __future__ import annotations

import builtins
import re
import sys
from types import MethodType

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
_ELSEWHERE = (
    ("sys", "_getframe", "sys._getframe()"),
    ("sys", "modules", "sys.modules"),
    ("inspect", "currentframe", "inspect.currentframe()"),
    ("inspect", "stack", "inspect.stack()"),
    ("inspect", "getsource", "inspect.getsource()"),
    ("inspect", "getsourcelines", "inspect.getsourcelines()"),
    ("gc", "get_objects", "gc.get_objects()"),
    ("gc", "get_referrers", "gc.get_referrers()"),
    ("runpy", "run_path", "runpy.run_path()"),
    ("runpy", "run_module", "runpy.run_module()"),
    ("pandas", "eval", "pandas.eval()"),
    ("numexpr", "evaluate", "numexpr.evaluate()"),
    ("IPython", "get_ipython", "get_ipython()"),
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
    for module, name, text in _ELSEWHERE:
        if module in sys.modules and getattr(sys.modules[module], name, use) is value:
            return text
    if isinstance(value, MethodType) and value.__name__ == "get_ipython":
        return "get_ipython()"
    return ""


def stores_attributes(value: object) -> str:
    """``setattr`` or ``delattr`` if the value is one of them."""
    return _STORING.get(id(value), "")


def imported_by_call(value: object, use: Use) -> str:
    """The module that `__import__("name")` or `import_module("name")` names."""
    import_module = getattr(sys.modules.get("importlib"), "import_module", None)
    is_import = value is builtins.__import__ or (import_module is not None and value is import_module)
    return use.target if is_import and use.is_called else ""


def brings_back_objects(text: str) -> bool:
    """Whether what is named so unpickles: it makes objects of classes that the code does not name."""
    top, _, rest = text.partition(".")
    return top in _UNPICKLING and rest.rpartition(".")[2] in _UNPICKLING[top]


def names_variables(text: str) -> bool:
    """Whether a query text names variables by ``@name``."""
    return _AT_NAME.search(text) is not None


def _is_computed(use: Use, name: str) -> bool:
    # Under another name (`g = getattr`) the arguments were not looked at.
    return not use.is_called or use.is_computed or (use.chain or (use.name,))[-1] != name

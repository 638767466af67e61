"""Settings of packages that change what their code comes to: they count where that code is used and they are not as
they come, so that nobody who leaves them alone pays for them with a key that moves.

What only changes how things look (`pandas` `display.*`, print options, styles of figures) counts where code asks for it
by name, and else not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

Setting = tuple[object, ...]
"""What is not as it comes, as plain data; empty where all is."""


def _numpy(module: Any) -> Setting:
    found = module.geterr()
    return () if found == _NUMPY else tuple(sorted(found.items()))


_NUMPY = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def _decimal(module: Any) -> Setting:
    context = module.getcontext()
    found = (context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp)
    trapped = tuple([signal.__name__ for signal, is_set in context.traps.items() if is_set])
    return () if found == _DECIMAL and set(trapped) == _TRAPPED else (*found, *sorted(trapped))


_DECIMAL = (28, "ROUND_HALF_EVEN", -999_999, 999_999, 1, 0)
_TRAPPED = {"DivisionByZero", "InvalidOperation", "Overflow"}


def _locale(module: Any) -> Setting:
    found = tuple([module.setlocale(getattr(module, name)) for name in _CATEGORIES])
    zone = os.environ.get("TZ")
    return (() if found == _LOCALE else found) if zone is None else (*found, zone)


_CATEGORIES = ("LC_COLLATE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME")
_LOCALE = ("C",) * len(_CATEGORIES)


def _pandas(module: Any) -> Setting:
    config = getattr(getattr(module, "_config", None), "config", None)
    values = getattr(config, "_global_config", {})
    groups = [values.get(group, {}) for group in _GROUPS]
    global _looked_at
    seen, found = _looked_at
    # Each call of code that uses pandas asks, and hardly ever is there an answer of another kind.
    if groups != seen:
        options = getattr(config, "_registered_options", {})
        other = []
        for group, held in zip(_GROUPS, groups, strict=True):
            for name, value in held.items():
                option = options.get(f"{group}.{name}")
                if option is not None and value != option.defval:
                    other.append((f"{group}.{name}", repr(value)))
        found = tuple(sorted(other))
        _looked_at = [dict(held) for held in groups], found
    return found


_GROUPS = ("compute", "future", "mode")
_looked_at: tuple[list[dict[str, Any]], Setting] = [], ()
"""The groups as they were when they were looked at last, and what came of it."""


def _sklearn(module: Any) -> Setting:
    kept: Any = getattr(module, "_config", None)
    if not hasattr(kept, "_get_threadlocal_config"):
        return ()
    found, given = kept._get_threadlocal_config(), kept._global_config
    if found == given:
        return ()
    other = (name for name, value in found.items() if value != given.get(name) and name not in _LOOKS_OF_SKLEARN)
    return tuple(sorted((name, repr(found[name])) for name in other))


_LOOKS_OF_SKLEARN = ("display", "print_changed_only")


def _xarray(module: Any) -> Setting:
    found = getattr(sys.modules.get("xarray.core.options"), "OPTIONS", {})
    return tuple([(name, repr(found[name])) for name, given in _XARRAY if found.get(name, given) != given])


_XARRAY = (("arithmetic_join", "inner"), ("keep_attrs", "default"), ("use_new_combine_kwarg_defaults", False))


def _torch(module: Any) -> Setting:
    found = str(module.get_default_dtype())
    return () if found == "torch.float32" else (found,)


_LOOKS: dict[str, tuple[str, Callable[[Any], Setting]]] = {
    "_decimal": ("decimal", _decimal),
    "calendar": ("locale", _locale),
    "datetime": ("locale", _locale),
    "decimal": ("decimal", _decimal),
    "locale": ("locale", _locale),
    "numpy": ("numpy", _numpy),
    "pandas": ("pandas", _pandas),
    "sklearn": ("sklearn", _sklearn),
    "time": ("locale", _locale),
    "torch": ("torch", _torch),
    "xarray": ("xarray", _xarray),
}
"""Package whose code is used -> the module that keeps the settings, and how to look."""


def _printing(module: Any) -> Setting:
    found = module.get_printoptions()
    return tuple([(name, repr(found[name])) for name, given in _PRINTING if found.get(name, given) != given])


_PRINTING = (
    ("edgeitems", 3),
    ("floatmode", "maxprec"),
    ("formatter", None),
    ("infstr", "inf"),
    ("legacy", False),
    ("linewidth", 75),
    ("nanstr", "nan"),
    ("precision", 8),
    ("sign", "-"),
    ("suppress", False),
    ("threshold", 1000),
)


def _figures(module: Any) -> Setting:
    # As its file of settings gives them: they are so from the import on, which may be the body's.
    found, given = module.rcParams, module.rcParamsOrig
    other = (
        (name, repr(value))
        for name, value in dict.items(found)
        if value != dict.get(given, name) and name not in FOUND_BY_USE
    )
    return tuple(sorted(other))


FOUND_BY_USE = frozenset({"backend", "backend_fallback"})
"""Of the settings of figures those that get their values when somebody draws."""

_ASKED: dict[str, tuple[str, Callable[[Any], Setting]]] = {
    "matplotlib.rcParams": ("matplotlib", _figures),
    "numpy.printoptions": ("numpy", _printing),
}
"""Settings of how things look, which count for code that asks for them -> the module that keeps them, and how to look.
"""
_ASKING = (
    ("numpy", "get_printoptions", "numpy.printoptions"),
    ("seaborn", "axes_style", "matplotlib.rcParams"),
    ("seaborn", "color_palette", "matplotlib.rcParams"),
    ("seaborn", "plotting_context", "matplotlib.rcParams"),
)


def asked_by(value: object) -> str:
    """Which of these settings a function gives; empty for nearly all."""
    for module, name, owner in _ASKING:
        if module in sys.modules and sys.modules[module].__dict__.get(name) is value:
            return owner
    return ""


def owner_of_settings(top: str) -> str | None:
    """The module that keeps settings which change what this package comes to; None for nearly all."""
    found = _LOOKS.get(top)
    return None if found is None else found[0]


def settings_of(owner: str) -> Setting:
    """The settings that are not as they come; none where their module is not loaded."""
    home, look = _ASKED.get(owner) or (owner, _LOOKS[owner][1])
    module = sys.modules.get(home)
    return () if module is None else look(module)

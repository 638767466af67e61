"""Which piece of code a live object is or wraps: functions, classes, methods, descriptors, partials, caches, ufuncs."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from .._kinds import is_a, names_of
from .._outside import Declared
from .._package import Origin, is_drawing, is_importable, origin_of_function, origin_of_module
from ..services._services import is_service
from ..values._instances import is_of_wrapt
from ._guards import classes_above
from ._kernel import in_place_of, is_shell
from ._nodes import Node, Walk, any_token, is_users
from ._state import bases_of

_HEAP_TYPE = 1 << 9
_DESCRIPTORS = (
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


_BY_PYTHON = (
    classmethod,
    functools.cached_property,
    functools.partial,
    functools.partialmethod,
    functools.singledispatchmethod,
    property,
    staticmethod,
)
_OF_PYTHON = frozenset(("args", "attrname", "dispatcher", "func", "keywords", "lock"))
"""Attributes that these have, and that their tokens tell."""


class WrapperReader:
    """Finds tokens for one walk; the readers are those of the nodes that it adds."""

    def __init__(
        self,
        walk: Walk,
        read_function: Callable[[Node], None],
        read_package_function: Callable[[Node], None],
        read_class: Callable[[Node], None],
    ) -> None:
        self._walk = walk
        self._read_function = read_function
        self._read_package_function = read_package_function
        self._read_class = read_class

    def token(self, value: Any, exposed: bool, path: str) -> str | None:
        stands_for = in_place_of(value)
        if stands_for is not None:
            return self._walk.reach(stands_for, exposed, path)
        if is_shell(value):
            self._walk.miss("uses the shell")
            return "named the shell"
        kind = type(value)
        if kind is FunctionType:
            return self._function_token(value, exposed)
        if issubclass(kind, type):
            return self._class_token(value, exposed)
        if kind is MethodType:
            if is_drawing(value):
                return self._drawing_token(value)
            bound = self._bound(value, value.__self__, path)
            return f"method {self._walk.reach(value.__func__, exposed, path)} of {bound}"
        if kind is BuiltinFunctionType:
            return self._builtin_token(value, path)
        if kind is types.MethodWrapperType:
            return f"method {value.__name__} of {self._bound(value, value.__self__, path)}"
        if kind in _DESCRIPTORS:
            return f"{kind.__name__} {self._walk.reach(value.__objclass__)} {value.__name__}"
        return self._descriptor_token(value, exposed, path) or self._wrapper_token(value, exposed, path)

    def _descriptor_token(self, value: Any, exposed: bool, path: str) -> str | None:
        """The token of what Python itself offers to wrap functions in, or of something derived from that."""
        token = self._wrapped_by_python(value, exposed, path)
        kind = type(value)
        if token is None or (kind in _BY_PYTHON and kind is not functools.partial):
            return token
        parts = [token] if kind in _BY_PYTHON else [token, "as", str(self._walk.reach(kind))]
        names = names_of(value)
        self._walk.guards.mapping(names)
        for name in sorted(names.keys() - _OF_PYTHON):
            if not (name.startswith("__") and name.endswith("__")):
                parts += (f".{name}", any_token(self._walk, names[name], (id(value), "has", name), f"{path}.{name}"))
        return " ".join(parts)

    def _wrapped_by_python(self, value: Any, exposed: bool, path: str) -> str | None:
        if is_a(value, staticmethod) or is_a(value, classmethod):
            return f"{type(value).__name__} {self._walk.reach(value.__func__, exposed, path)}"
        if is_a(value, property):
            parts = [
                "-" if part is None else str(self._walk.reach(part, exposed, path))
                for part in (value.fget, value.fset, value.fdel)
            ]
            return f"property {' '.join(parts)}"
        if is_a(value, functools.partial):
            return self._partial_token("partial", value, exposed, path)
        if is_a(value, functools.partialmethod):
            return self._partial_token("partialmethod", value, exposed, path)
        if is_a(value, functools.cached_property):
            return f"cached_property {self._walk.reach(value.func, exposed, path)}"
        if is_a(value, functools.singledispatchmethod):
            return f"singledispatchmethod {self._walk.reach(value.dispatcher, exposed, path)}"
        return None

    def _wrapper_token(self, value: object, exposed: bool, path: str) -> str | None:
        cls = type(value)
        if is_of_wrapt(cls):
            return self._token_of_wrapt(value, exposed, path)
        module = cls.__module__ if isinstance(cls.__module__, str) else ""
        origin = origin_of_module(module)
        # The class of what Cython compiles is in a module without a file.
        if origin is Origin.USER and not module.startswith("_cython_"):
            return None
        if not callable(value) or is_service(cls):
            return None
        if origin is Origin.OURS:
            wrapped = getattr(value, "__wrapped__", None)
            owner = getattr(value, "__self__", None)
            if wrapped is None:
                return f"named {module}.{cls.__qualname__}"
            inner = self._walk.reach(wrapped, exposed, path)
            self._walk.ignore_in(wrapped, frozenset(getattr(value, "__durable_ignore__", ())))
            declared = getattr(value, "__durable_declared__", None)
            if isinstance(declared, Declared) and (also := self._walk.also(declared.inside())) and inner is not None:
                inner = " ".join((inner, "depends on", *also))
            if inner is None or owner is None or isinstance(wrapped, MethodType):
                return inner
            return f"{inner} of {self._bound(value, owner, path)}"
        if module == "joblib.memory" and "func" in names_of(value):
            # What it has stored by now, and where, does not count.
            wrapped = names_of(value)["func"]
            self._walk.guards.name(value.__dict__, "func", wrapped)
            return f"cached by joblib {self._walk.reach(wrapped, exposed, path)}"
        if cls.__name__ == "_lru_cache_wrapper":
            wrapped = getattr(value, "__wrapped__", None)
            self._walk.guards.caches.append(value)
            parameters: dict[str, object] = getattr(value, "cache_parameters", dict)()
            return f"lru_cache {sorted(parameters.items())} {self._walk.reach(wrapped, exposed, path)}"
        if cls.__name__ == "ufunc":
            return self._ufunc_token(value)
        try:
            name, home = getattr(value, "__qualname__", None), getattr(value, "__module__", None)
        except Exception:  # a proxy of a package that stands for nothing yet; then it is judged as data
            return None
        if isinstance(name, str) and isinstance(home, str) and is_importable(value, home, name):
            return None if origin_of_module(home) is Origin.USER else self._walk.package(home, f"{home}.{name}")
        # A callable that a package keeps ready under a name, such as `scipy.stats.norm`.
        for ready, found in list(vars(sys.modules[module]).items()) if module in sys.modules else ():
            if found is value:
                return self._walk.package(module, f"{module}.{ready}")
        return None

    def _token_of_wrapt(self, value: Any, exposed: bool, path: str) -> str:
        """The token of what wrapt makes of a function: that, the function that is called in its place, and when."""
        cls = type(value)
        package = self._walk.package("wrapt", f"wrapt.{cls.__name__}")
        # Its classes in C name a module that there is none of.
        is_theirs = cls.__module__ == "_wrappers" or origin_of_module(cls.__module__) is not Origin.USER
        parts = [package if is_theirs else str(self._walk.reach(cls))]
        for name in ("__wrapped__", "_self_wrapper", "_self_enabled"):
            part = getattr(value, name)
            if part is not None:
                parts.append(any_token(self._walk, part, (id(value), name), f"{path}.{name}", exposed))
        return " ".join(parts)

    def _ufunc_token(self, value: object) -> str | None:
        name = getattr(value, "__name__", "")
        for home in ("numpy", "scipy.special"):
            module = sys.modules.get(home)
            if module is not None and module.__dict__.get(name) is value:
                return self._walk.package(home, f"{home}.{name}")
        return None

    def _patches(self, value: type) -> str:
        """What the user has put into a class of a package, or into one above it."""
        found = ""
        for owner in (each for each in classes_above(value) if not is_users(each)):
            members = owner.__dict__
            for name, member in sorted(members.items()):
                inner = put_in(member)
                if inner is not None:
                    self._walk.guards.mappings.append((members, tuple(members), tuple(members.values())))
                    where = name if owner is value else f"{owner.__qualname__}.{name}"
                    found += f" with {where} {self._walk.reach(inner, True)}"
        return found

    def _builtin_token(self, value: BuiltinFunctionType, path: str) -> str:
        owner = value.__self__
        if owner is None or is_a(owner, ModuleType):
            module = str(value.__module__ or getattr(owner, "__name__", "builtins"))
            return self._walk.package(module, f"{module}.{value.__qualname__}")
        if is_drawing(value):
            return self._drawing_token(value)
        bound = self._bound(value, owner, path)
        return f"builtin method {value.__name__} of {bound}"

    def _drawing_token(self, value: MethodType | BuiltinFunctionType) -> str:
        home = type(value.__self__).__module__
        return self._walk.package(home, f"{home}.{value.__name__}")

    def _bound(self, value: object, owner: object, path: str) -> str:
        """The token of what a method is bound to."""
        return any_token(self._walk, owner, (id(value), "self"), f"{path}.__self__")

    def _partial_token(self, kind: str, value: Any, exposed: bool, path: str) -> str:
        self._walk.guards.mapping(value.keywords)
        inner = self._walk.reach(value.func, exposed, path)
        parts = [kind, inner or self._walk.item((id(value), "func"), f"{path}.func", value.func)]
        given = [*((f"[{i}]", v) for i, v in enumerate(value.args)), *((f".{k}", v) for k, v in value.keywords.items())]
        for name, part in given:
            parts.append(
                name + " " + (self._walk.reach(part, True) or self._walk.item((id(value), name), path + name, part))
            )
        return " ".join(parts)

    def _function_token(self, value: FunctionType, exposed: bool) -> str:
        origin = origin_of_function(value)
        wrapped = value.__dict__.get("__wrapped__")
        home = str(value.__globals__.get("__name__", ""))
        if origin is Origin.OURS:
            if wrapped is not None:
                return self._walk.reach(wrapped, exposed) or "ours"
            return f"named {home}.{value.__qualname__}"
        if origin is Origin.USER:
            return self._walk.add(value, self._walk.label(home, _qualname_of(value)), self._read_function, exposed)
        # `wraps` gives a wrapper the name of what it wraps: that is no name of the package's.
        is_named = origin_of_module(value.__module__ or "") is not Origin.USER
        if is_named and is_importable(value, value.__module__, value.__qualname__):
            return self._walk.package(value.__module__, f"{value.__module__}.{value.__qualname__}")
        # Made by a package at run time, around something of the user's perhaps: what it holds counts.
        return self._walk.add(value, f"{home}.{value.__code__.co_qualname}", self._read_package_function)

    def _class_token(self, value: type, exposed: bool) -> str:
        module = value.__module__ if isinstance(value.__module__, str) else ""
        origin = origin_of_module(module) if module else Origin.STANDARD
        if origin is not Origin.USER:
            if not value.__flags__ & _HEAP_TYPE or is_importable(value, module, value.__qualname__):
                return self._walk.package(module, f"{module}.{value.__qualname__}") + self._patches(value)
            if origin is Origin.OURS:
                return f"named {module}.{value.__qualname__}"
        self._walk.bases.update(dict.fromkeys(bases_of(value)))
        return self._walk.add(value, self._walk.label(module, value.__qualname__), self._read_class, exposed)


def _qualname_of(function: FunctionType) -> str:
    """The qualified name that the code was written under, whatever `wraps` gave the function."""
    name = function.__code__.co_qualname
    # IPython's autoreload compiles an edited method in a class of its own and puts its code into the old function:
    # the next session, which imports the edited file, must find the same key.
    return function.__qualname__ if name.startswith("__autoreload_class__.") else name


_HANDED_AROUND = (
    ("pandas", ("DataFrame", "Index", "Series")),
    ("pandas.core.groupby", ("DataFrameGroupBy", "SeriesGroupBy")),
    ("pathlib", ("Path", "PurePath")),
    ("polars", ("DataFrame", "Expr", "LazyFrame", "Series")),
    ("requests", ("Response", "Session")),
    ("sklearn.base", ("BaseEstimator",)),
    ("torch", ("Tensor",)),
    ("torch.nn", ("Module",)),
    ("xarray", ("DataArray", "Dataset")),
)
"""Classes that people put methods of their own into, and whose objects are arguments and results."""


def put_into() -> Iterator[tuple[str, type]]:
    """Those classes that are loaded, by name."""
    for module, names in _HANDED_AROUND:
        loaded = sys.modules.get(module)
        for name in names if loaded is not None else ():
            # Not `getattr`: a module's own would be asked for what it has put off.
            owner = loaded.__dict__.get(name)
            if isinstance(owner, type):
                yield name, owner


def put_in(member: object) -> object:
    """What counts of a member of a package's class where the user has put it there; None for all others."""
    if type(member).__module__.partition(".")[0] == "pandas":
        member = getattr(member, "_accessor", member)  # kept behind a descriptor
    match member:
        case property():
            parts: tuple[object, ...] = (member.fget, member.fset, member.fdel)
        case functools.cached_property() | functools.partialmethod():
            parts = (member.func,)
        case _:
            member = getattr(member, "__func__", member)
            parts = (member,)
    is_theirs = any((is_a(part, FunctionType) or is_a(part, type)) and is_users(part) for part in parts)
    return member if is_theirs else None


def is_dispatching(function: FunctionType) -> bool:
    """Whether `functools.singledispatch` made it."""
    return "dispatch" in function.__dict__ and type(function.__dict__.get("registry")) is types.MappingProxyType


def holder_of_attributes(value: object) -> object | None:
    """The function, or cache around one, whose attributes are those of a value; None for all others."""
    if is_a(value, MethodType):
        value = value.__func__
    if is_a(value, FunctionType):
        return None if is_dispatching(value) else value
    return value if type(value).__name__ == "_lru_cache_wrapper" else None

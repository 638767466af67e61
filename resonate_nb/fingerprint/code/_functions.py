"""A function: its tree as loaded, what is bound to it (closure, defaults), and the decorators that count."""

from __future__ import annotations

import ast
import types
from dataclasses import replace
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType
from typing import Any

from ...errors import UndecoratableError
from .._kinds import is_a, names_of
from .._package import Origin, origin_of_function, origin_of_module
from . import _loaded
from ._guards import UNBOUND, content_of
from ._names import NameReader
from ._nodes import Node, Place, Tree, Walk, any_token, builtins_of
from ._scope import facts_of_function
from ._tree import clean, digest, encode, text_of
from ._uses import Root, Use
from ._wrappers import is_dispatching


class FunctionReader:
    """Reads functions for one walk."""

    def __init__(self, walk: Walk, names: NameReader) -> None:
        self._walk = walk
        self._names = names

    def read(self, node: Node) -> None:
        function = node.thing
        assert isinstance(function, FunctionType)
        self._walk.guards.function(function)
        place = Place(
            node.label,
            function.__globals__,
            builtins_of(function.__globals__),
            dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)),
            node.ignore,
        )
        self._walk.guards.cells += ((cell, content_of(cell)) for cell in place.closure.values())
        if node is self._walk.nodes[0]:
            self._walk.may_ignore(_parameters(function))
        self._read_defaults(node, function)
        if node.is_exposed:
            self._read_attributes(node, function)
        wrapped = function.__dict__.get("__wrapped__")
        self._walk.guards.name(function.__dict__, "__wrapped__", function.__dict__.get("__wrapped__", UNBOUND))
        if wrapped is not None:
            node.edge("__wrapped__", self._walk.reach(wrapped) or "unknown")
            self._walk.ignore_in(wrapped, node.ignore)
        tree = self._tree(node, function, place)
        if tree is None:
            return
        node.tree, node.source = tree.encoded, tree.source
        self._names.read(node, place, tree.facts)
        used = {use.name for use in tree.facts.uses if use.root is Root.FREE}
        for name in place.closure:
            # `super()` reads the cell `__class__` without naming it.
            if name not in used:
                self._names.take(node, place, Use(Root.FREE, name, is_called=True))

    def _read_defaults(self, node: Node, function: FunctionType) -> None:
        code, defaults = function.__code__, function.__defaults__ or ()
        positional = code.co_varnames[: code.co_argcount]
        named = [*zip(reversed(positional), reversed(defaults), strict=False), *(function.__kwdefaults__ or {}).items()]
        # The top function's own defaults are arguments of each call, and are looked at there.
        if node is self._walk.nodes[0] and not self._walk.is_value:
            return
        for name, value in named:
            if name not in node.ignore and not self._walk.is_ignored(name):
                key = (id(function), "default", name)
                token = any_token(self._walk, value, key, f"{node.label}({name})", True)
                node.edge(f"default {name}", token)

    def _read_attributes(self, node: Node, function: FunctionType) -> None:
        """What was set on a function that is handed around: whoever gets it may read that."""
        attributes = function.__dict__
        self._walk.guards.mapping(attributes)
        for name in sorted(attributes.keys() - {"__wrapped__"}):
            key = (id(function), "attribute", name)
            node.edge(f"attribute {name}", any_token(self._walk, attributes[name], key, f"{node.label}.{name}", True))

    def _tree(self, node: Node, function: FunctionType, place: Place) -> Tree | None:
        code = function.__code__
        self._walk.used.add(id(code))
        known = self._walk.found.get(id(code))
        if known is None:
            known = self._walk.found[id(code)] = (code, _loaded.find(code, function.__globals__))
        found = known[1]
        if isinstance(found, _loaded.Absent):
            self._no_tree(node, function, found)
            return None
        every = [] if isinstance(found.node, ast.Lambda) else found.node.decorator_list
        decorators = every[self._below_ours(every, place) :]
        exposed = node.is_exposed or any(self._is_foreign(decorator, place) for decorator in decorators)
        key = (id(code), exposed, len(decorators))
        tree = self._walk.trees.get(key)
        if tree is None:
            made: Tree | None = found.trees.get(key[1:])
            if made is None:
                cleaned = clean(found.node, exposed=exposed, decorators=decorators)
                facts = facts_of_function(found.node, decorators, owner=found.owner, exposed=exposed)
                made = found.trees[key[1:]] = Tree(None, encode(cleaned), text_of(cleaned), facts)
            tree = self._walk.trees[key] = replace(made, code=code)
        return tree

    def _no_tree(self, node: Node, function: FunctionType, why: _loaded.Absent) -> None:
        filename = function.__code__.co_filename
        home = str(function.__globals__.get("__name__", "__main__"))
        if why is _loaded.Absent.NO_TEXT:
            if node is self._walk.nodes[0] or node.thing is self._wrapped_top():
                raise UndecoratableError(
                    f"the source of {node.label}() cannot be had (it comes from {filename!r}): "
                    + ("define it in a cell without %%time" if "<timed" in filename else "write it in a cell or a file")
                )
            self._walk.refuse(f"the source of {node.label}() cannot be had (it comes from {filename!r})")
        elif home == "__main__":
            self._walk.refuse(f"the source of {node.label}() is not the one that was loaded: run its definition again")
        else:
            self._walk.refuse(
                f"module {home} was edited on disk after it was imported ({node.label}() differs): "
                f"reload it (importlib.reload) or restart"
            )

    def _wrapped_top(self) -> object:
        return getattr(self._walk.nodes[0].thing, "__wrapped__", None)

    def _below_ours(self, decorators: list[ast.expr], place: Place) -> int:
        """How many decorators, from the top, are ours or stand above ours."""
        position = 0
        for index, decorator in enumerate(decorators):
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            value = self._peek(target, place)
            last = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            is_ours = last == "durable" if value is UNBOUND else _is_ours(value)
            if is_ours:
                position = index + 1
        return position

    def _is_foreign(self, decorator: ast.expr, place: Place) -> bool:
        """Whether a decorator may read hints or docstrings where this walk does not see it."""
        value = self._peek(decorator.func if isinstance(decorator, ast.Call) else decorator, place)
        if value is UNBOUND:
            return True
        module = getattr(value, "__module__", None)
        if is_a(value, FunctionType):
            return origin_of_function(value) is Origin.PACKAGE
        return not isinstance(module, str) or origin_of_module(module) is Origin.PACKAGE

    def _peek(self, node: ast.expr, place: Place) -> object:
        """What a name with attributes stands for, looked up without running anything; `UNBOUND` if unknown."""
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return UNBOUND
        if node.id in place.closure:
            value = content_of(place.closure[node.id])
        else:
            value = place.globals.get(node.id, place.builtins.get(node.id, UNBOUND))
        for name in reversed(names):
            value = names_of(value).get(name, UNBOUND)
        return value

    def read_of_package(self, node: Node) -> None:
        function = node.thing
        assert isinstance(function, FunctionType)
        self._walk.guards.function(function)
        home = str(function.__globals__.get("__name__", ""))
        node.tree = digest([b"package function", self._walk.package(home, node.label.partition("~")[0]).encode()])
        is_foreign = origin_of_function(function) is Origin.PACKAGE
        self._read_defaults(node, function)
        if is_dispatching(function):
            self._read_registry(node, function.__dict__["registry"])
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            value = content_of(cell)
            self._walk.guards.cells.append((cell, value))
            node.edge(name, any_token(self._walk, value, ("closure", id(cell)), f"{node.label}.{name}", is_foreign))
        wrapped = function.__dict__.get("__wrapped__")
        self._walk.guards.name(function.__dict__, "__wrapped__", function.__dict__.get("__wrapped__", UNBOUND))
        if wrapped is not None:
            node.edge("__wrapped__", self._walk.reach(wrapped, is_foreign) or "unknown")

    def _read_registry(self, node: Node, registry: types.MappingProxyType[Any, Any]) -> None:
        """What `functools.singledispatch` chooses from."""
        self._walk.guards.mapping(registry)
        for cls, function in registry.items():
            node.edge(f"dispatch {self._walk.reach(cls)}", self._walk.reach(function) or "unknown")


def _is_ours(value: object) -> bool:
    for named in (value, type(value)):
        module = getattr(named, "__module__", None)
        if isinstance(module, str) and origin_of_module(module) is Origin.OURS:
            return True
    return False


def _parameters(function: FunctionType) -> set[str]:
    """The names of all parameters, also of those that decorators have wrapped."""
    found: set[str] = set()
    layer: object = function
    seen: list[object] = []
    while is_a(layer, FunctionType) and layer not in seen:
        seen.append(layer)
        code = layer.__code__
        several = bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
        found.update(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + several])
        layer = layer.__dict__.get("__wrapped__")
    return found

"""Names: from a use in a tree to the live thing it stands for, through modules and imports."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import FunctionType, ModuleType

from ._guards import UNBOUND, content_of
from ._hidden import hiding, hiding_by_name, imported_by_call, names_variables, stores_attributes
from ._nodes import Node, Place, Walk, any_token, is_stable, is_users
from ._package import Origin, origin_of, origin_of_module
from ._tree import encode_constant
from ._uses import Facts, Root, Use
from ._wrappers import is_dispatching, put_in


class NameReader:
    """Resolves names for one walk."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def read(self, node: Node, place: Place, facts: Facts) -> None:
        if facts.reflects:
            self._walk.reflects = True
        for word in facts.hides:
            self._walk.refuse(f"uses {word} in {node.label}")
        for use in facts.uses:
            self.take(node, place, use)
        self._read_attributes(node, facts.attributes)
        for root, name in facts.stores:
            is_closure = root is Root.FREE and name in place.closure
            if not self._walk.is_ignored(name):
                self._walk.effects[f"{'nonlocal' if is_closure else 'global'} {name} in {node.label}"] = None
        for call in facts.text_calls:
            if call.text_names:
                self._walk.refuse(f"the text given to {call.method}() in {node.label} names variables by @")
            elif call.from_name is None or not self._is_plain_text(call.from_name, place):
                self._walk.refuse(f"the text given to {call.method}() in {node.label} is not written there")
        for module in facts.stars:
            self.take(node, place, Use(Root.IMPORT, module))

    def _read_attributes(self, node: Node, attributes: frozenset[str]) -> None:
        """What the user has put into the classes of pandas: a frame that is an argument has it as well."""
        pandas = sys.modules.get("pandas")
        for kind in ("DataFrame", "Index", "Series") if pandas is not None else ():
            owner = getattr(pandas, kind, None)
            for name in sorted(attributes & vars(owner).keys()) if isinstance(owner, type) else ():
                inner = put_in(vars(owner)[name])
                if isinstance(inner, FunctionType | type) and is_users(inner):
                    node.edge(f"{kind}.{name}", str(self._walk.reach(inner, True)))

    def _is_plain_text(self, use: Use, place: Place) -> bool:
        if not use.name:
            return True
        value = self._lookup(use, place)
        for name in use.chain:
            value = getattr(value, "__dict__", {}).get(name, UNBOUND)
        if isinstance(value, str):
            return not names_variables(value)
        return isinstance(value, type) or callable(value)

    def _lookup(self, use: Use, place: Place) -> object:
        if use.root is Root.FREE and use.name in place.closure:
            return content_of(place.closure[use.name])
        return place.globals.get(use.name, place.builtins.get(use.name, UNBOUND))

    def take(self, node: Node, place: Place, use: Use) -> None:
        """Resolve one use and note where it leads."""
        if (
            use.name in place.ignore
            or self._walk.is_ignored(use.name)
            or self._walk.is_ignored(".".join((use.name, *use.chain)))
        ):
            return
        if use.root is Root.IMPORT:
            self._import(node, place, use)
            return
        if use.root is Root.FREE and use.name in place.closure:
            cell = place.closure[use.name]
            path = use.name if node is self._walk.nodes[0] else f"{node.label}.{use.name}"
            token = self._follow(node, content_of(cell), (id(cell),), path, use, use.chain)
            node.edge(f"free {use.name}.{'.'.join(use.chain)}", token)
            return
        value = place.globals.get(use.name, UNBOUND)
        self._walk.guards.name(place.globals, use.name, value)
        if value is UNBOUND:
            if use.is_soft:
                return
            value = place.builtins.get(use.name, UNBOUND)
            self._walk.guards.name(place.builtins, use.name, value)
        path = self._walk.label(place.globals.get("__name__"), use.name)
        key = (id(place.globals), use.name)
        token = self._follow(node, value, key, path, use, use.chain)
        node.edge(f"{use.name}.{'.'.join(use.chain)}", token)

    def _follow(
        self, node: Node, value: object, key: tuple[object, ...], path: str, use: Use, chain: tuple[str, ...]
    ) -> str:
        """The token of a value, or of what a chain of attributes of a module leads to."""
        if isinstance(value, ModuleType):
            return self._through_module(node, value, path, use, chain)
        hidden = hiding(value, use)
        if hidden:
            self._walk.refuse(f"uses {hidden} in {node.label}")
            return "hidden"
        storing = stores_attributes(value)
        if storing and (not use.is_called or use.on_outside):
            self._walk.effects[f"{storing} in {node.label}"] = None
        imported = imported_by_call(value, use)
        if imported:
            self._import(node, Place("", {}, {}, {}), Use(Root.IMPORT, imported))
        is_bare = not (use.is_called or use.is_decorator or use.is_soft or chain)
        token = self._walk.reach(value, is_bare, path)
        if token is None:
            return self._walk.item(key, path, value)
        if use.is_stored:
            self._walk.effects[f"{'.'.join((use.name, *use.chain))} in {node.label}"] = None
        if chain and isinstance(value, FunctionType) and not is_dispatching(value):
            return self._attribute_of_function(node, token, value, path, use, chain)
        return token

    def _attribute_of_function(
        self, node: Node, token: str, function: FunctionType, path: str, use: Use, chain: tuple[str, ...]
    ) -> str:
        """The token of a function with what was set on it as an attribute, which the code reads."""
        first, attributes = chain[0], function.__dict__
        value = attributes.get(first, UNBOUND)
        self._walk.guards.name(attributes, first, value)
        if value is UNBOUND:
            return token
        inner = self._follow(node, value, (id(function), "attribute", first), f"{path}.{first}", use, chain[1:])
        return f"{token} and {inner}"

    def _through_module(self, node: Node, module: ModuleType, path: str, use: Use, chain: tuple[str, ...]) -> str:
        name = module.__name__
        if origin_of(module) is not Origin.USER:
            return self._through_package(node, module, use, chain)
        if not chain or chain[0] == "__dict__":
            return self._walk.module(module)
        first, namespace = chain[0], module.__dict__
        value = namespace.get(first, UNBOUND)
        self._walk.guards.name(namespace, first, value)
        if value is UNBOUND:
            value = sys.modules.get(f"{name}.{first}", UNBOUND)
            if value is UNBOUND and "__getattr__" in namespace:
                self._walk.refuse(f"{name}.{first} comes from the module's __getattr__, in {node.label}")
        if use.is_stored and len(chain) == 1:
            # Also where it is not there yet.
            self._walk.effects[f"{name}.{first} in {node.label}"] = None
        where = self._walk.label(name, first)
        if self._walk.is_ignored(where):
            return "ignored"
        return self._follow(node, value, (id(namespace), first), where, use, chain[1:])

    def _through_package(self, node: Node, module: ModuleType, use: Use, chain: tuple[str, ...]) -> str:
        """By name and version, unless the user has put something of their own there."""
        token = self._walk.package(module.__name__, ".".join((module.__name__, *chain)))
        value: object = module
        for position, name in enumerate(chain):
            if not isinstance(value, ModuleType):
                break
            namespace = value.__dict__
            value = namespace.get(name, UNBOUND)
            self._walk.guards.name(namespace, name, value)
            if isinstance(value, FunctionType | type) and is_users(value):
                return self._follow(node, value, (id(namespace), name), ".".join(chain), use, chain[position + 1 :])
        if value is UNBOUND or value is module:
            if use.is_stored and chain:
                self._walk.effects[f"{'.'.join((module.__name__, *chain))} in {node.label}"] = None
            return token
        hidden = hiding(value, use)
        if hidden:
            self._walk.refuse(f"uses {hidden} in {node.label}")
        imported = imported_by_call(value, use)
        if imported:
            self._import(node, Place("", {}, {}, {}), Use(Root.IMPORT, imported))
        if use.is_stored and not isinstance(value, ModuleType):
            self._walk.effects[f"{'.'.join((module.__name__, *chain))} in {node.label}"] = None
        if is_stable(value) and use.root is not Root.IMPORT:
            # A setting, which the user may have changed.
            return f"{token} = {encode_constant(value)!r}"
        return token

    def _import(self, node: Node, place: Place, use: Use) -> None:
        """Follow an import statement inside of the code, which may not have run yet."""
        name = use.name
        if name.startswith("."):
            package = place.globals.get("__package__") or str(place.globals.get("__name__", "")).rpartition(".")[0]
            try:
                name = importlib.util.resolve_name(name, package)
            except ImportError:
                node.edge(f"import {use.name}", "unknown")
                return
        what = f"import {'.'.join((name, *use.chain))}"
        if origin_of_module(name) is not Origin.USER:
            loaded = sys.modules.get(name)
            if isinstance(loaded, ModuleType):
                token = self._through_package(node, loaded, use, use.chain)
            else:
                text = ".".join((name, *use.chain))
                token = self._walk.package(name, text)
                if hiding_by_name(text):
                    self._walk.refuse(f"uses {text} in {node.label}")
            node.edge(what, token)
            return
        module = self._imported(use.target or name)
        self._walk.guards.name(sys.modules, use.target or name, sys.modules.get(use.target or name, UNBOUND))
        if module is None:
            node.edge(what, "not importable")
        elif not use.target or use.is_called:
            if use.chain and use.chain[0] not in module.__dict__:
                self._imported(f"{name}.{use.chain[0]}")
            node.edge(what, self._through_module(node, module, name, use, use.chain))

    def _imported(self, name: str) -> ModuleType | None:
        """A local module, imported now if need be: the body would do so anyway, and its code is part of the key."""
        try:
            module = importlib.import_module(name)
        except Exception:  # the module's own errors: the body will meet them again
            return None
        return module if isinstance(module, ModuleType) else None

    def read_module(self, node: Node) -> None:
        module = node.thing
        assert isinstance(module, ModuleType)
        namespace = module.__dict__
        self._walk.guards.mapping(namespace)
        for name in sorted(namespace):
            if name.startswith("__") and name.endswith("__"):
                continue
            path = self._walk.label(module.__name__, name)
            if not self._walk.is_ignored(path):
                node.edge(name, any_token(self._walk, namespace[name], (id(namespace), name), path, True))

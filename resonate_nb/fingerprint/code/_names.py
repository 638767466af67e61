"""Names: from a use in a tree to the live thing it stands for, through modules and imports."""

from __future__ import annotations

import abc
import importlib
import importlib.util
import sys
from dataclasses import replace
from types import FunctionType, ModuleType

from .._kinds import is_a, names_of
from .._package import Origin, origin_of, origin_of_module
from ..families._packages import asked_for
from ..services._services import is_service
from ._doing import doing
from ._guards import UNBOUND, classes_above, content_of
from ._hidden import READ_ONLY, Door, door, door_by_name, imported_by_call, is_asking, stores_attributes
from ._nodes import Node, Place, Walk, any_token, is_stable, is_users
from ._resolve import names_in_query
from ._settings import asked_by
from ._state import StateReader, bases_of, is_asking_options, is_of_figures
from ._tree import encode_constant
from ._unseen import environment, unseen
from ._uses import Facts, Root, Use
from ._wrappers import holder_of_attributes, put_in, put_into


class NameReader:
    """Resolves names for one walk."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._state = StateReader(walk)
        self._names_more = False
        """The code that is read names variables in ways that do not show."""
        self._undone: frozenset[str] = frozenset()
        """Words for what the code that is read does to its process and undoes itself."""
        self._attributes: set[str] = set()
        """What it asks its data for."""
        self._classes: list[tuple[str, type]] = []
        """Of packages, by name."""
        self._objects: list[tuple[str, str, object, Use]] = []
        """Of packages, by module and name, and how they are used."""

    def read(self, node: Node, place: Place, facts: Facts) -> None:
        if facts.reflects:
            self._walk.reflects = True
        self._names_more = False
        self._undone = facts.undone
        self._attributes.clear()
        self._classes.clear()
        self._objects.clear()
        for word in facts.hides:
            # In a cell it may lead to the very names that the cell binds; some are read only.
            if place.is_cell and word not in READ_ONLY:
                self._walk.refuse(f"uses `{word}` in {node.label}")
            else:
                self._walk.miss(f"uses `{word}`", node)
                self._names_more = True
            if word == "__subclasses__":
                self._walk.loadable_kinds.add(type)
        for use in facts.uses:
            self.take(node, place, use)
        for root, name in facts.stores:
            is_closure = root is Root.FREE and name in place.closure
            if not self._walk.is_ignored(name):
                self._walk.effects[f"{'nonlocal' if is_closure else 'global'} {name} in {node.label}"] = None
        for call in facts.text_calls:
            if call.from_name is None or not self._read_text(node, place, call.from_name):
                self._walk.miss(f"gives `{call.method}()` a text that is not written there", node)
                self._names_more = True
        if self._names_more:
            # `"{k}".format(**globals())`, `for name in ("a", "b"): globals()[name]`: most of what is meant is written.
            attributes = (Use(Root.GLOBAL, name, is_soft=True) for name in sorted(facts.attributes))
            for use in (*facts.spoken, *attributes):
                self.take(node, place, use)
        self._read_attributes(node, facts.attributes | self._attributes)
        for module in facts.stars:
            self.take(node, place, Use(Root.IMPORT, module))

    def _read_attributes(self, node: Node, attributes: frozenset[str]) -> None:
        """What the user has put into classes of packages: of those that are named, and of those whose objects are
        handed around, since a frame that is an argument has it as well."""
        bases = dict.fromkeys(base for _, owner in self._classes for base in bases_of(owner))
        self._state.constants(node, {**bases, **self._walk.bases}, attributes)
        for home, name, value, use in self._objects:
            for attribute in sorted(attributes & names_of(value).keys()):
                if found := self._state.token(node, home, name, value, (attribute,), use):
                    node.edge(f"{home}.{name}.{attribute}", found)
        owners = {owner: kind for kind, owner in (*self._classes, *(put_into() if attributes else ()))}
        for owner, kind in owners.items():
            names = tuple(sorted(attributes & vars(owner).keys()))
            self._walk.guards.some_of(owner, names)
            for name in names:
                inner = put_in(vars(owner)[name])
                token = self._state.constant(node, owner, name) if inner is None else self._walk.reach(inner, True)
                if token:
                    node.edge(f"{kind}.{name}", token)
            for above in classes_above(owner) if (kind, owner) in self._classes else ():
                self._put_above(node, above, owner, attributes)
            if isinstance(owner, abc.ABCMeta):
                theirs = [each for each in self._walk.guards.registered(owner) if is_users(each)]
                for token in sorted(str(self._walk.reach(each)) for each in theirs):
                    node.edge(f"{kind} registered", token)

    def _put_above(self, node: Node, above: type, owner: type, attributes: frozenset[str]) -> None:
        """What the user has put into a class that a named one is derived from."""
        if above is owner:
            return
        names = tuple(sorted(attributes & vars(above).keys()))
        self._walk.guards.some_of(above, names)
        for name in names:
            inner = put_in(vars(above)[name])
            if inner is not None:
                node.edge(f"{above.__qualname__}.{name}", str(self._walk.reach(inner, True)))

    def _read_text(self, node: Node, place: Place, use: Use) -> bool:
        """Follow what a text names that is held under a name; whether it is one."""
        value = self._value_of(use, place)
        if is_a(value, str):
            for name in names_in_query(value)[0]:
                for root in (Root.FREE, Root.GLOBAL):
                    self.take(node, place, Use(root, name, is_soft=True))
            return True
        return callable(value)

    def _value_of(self, use: Use, place: Place) -> object:
        value = self._lookup(use, place)
        for name in use.chain:
            value = names_of(value).get(name, UNBOUND)
        return value

    def _lookup(self, use: Use, place: Place) -> object:
        if use.root is Root.FREE and use.name in place.closure:
            return content_of(place.closure[use.name])
        return place.globals.get(use.name, place.builtins.get(use.name, UNBOUND))

    def take(self, node: Node, place: Place, use: Use) -> None:
        """Resolve one use and note where it leads."""
        if (
            self._walk.is_ignored(use.name)
            or self._walk.is_ignored(".".join((use.name, *use.chain)))
            or use.name in place.ignore
        ):
            self._named_like_an_argument(node, place, use)
            return
        if use.root is Root.IMPORT:
            self._import(node, place, use)
            return
        if use.root is Root.FREE and use.name in place.closure:
            cell = place.closure[use.name]
            path = use.name if node is self._walk.nodes[0] else f"{node.label}.{use.name}"
            token = self._follow(node, place, content_of(cell), ("closure", id(cell)), path, use, use.chain)
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
        token = self._follow(node, place, value, key, path, use, use.chain)
        node.edge(f"{use.name}.{'.'.join(use.chain)}", token)

    def _follow(
        self,
        node: Node,
        place: Place,
        value: object,
        key: tuple[object, ...],
        path: str,
        use: Use,
        chain: tuple[str, ...],
    ) -> str:
        """The token of a value, or of what a chain of attributes of a module leads to."""
        if is_a(value, ModuleType):
            return self._through_module(node, place, value, path, use, chain)
        self._open(node, place, value, use)
        if environment(value, use) is not None:
            return f"named {path}"
        if is_of_figures(value):
            named = self._walk.package("matplotlib", "matplotlib.rcParams")
            return named + self._state.token(node, "matplotlib", "rcParams", value, chain, use)
        storing = stores_attributes(value)
        if storing and (not use.is_called or use.on_outside):
            self._walk.effects[f"{storing} in {node.label}"] = None
        is_bare = not (use.is_called or use.is_decorator or use.is_soft or chain)
        token = self._walk.reach(value, is_bare, path)
        if is_a(value, type) and not is_users(value):
            self._class(value, chain)
            token = f"{token}{self._state.token(node, value.__module__, value.__qualname__, value, chain, use)}"
            if chain and (unsaid := unseen(f"{value.__module__}.{value.__qualname__}.{chain[0]}")):
                self._walk.miss(unsaid, node)
        if chain and (kept := asked_for(value, chain[0])) is not None:
            node.edge(f"{path}.{chain[0]}", self._walk.item((id(value), chain[0]), f"{path}.{chain[0]}", kept))
        if token is None:
            self._attributes.update(chain)
            return self._walk.item(key, path, value) + self._state.of_object(node, value, chain, use)
        if use.is_stored:
            self._walk.effects[f"{'.'.join((use.name, *use.chain))} in {node.label}"] = None
        holder = holder_of_attributes(value) if chain else None
        if holder is not None:
            return self._attribute_of_function(node, place, token, holder, path, use, chain)
        return token

    def _named_like_an_argument(self, node: Node, place: Place, use: Use) -> None:
        """A variable of a helper is left out with the argument that has its name: nobody may have meant that."""
        if use.root is Root.IMPORT or not self._walk.is_parameter(use.name):
            return
        value = self._lookup(use, place)
        if value is not UNBOUND and not is_service(type(value)):
            said = f"leaves out the variable `{use.name}` as well, which is named like an ignored argument"
            self._walk.miss(f"{said}; rename one of the two if it counts", node)

    def _class(self, owner: type, chain: tuple[str, ...]) -> None:
        """A class of a package is named, and asked for attributes."""
        self._classes.append((owner.__name__, owner))
        self._attributes.update(chain)

    def _open(self, node: Node, place: Place, value: object, use: Use) -> None:
        """Follow what a use leads to beside the value itself, and note what of that cannot be seen."""
        if use.given is not None and is_asking(value):
            text = self._value_of(use.given, place)
            if is_a(text, str):
                # What the variable holds counts beside: with another text this is read anew.
                use = replace(use, target=text, is_computed=False)
        imported = imported_by_call(value, use)
        if imported:
            self._import(node, Place("", {}, {}, {}), Use(Root.IMPORT, imported))
        found = environment(value, use)
        if found:
            self._walk.miss(found, node)
        if done := doing(value, use, self._undone):
            self._walk.miss(done, node)
        settings = asked_by(value)
        if settings:
            self._walk.ask(settings)
        elif is_asking_options(value) and (options := self._state.of_options(node, use)):
            node.edge("options", options)
        self._pass(node, place, door(value, use))

    def _pass(self, node: Node, place: Place, found: Door | None) -> None:
        if found is None:
            return
        if place.is_cell and (found.stores or found.runs_text):
            # Which names the cell binds would not be known.
            self._walk.refuse(f"{found.phrase} in {node.label}")
            return
        if found.stores:
            self._walk.effects[f"global {found.stores} in {node.label}"] = None
        for name in found.names or ():
            for root in (Root.FREE, Root.GLOBAL):
                self.take(node, place, Use(root, name, is_soft=True))
        if found.names is None:
            self._walk.miss(found.phrase, node)
            self._names_more = True
        if found.may_bind and not place.is_cell:
            self._walk.guards.watched[id(place.globals)] = place.globals

    def _attribute_of_function(
        self,
        node: Node,
        place: Place,
        token: str,
        function: object,
        path: str,
        use: Use,
        chain: tuple[str, ...],
    ) -> str:
        """The token of a function with what was set on it as an attribute, which the code reads."""
        first, attributes = chain[0], vars(function)
        value = attributes.get(first, UNBOUND)
        self._walk.guards.name(attributes, first, value)
        if value is UNBOUND:
            return token
        key = (id(function), "attribute", first)
        inner = self._follow(node, place, value, key, f"{path}.{first}", use, chain[1:])
        return f"{token} and {inner}"

    def _through_module(
        self, node: Node, place: Place, module: ModuleType, path: str, use: Use, chain: tuple[str, ...]
    ) -> str:
        name = module.__name__
        if origin_of(module) is not Origin.USER:
            return self._through_package(node, place, module, use, chain)
        if not chain or chain[0] == "__dict__":
            return self._walk.module(module)
        first, namespace = chain[0], module.__dict__
        value = namespace.get(first, UNBOUND)
        self._walk.guards.name(namespace, first, value)
        if value is UNBOUND:
            value = sys.modules.get(f"{name}.{first}", UNBOUND)
            if value is UNBOUND and "__getattr__" in namespace:
                # What the module makes of the name: all of that is code and data as any other.
                first, value = "__getattr__", namespace["__getattr__"]
                self._walk.guards.name(namespace, first, value)
        if use.is_stored and len(chain) == 1:
            # Also where it is not there yet.
            self._walk.effects[f"{name}.{first} in {node.label}"] = None
        where = self._walk.label(name, first)
        if self._walk.is_ignored(where):
            return "ignored"
        return self._follow(node, place, value, (id(namespace), first), where, use, chain[1:])

    def _through_package(self, node: Node, place: Place, module: ModuleType, use: Use, chain: tuple[str, ...]) -> str:
        """By name and version, unless the user has put something of their own there."""
        token = self._walk.package(module.__name__, ".".join((module.__name__, *chain)), use)
        value: object = module
        home, name, rest = module, "", chain
        while rest and is_a(value, ModuleType):
            name, rest, home = rest[0], rest[1:], value
            namespace = value.__dict__
            value = namespace.get(name, UNBOUND)
            self._walk.guards.name(namespace, name, value)
            if (is_a(value, FunctionType) or is_a(value, type)) and is_users(value):
                key = (id(namespace), name)
                return self._follow(node, place, value, key, ".".join(chain), use, rest)
        if is_a(value, type):
            self._class(value, chain)
        if value is UNBOUND or value is module:
            if use.is_stored and chain:
                self._walk.effects[f"{'.'.join((module.__name__, *chain))} in {node.label}"] = None
            return token
        self._open(node, place, value, use)
        if use.is_stored and not is_a(value, ModuleType):
            self._walk.effects[f"{'.'.join((module.__name__, *chain))} in {node.label}"] = None
        if is_stable(value) and (use.root is not Root.IMPORT or self._state.is_set(home.__name__, name, value)):
            # A setting, which the user may have changed.
            return f"{token} = {encode_constant(value)!r}"
        if is_a(value, ModuleType):
            return token
        if not (rest or is_a(value, type)):
            self._objects.append((home.__name__, name, value, use))
        return token + self._state.token(node, home.__name__, name, value, rest, use)

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
            if is_a(loaded, ModuleType):
                token = self._through_package(node, place, loaded, use, use.chain)
            else:
                text = ".".join((name, *use.chain))
                token = self._walk.package(name, text, use)
                self._pass(node, place, door_by_name(text))
            node.edge(what, token)
            return
        module = self._imported(use.target or name)
        self._walk.guards.name(sys.modules, use.target or name, sys.modules.get(use.target or name, UNBOUND))
        if module is UNBOUND:
            node.edge(what, "not importable")
        elif not use.target or use.is_called:
            if is_a(module, ModuleType) and use.chain and use.chain[0] not in module.__dict__:
                self._imported(f"{name}.{use.chain[0]}")
            # What a module has put into its own place is data as any other.
            node.edge(what, self._follow(node, place, module, (id(module), "module"), name, use, use.chain))

    def _imported(self, name: str) -> object:
        """A local module, imported now if need be: the body would do so anyway, and its code is part of the key."""
        try:
            return importlib.import_module(name)
        except Exception:  # the module's own errors: the body will meet them again
            return UNBOUND

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

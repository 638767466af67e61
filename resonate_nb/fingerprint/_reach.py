"""One walk from a function or cell through everything of the user's that it reaches: code as nodes, data as items.

Code is queued and read; data is written by the value walker, which hands back the code it meets. What was looked at is
remembered by identity (`Guards`), so that the next key is cheap where nothing has changed.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import importlib.util
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from ..errors import UndecoratableError, UnfingerprintableError
from . import _loaded
from ._classes import ClassReader
from ._hidden import brings_back_objects, hiding, imported_by_call, names_variables, stores_attributes
from ._package import (
    Origin,
    binary_of,
    is_importable,
    origin_of_function,
    origin_of_module,
    version_of,
)
from ._scope import Facts, Root, Use, facts_of_cell, facts_of_function
from ._tree import clean, digest, digest_texts, encode, encode_constant, text_of
from ._values import Walker

UNBOUND: Final = type("_Unbound", (), {"__slots__": (), "__repr__": lambda self: "<unbound>"})()
MAX_NODES = 5_000
_HEAP_TYPE = 1 << 9
_ATOMS = (int, str, bool, float, complex, bytes, type(None), type(Ellipsis))
_DESCRIPTORS = (
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


class _OtherCode(Exception):
    """Data holds other code than at the last walk."""


@dataclass(slots=True)
class Node:
    """One piece of code: a function, a class, a wrapper from a package, a whole module, or the cell itself."""

    thing: object
    label: str
    """How the part is called: unique in the walk."""
    read: Callable[[Node], None]
    is_exposed: bool = False
    """Something may read its hints and docstring."""
    tree: bytes = b""
    source: str = ""
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    """What is taken from outside -> what that is, in the order of the code."""

    def digest(self) -> bytes:
        """Of its own tree and the names of what it reaches."""
        return digest([self.tree, *(part.encode("utf-8", "surrogatepass") for edge in self.edges for part in edge)])


@dataclass(slots=True)
class Item:
    """One piece of data that the code reads."""

    path: str
    value: object
    is_stable: bool
    """It is a scalar, or a tuple of them: its identity says all."""
    digest: bytes = b""


@dataclass(slots=True)
class Guards:
    """What was looked at, by identity; while it all still is what it was, nothing needs to be read again."""

    names: dict[tuple[int, str], tuple[dict[str, Any], str, object]] = field(default_factory=dict)
    functions: dict[int, tuple[FunctionType, CodeType, object, tuple[object, ...]]] = field(default_factory=dict)
    cells: list[tuple[CellType, object]] = field(default_factory=list)
    classes: dict[int, tuple[type, tuple[type, ...], list[str], list[int], list[object]]] = field(default_factory=dict)
    """The last list only keeps the members alive, so that their addresses stay theirs."""
    mappings: list[tuple[Any, tuple[object, ...], tuple[object, ...]]] = field(default_factory=list)
    """Mappings whose keys and values count, by identity: registries, whole modules."""
    namespaces: list[tuple[dict[str, Any], tuple[object, ...]]] = field(default_factory=list)
    """Namespaces of which all classes count."""

    def name(self, namespace: dict[str, Any], name: str, value: object) -> None:
        """Note what a name stands for; the first look counts."""
        self.names.setdefault((id(namespace), name), (namespace, name, value))

    def function(self, function: FunctionType) -> None:
        """Note what a function is made of."""
        keyword_defaults = tuple((function.__kwdefaults__ or {}).values())
        self.functions[id(function)] = (function, function.__code__, function.__defaults__, keyword_defaults)

    def type(self, cls: type) -> None:
        """Note the members of a class."""
        members = cls.__dict__
        addresses = list(map(id, members.values()))
        self.classes[id(cls)] = (cls, cls.__bases__, list(members), addresses, list(members.values()))

    def hold(self) -> bool:
        """Whether everything is still the same object."""
        for namespace, name, value in self.names.values():
            if namespace.get(name, UNBOUND) is not value:
                return False
        for function, code, defaults, keyword_defaults in self.functions.values():
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return False
            now = function.__kwdefaults__
            if (keyword_defaults or now) and not _same(keyword_defaults, (now or {}).values()):
                return False
        for cell, value in self.cells:
            if content_of(cell) is not value:
                return False
        for cls, bases, names, addresses, _ in self.classes.values():
            members = cls.__dict__
            if list(map(id, members.values())) != addresses or list(members) != names or cls.__bases__ != bases:
                return False
        for mapping, keys, values in self.mappings:
            if len(mapping) != len(keys) or not _same(keys, mapping) or not _same(values, mapping.values()):
                return False
        for namespace, classes in self.namespaces:
            if not _same(classes, (value for value in namespace.values() if isinstance(value, type))):
                return False
        return True


def _same(first: Iterable[object], second: Iterable[object]) -> bool:
    return list(map(id, first)) == list(map(id, second))


def content_of(cell: CellType) -> object:
    """The content of a closure cell, `UNBOUND` if it has none yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return UNBOUND


@dataclass(frozen=True, slots=True)
class Tree:
    """What is known of one tree; kept from walk to walk, since trees cost most."""

    code: CodeType | None
    encoded: bytes
    source: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Place:
    """Where the names of a piece of code are looked up."""

    label: str
    globals: dict[str, Any]
    builtins: dict[str, Any]
    closure: dict[str, CellType]
    is_cell: bool = False


class Reach:
    """A finished walk: `nodes`, `items`, `packages`, `undurable`, `effects`, `guards`."""

    def __init__(
        self,
        home: str,
        ignore: frozenset[str],
        trees: dict[tuple[int, bool, int], Tree],
        absent: dict[int, tuple[CodeType, _loaded.Absent | _loaded.Found]],
        expose_all: bool = False,
        is_value: bool = False,
    ) -> None:
        self.nodes: list[Node] = []
        self.items: list[Item] = []
        self.packages: dict[str, str] = {}
        self.undurable: dict[str, None] = {}
        self.effects: dict[str, None] = {}
        self.guards = Guards()
        self.reflects = False
        self.used: set[int] = set()
        """The code objects whose trees were looked at."""
        self.met: list[object] = []
        """Code that the value walker met, in its order."""
        self.met_tokens: list[str] = []
        self.top_token = ""
        self.joint = b""
        self.kept: list[object] = []
        """Things looked at that nothing else keeps alive: an address must not come back as another's."""
        self._home = home
        self._ignore = ignore
        self._trees = trees
        self._found = absent
        self._expose_all = expose_all
        self._is_value = is_value
        self._tokens: dict[int, str] = {}
        self._by_thing: dict[int, Node] = {}
        self._labels: set[str] = set()
        self._paths: set[str] = set()
        self._item_of: dict[tuple[object, ...], str] = {}
        self._queue: deque[Node] = deque()
        self._met: dict[int, tuple[int, bytes]] = {}
        self.loadable: list[str] = []
        """Classes that count because something is unpickled."""
        self._unpickles = False
        self._classes_counted = False
        self._classes = ClassReader(self)

    # The whole walk ---------------------------------------------------------------------------------------------

    def from_code(self, thing: object) -> None:
        """Walk from a function, or whatever stands in its place."""
        # A function that is a value may have its hints read by whoever is given it.
        exposed = self._is_value and not isinstance(thing, type)
        token = self.module(thing, "") if isinstance(thing, ModuleType) else self.reach(thing, exposed)
        if token is None or not self.nodes:
            raise UndecoratableError(
                f"{thing!r} is not a function of this notebook or of a local file; wrap it in a function of your own"
            )
        self.top_token = token
        self._finish()

    def from_cell(self, tree: ast.Module, namespace: dict[str, Any], reads: frozenset[str]) -> None:
        """Walk from a cell."""

        def read(node: Node) -> None:
            place = Place(node.label, namespace, _builtins_of(namespace), {}, is_cell=True)
            facts = facts_of_cell(tree, reads, exposed=node.is_exposed)
            cleaned = clean(tree, exposed=node.is_exposed)
            node.tree, node.source = encode(cleaned), text_of(cleaned)
            self._read_facts(node, place, facts)
            for name in sorted(reads):
                if not any(use.name == name and use.root is Root.GLOBAL for use in facts.uses):
                    self._take(node, place, Use(Root.GLOBAL, name))

        self._add(tree, "cell", read)
        self._finish()

    def _finish(self) -> None:
        self._drain()
        if self._unpickles:
            self._count_classes()
        walker = Walker(self._reach_from_value)
        position = 0
        while position < len(self.items):
            item = self.items[position]
            position += 1
            self._write(walker, item)
            self._drain()
            if self._unpickles and not self._classes_counted:
                self._count_classes()
        self.joint = walker.joint()

    def _count_classes(self) -> None:
        """Count every class of the user's that the reached code could name: any of them may be unpickled."""
        self._classes_counted = True
        places = [node.thing.__globals__ for node in self.nodes if isinstance(node.thing, FunctionType)]
        places += [vars(sys.modules[name]) for name in ("__main__",) if name in sys.modules]
        namespaces: dict[int, dict[str, Any]] = {}
        for place in places:
            namespaces[id(place)] = place
            for _, module in sorted(place.items()):
                if isinstance(module, ModuleType) and self._origin_of(module) is Origin.USER:
                    namespaces[id(vars(module))] = vars(module)
        for namespace in namespaces.values():
            classes = {name: value for name, value in namespace.items() if isinstance(value, type)}
            self.guards.namespaces.append((namespace, tuple(classes.values())))
            for _, value in sorted(classes.items()):
                if self._is_users(value):
                    self.loadable.append(self.reach(value) or "")
        self._drain()

    def _drain(self) -> None:
        while self._queue:
            node = self._queue.popleft()
            node.edges.clear()
            try:
                node.read(node)
            except RecursionError:
                self.refuse(f"{node.label} is nested too deeply to be read")

    def _write(self, walker: Walker, item: Item) -> None:
        if item.value is UNBOUND:
            item.digest = digest([b"unbound"])
            return
        writer = Walker(self._reach_from_value) if item.is_stable else walker
        try:
            item.digest = writer.digest(item.path, item.value)
        except UnfingerprintableError as error:
            name = item.path.partition("[")[0]
            self.refuse(
                f"`{error.path}` is a {error.type_name}, which has no stable content ({error.reason}); "
                f"pass what it is made of, or leave it out of the key with ignore=({name!r},)"
            )

    def _reach_from_value(self, value: object) -> bytes:
        known = self._met.get(id(value))
        if known is not None:
            return known[1]
        # A class is met with each of its instances; nobody reads its hints because of that.
        exposed = not isinstance(value, type)
        token = self.module(value, "") if isinstance(value, ModuleType) else self.reach(value, exposed)
        if token is None:
            raise UnfingerprintableError("", type(value).__qualname__, "nothing is known about what it does")
        # By number, so that an edit of the code leaves the content as it is; the code counts as a part.
        parts = ["met", str(len(self.met)), str(getattr(value, "__qualname__", ""))]
        found = digest_texts(parts if token.startswith("@") else ["named", token])
        self._met[id(value)] = (len(self.met), found)
        self.met.append(value)
        self.met_tokens.append(token)
        return found

    def write_again(self) -> bool:
        """Write the data that may have changed in place once more; False if it holds other code than before."""
        order = -1

        def reach(value: object) -> bytes:
            nonlocal order
            known = self._met.get(id(value))
            if known is None or known[0] != order + 1:
                raise _OtherCode
            order += 1
            return known[1]

        walker = Walker(reach)
        try:
            for item in self.items:
                if not item.is_stable:
                    item.digest = walker.digest(item.path, item.value)
        except (_OtherCode, UnfingerprintableError):
            return False
        self.joint = walker.joint()
        return order + 1 == len(self.met)

    def refuse(self, reason: str) -> None:
        """This walk gives no key, for this reason."""
        self.undurable[reason] = None

    # Nodes ------------------------------------------------------------------------------------------------------

    def _add(self, thing: object, label: str, read: Callable[[Node], None], exposed: bool = False) -> str:
        node = Node(thing, _unique(label, self._labels), read, exposed or self._expose_all)
        self._by_thing[id(thing)] = node
        self._tokens[id(thing)] = f"@{node.label}"
        self.nodes.append(node)
        if len(self.nodes) > MAX_NODES:
            self.refuse(f"it reaches more than {MAX_NODES} functions and classes")
        else:
            self._queue.append(node)
        return f"@{node.label}"

    def label(self, module: object, qualname: str) -> str:
        """The name of a part, without the module where that is the top's own."""
        name = qualname.replace("<locals>.", "")
        return name if module in (self._home, "__main__") or not module else f"{module}.{name}"

    def package(self, module: str, text: str) -> str:
        """The token of something of an installed package, of Python, or of ours, which counts by name and version."""
        top = module.partition(".")[0]
        origin = origin_of_module(module)
        if origin is Origin.PACKAGE:
            self.packages[top] = version_of(top)
        if brings_back_objects(text):
            self._unpickles = True
        if origin is Origin.USER:
            # An extension module of the user's own: its file is all there is to go by.
            return f"named {text} {binary_of(module)}"
        return f"named {text}"

    def reach(self, value: object, exposed: bool = False, path: str = "") -> str | None:
        """The token of a piece of code, which joins the walk; None if the value is no code.

        Args:
            value: a function, class, method, descriptor or other wrapper.
            exposed: whether somebody else than the user's code gets to see its hints and docstring.
            path: what data bound to it is called.
        """
        node = self._by_thing.get(id(value))
        if node is not None and exposed and not node.is_exposed:
            node.is_exposed = True
            self._queue.append(node)
        known = self._tokens.get(id(value))
        if known is not None:
            return known
        token = self._code(value, exposed, path or "it")
        if token is not None:
            self._tokens[id(value)] = token
            self.kept.append(value)
        return token

    def _code(self, value: object, exposed: bool, path: str) -> str | None:
        match value:
            case FunctionType():
                return self._function_token(value, exposed)
            case type():
                return self._class_token(value, exposed)
            case MethodType():
                bound = self.reach(value.__self__) or self.item((id(value), "self"), f"{path}.__self__", value.__self__)
                return f"method {self.reach(value.__func__, exposed, path)} of {bound}"
            case BuiltinFunctionType():
                return self._builtin_token(value, path)
            case types.MethodWrapperType():
                bound = self.reach(value.__self__) or self.item((id(value), "self"), f"{path}.__self__", value.__self__)
                return f"method {value.__name__} of {bound}"
            case staticmethod() | classmethod():
                return f"{type(value).__name__} {self.reach(value.__func__, exposed, path)}"
            case property():
                parts = [
                    "-" if part is None else str(self.reach(part, exposed, path))
                    for part in (value.fget, value.fset, value.fdel)
                ]
                return f"property {' '.join(parts)}"
            case functools.partial():
                return self._partial_token("partial", value, exposed, path)
            case functools.partialmethod():
                return self._partial_token("partialmethod", value, exposed, path)
            case functools.cached_property():
                return f"cached_property {self.reach(value.func, exposed, path)}"
            case functools.singledispatchmethod():
                return f"singledispatchmethod {self.reach(value.dispatcher, exposed, path)}"
        if isinstance(value, _DESCRIPTORS):
            return f"{type(value).__name__} {self.reach(value.__objclass__)} {value.__name__}"
        return self._wrapper_token(value, exposed, path)

    def _wrapper_token(self, value: object, exposed: bool, path: str) -> str | None:
        cls = type(value)
        module = cls.__module__ if isinstance(cls.__module__, str) else ""
        origin = origin_of_module(module)
        if origin is Origin.USER:
            return None
        if not callable(value):
            return None
        if origin is Origin.OURS:
            wrapped = getattr(value, "__wrapped__", None)
            owner = getattr(value, "__self__", None)
            inner = self.reach(wrapped, exposed, path) if wrapped is not None else f"named {module}.{cls.__qualname__}"
            if inner is None or owner is None or isinstance(wrapped, MethodType):
                return inner
            return f"{inner} of {self.reach(owner) or self.item((id(value), 'self'), f'{path}.__self__', owner)}"
        if cls.__name__ == "_lru_cache_wrapper":
            wrapped = getattr(value, "__wrapped__", None)
            parameters: dict[str, object] = getattr(value, "cache_parameters", dict)()
            return f"lru_cache {sorted(parameters.items())} {self.reach(wrapped, exposed, path)}"
        if cls.__name__ == "ufunc":
            return self._ufunc_token(value)
        name, home = getattr(value, "__qualname__", None), getattr(value, "__module__", None)
        if not isinstance(name, str) or not isinstance(home, str) or not is_importable(value, home, name):
            return None
        return None if origin_of_module(home) is Origin.USER else self.package(home, f"{home}.{name}")

    def _ufunc_token(self, value: object) -> str | None:
        name = getattr(value, "__name__", "")
        for home in ("numpy", "scipy.special"):
            module = sys.modules.get(home)
            if module is not None and module.__dict__.get(name) is value:
                return self.package(home, f"{home}.{name}")
        return None

    def _function_token(self, value: FunctionType, exposed: bool) -> str:
        origin = origin_of_function(value)
        wrapped = value.__dict__.get("__wrapped__")
        home = str(value.__globals__.get("__name__", ""))
        if origin is Origin.OURS:
            if wrapped is not None:
                return self.reach(wrapped, exposed) or "ours"
            return f"named {home}.{value.__qualname__}"
        if origin is Origin.USER:
            return self._add(value, self.label(home, value.__code__.co_qualname), self._read_function, exposed)
        if is_importable(value, value.__module__, value.__qualname__):
            return self.package(value.__module__, f"{value.__module__}.{value.__qualname__}")
        # Made by a package at run time, around something of the user's perhaps: what it holds counts.
        return self._add(value, f"{home}.{value.__code__.co_qualname}", self._read_package_function)

    def _class_token(self, value: type, exposed: bool) -> str:
        module = value.__module__ if isinstance(value.__module__, str) else ""
        origin = origin_of_module(module) if module else Origin.STANDARD
        if origin is not Origin.USER:
            if not value.__flags__ & _HEAP_TYPE or is_importable(value, module, value.__qualname__):
                return self.package(module, f"{module}.{value.__qualname__}") + self._patches(value)
            if origin is Origin.OURS:
                return f"named {module}.{value.__qualname__}"
        return self._add(value, self.label(module, value.__qualname__), self._classes.read, exposed)

    def _patches(self, value: type) -> str:
        """What the user has put into a class of a package."""
        found = ""
        for name, member in sorted(value.__dict__.items()):
            inner = _put_in(member)
            if isinstance(inner, FunctionType | type) and self._is_users(inner):
                self.guards.mappings.append((value.__dict__, tuple(value.__dict__), tuple(value.__dict__.values())))
                found += f" with {name} {self.reach(inner, True)}"
        return found

    def _read_attributes(self, node: Node, attributes: frozenset[str]) -> None:
        """What the user has put into the classes of pandas: a frame that is an argument has it as well."""
        pandas = sys.modules.get("pandas")
        for kind in ("DataFrame", "Index", "Series") if pandas is not None else ():
            owner = getattr(pandas, kind, None)
            for name in sorted(attributes & vars(owner).keys()) if isinstance(owner, type) else ():
                inner = _put_in(vars(owner)[name])
                if isinstance(inner, FunctionType | type) and self._is_users(inner):
                    self.edge(node, f"{kind}.{name}", str(self.reach(inner, True)))

    def _builtin_token(self, value: BuiltinFunctionType, path: str) -> str:
        owner = value.__self__
        if owner is None or isinstance(owner, ModuleType):
            module = str(value.__module__ or getattr(owner, "__name__", "builtins"))
            return self.package(module, f"{module}.{value.__qualname__}")
        bound = self.reach(owner) or self.item((id(value), "self"), f"{path}.__self__", owner)
        return f"builtin method {value.__name__} of {bound}"

    def _partial_token(self, kind: str, value: Any, exposed: bool, path: str) -> str:
        inner = self.reach(value.func, exposed, path)
        parts = [kind, inner or self.item((id(value), "func"), f"{path}.func", value.func)]
        given = [*((f"[{i}]", v) for i, v in enumerate(value.args)), *((f".{k}", v) for k, v in value.keywords.items())]
        for name, part in given:
            parts.append(name + " " + (self.reach(part, True) or self.item((id(value), name), path + name, part)))
        return " ".join(parts)

    # Data -------------------------------------------------------------------------------------------------------

    def item(self, key: tuple[object, ...], path: str, value: object) -> str:
        """The token of a piece of data, which joins the content of the walk."""
        if self.is_ignored(path):
            return "ignored"
        known = self._item_of.get(key)
        if known is None:
            known = _unique(path, self._paths)
            self._item_of[key] = known
            self.items.append(Item(known, value, value is UNBOUND or is_stable(value)))
        return f"data {known}"

    def is_ignored(self, path: str) -> bool:
        """Whether the user has said that this does not count."""
        return path in self._ignore

    # Functions --------------------------------------------------------------------------------------------------

    def _read_function(self, node: Node) -> None:
        function = node.thing
        assert isinstance(function, FunctionType)
        self.guards.function(function)
        place = Place(
            node.label,
            function.__globals__,
            _builtins_of(function.__globals__),
            dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)),
        )
        self.guards.cells += ((cell, content_of(cell)) for cell in place.closure.values())
        self._read_defaults(node, function)
        wrapped = function.__dict__.get("__wrapped__")
        if wrapped is not None:
            self.edge(node, "__wrapped__", self.reach(wrapped) or "unknown")
        tree = self._tree(node, function, place)
        if tree is None:
            return
        node.tree, node.source = tree.encoded, tree.source
        self._read_facts(node, place, tree.facts)
        used = {use.name for use in tree.facts.uses if use.root is Root.FREE}
        for name in place.closure:
            # `super()` reads the cell `__class__` without naming it.
            if name not in used:
                self._take(node, place, Use(Root.FREE, name, is_called=True))

    def _read_defaults(self, node: Node, function: FunctionType) -> None:
        code, defaults = function.__code__, function.__defaults__ or ()
        named = list(zip(code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount], defaults, strict=True))
        named += (function.__kwdefaults__ or {}).items()
        # The top function's own defaults are arguments of each call, and are looked at there.
        is_argument = node is self.nodes[0] and not self._is_value
        for name, value in named:
            if self.is_ignored(name) or is_argument:
                continue
            key = (id(function), "default", name)
            self.edge(
                node, f"default {name}", self.reach(value, True) or self.item(key, f"{node.label}({name})", value)
            )

    def _tree(self, node: Node, function: FunctionType, place: Place) -> Tree | None:
        code = function.__code__
        self.used.add(id(code))
        known = self._found.get(id(code))
        if known is None:
            known = self._found[id(code)] = (code, _loaded.find(code, function.__globals__))
        found = known[1]
        if isinstance(found, _loaded.Absent):
            self._no_tree(node, function, found)
            return None
        every = [] if isinstance(found.node, ast.Lambda) else found.node.decorator_list
        decorators = every[self._below_ours(every, place) :]
        exposed = node.is_exposed or any(self._is_foreign(decorator, place) for decorator in decorators)
        key = (id(code), exposed, len(decorators))
        tree = self._trees.get(key)
        if tree is None:
            cleaned = clean(found.node, exposed=exposed, decorators=decorators)
            facts = facts_of_function(found.node, decorators, owner=found.owner, exposed=exposed)
            tree = self._trees[key] = Tree(code, encode(cleaned), text_of(cleaned), facts)
        return tree

    def _no_tree(self, node: Node, function: FunctionType, why: _loaded.Absent) -> None:
        filename = function.__code__.co_filename
        home = str(function.__globals__.get("__name__", "__main__"))
        if why is _loaded.Absent.NO_TEXT:
            if node is self.nodes[0] or node.thing is self._wrapped_top():
                raise UndecoratableError(
                    f"the source of {node.label}() cannot be had (it comes from {filename!r}): "
                    "write it in a cell or a file"
                )
            self.refuse(f"the source of {node.label}() cannot be had (it comes from {filename!r})")
        elif home == "__main__":
            self.refuse(f"the source of {node.label}() is not the one that was loaded: run its definition again")
        else:
            self.refuse(
                f"module {home} was edited on disk after it was imported ({node.label}() differs): "
                f"reload it (importlib.reload) or restart"
            )

    def _wrapped_top(self) -> object:
        return getattr(self.nodes[0].thing, "__wrapped__", None)

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
        if isinstance(value, FunctionType):
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
            value = getattr(value, "__dict__", {}).get(name, UNBOUND)
        return value

    def _read_package_function(self, node: Node) -> None:
        function = node.thing
        assert isinstance(function, FunctionType)
        self.guards.function(function)
        home = str(function.__globals__.get("__name__", ""))
        node.tree = digest([b"package function", self.package(home, node.label.partition("~")[0]).encode()])
        is_foreign = origin_of_function(function) is Origin.PACKAGE
        self._read_defaults(node, function)
        if _is_dispatching(function):
            self._read_registry(node, function.__dict__["registry"])
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            value = content_of(cell)
            self.guards.cells.append((cell, value))
            self._edge_to_any(node, name, value, (id(cell),), f"{node.label}.{name}", is_foreign)
        wrapped = function.__dict__.get("__wrapped__")
        if wrapped is not None:
            self.edge(node, "__wrapped__", self.reach(wrapped, is_foreign) or "unknown")

    def _read_registry(self, node: Node, registry: types.MappingProxyType[Any, Any]) -> None:
        """What `functools.singledispatch` chooses from."""
        self.guards.mappings.append((registry, tuple(registry), tuple(registry.values())))
        for cls, function in registry.items():
            self.edge(node, f"dispatch {self.reach(cls)}", self.reach(function) or "unknown")

    def _edge_to_any(
        self, node: Node, name: str, value: object, key: tuple[object, ...], path: str, exposed: bool
    ) -> None:
        if isinstance(value, ModuleType):
            token = self.module(value, path)
        else:
            token = self.reach(value, exposed, path) or self.item(key, path, value)
        self.edge(node, name, token)

    def edge(self, node: Node, name: str, token: str) -> None:
        """Note what a piece of code takes from outside."""
        node.edges[name, token] = None

    # Names ------------------------------------------------------------------------------------------------------

    def _read_facts(self, node: Node, place: Place, facts: Facts) -> None:
        if facts.reflects:
            self.reflects = True
        for word in facts.hides:
            self.refuse(f"uses {word} in {node.label}")
        for use in facts.uses:
            self._take(node, place, use)
        self._read_attributes(node, facts.attributes)
        for root, name in facts.stores:
            is_closure = root is Root.FREE and name in place.closure
            if not self.is_ignored(name):
                self.effects[f"{'nonlocal' if is_closure else 'global'} {name} in {node.label}"] = None
        for call in facts.text_calls:
            if call.text_names:
                self.refuse(f"the text given to {call.method}() in {node.label} names variables by @")
            elif call.from_name is None or not self._is_plain_text(call.from_name, place):
                self.refuse(f"the text given to {call.method}() in {node.label} is not written there")
        for module in facts.stars:
            self._take(node, place, Use(Root.IMPORT, module))

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

    def _take(self, node: Node, place: Place, use: Use) -> None:
        """Resolve one use and note where it leads."""
        if self.is_ignored(use.name) or self.is_ignored(".".join((use.name, *use.chain))):
            return
        if use.root is Root.IMPORT:
            self._import(node, place, use)
            return
        if use.root is Root.FREE and use.name in place.closure:
            cell = place.closure[use.name]
            path = use.name if node is self.nodes[0] else f"{node.label}.{use.name}"
            token = self._follow(node, content_of(cell), (id(cell),), path, use, use.chain)
            self.edge(node, f"free {use.name}.{'.'.join(use.chain)}", token)
            return
        value = place.globals.get(use.name, UNBOUND)
        self.guards.name(place.globals, use.name, value)
        if value is UNBOUND:
            if use.is_soft:
                return
            value = place.builtins.get(use.name, UNBOUND)
            self.guards.name(place.builtins, use.name, value)
        path = self.label(place.globals.get("__name__"), use.name)
        key = (id(place.globals), use.name)
        token = self._follow(node, value, key, path, use, use.chain)
        self.edge(node, f"{use.name}.{'.'.join(use.chain)}", token)

    def _follow(
        self, node: Node, value: object, key: tuple[object, ...], path: str, use: Use, chain: tuple[str, ...]
    ) -> str:
        """The token of a value, or of what a chain of attributes of a module leads to."""
        if isinstance(value, ModuleType):
            return self._through_module(node, value, path, use, chain)
        hidden = hiding(value, use)
        if hidden:
            self.refuse(f"uses {hidden} in {node.label}")
        storing = stores_attributes(value)
        if storing and (not use.is_called or use.on_outside):
            self.effects[f"{storing} in {node.label}"] = None
        imported = imported_by_call(value, use)
        if imported:
            self._import(node, Place("", {}, {}, {}), Use(Root.IMPORT, imported))
        is_bare = not (use.is_called or use.is_decorator or use.is_soft or chain)
        token = self.reach(value, is_bare, path)
        if token is None:
            return self.item(key, path, value)
        if use.is_stored:
            self.effects[f"{'.'.join((use.name, *use.chain))} in {node.label}"] = None
        if chain and isinstance(value, FunctionType) and chain[0] in value.__dict__ and not _is_dispatching(value):
            self.guards.name(value.__dict__, chain[0], value.__dict__[chain[0]])
            inner = self._follow(
                node, value.__dict__[chain[0]], (id(value), "attribute", chain[0]), f"{path}.{chain[0]}", use, chain[1:]
            )
            return f"{token} and {inner}"
        return token

    # Modules ----------------------------------------------------------------------------------------------------

    def _through_module(self, node: Node, module: ModuleType, path: str, use: Use, chain: tuple[str, ...]) -> str:
        name = module.__name__
        if self._origin_of(module) is not Origin.USER:
            return self._through_package(node, module, use, chain)
        if not chain or chain[0] == "__dict__":
            return self.module(module, path)
        first, namespace = chain[0], module.__dict__
        value = namespace.get(first, UNBOUND)
        self.guards.name(namespace, first, value)
        if value is UNBOUND:
            value = sys.modules.get(f"{name}.{first}", UNBOUND)
            if value is UNBOUND and "__getattr__" in namespace:
                self.refuse(f"{name}.{first} comes from the module's __getattr__, in {node.label}")
        elif use.is_stored and len(chain) == 1:
            self.effects[f"{name}.{first} in {node.label}"] = None
        where = self.label(name, first)
        if self.is_ignored(where):
            return "ignored"
        return self._follow(node, value, (id(namespace), first), where, use, chain[1:])

    def _through_package(self, node: Node, module: ModuleType, use: Use, chain: tuple[str, ...]) -> str:
        """By name and version, unless the user has put something of their own there."""
        token = self.package(module.__name__, ".".join((module.__name__, *chain)))
        value: object = module
        for position, name in enumerate(chain):
            if not isinstance(value, ModuleType):
                break
            namespace = value.__dict__
            value = namespace.get(name, UNBOUND)
            self.guards.name(namespace, name, value)
            if isinstance(value, FunctionType | type) and self._is_users(value):
                return self._follow(node, value, (id(namespace), name), ".".join(chain), use, chain[position + 1 :])
        if value is UNBOUND or value is module:
            return token
        hidden = hiding(value, use)
        if hidden:
            self.refuse(f"uses {hidden} in {node.label}")
        imported = imported_by_call(value, use)
        if imported:
            self._import(node, Place("", {}, {}, {}), Use(Root.IMPORT, imported))
        if use.is_stored and not isinstance(value, ModuleType):
            self.effects[f"{'.'.join((module.__name__, *chain))} in {node.label}"] = None
        if is_stable(value) and use.root is not Root.IMPORT:
            # A setting, which the user may have changed.
            return f"{token} = {encode_constant(value)!r}"
        return token

    def _is_users(self, value: FunctionType | type) -> bool:
        if isinstance(value, FunctionType):
            return origin_of_function(value) is Origin.USER
        return isinstance(value.__module__, str) and origin_of_module(value.__module__) is Origin.USER

    def _origin_of(self, module: ModuleType) -> Origin:
        if sys.modules.get(module.__name__) is module or getattr(module, "__file__", None):
            return origin_of_module(module.__name__)
        return Origin.USER

    def module(self, module: ModuleType, path: str) -> str:
        """The token of a module that is used as a whole: by name, or by all that it holds if it is the user's."""
        if self._origin_of(module) is not Origin.USER:
            return self.package(module.__name__, module.__name__)
        known = self._tokens.get(id(module))
        return known or self._add(module, f"module {module.__name__}", self._read_module)

    def _read_module(self, node: Node) -> None:
        module = node.thing
        assert isinstance(module, ModuleType)
        namespace = module.__dict__
        self.guards.mappings.append((namespace, tuple(namespace), tuple(namespace.values())))
        for name in sorted(namespace):
            if name.startswith("__") and name.endswith("__"):
                continue
            path = self.label(module.__name__, name)
            if not self.is_ignored(path):
                self._edge_to_any(node, name, namespace[name], (id(namespace), name), path, True)

    def _import(self, node: Node, place: Place, use: Use) -> None:
        """Follow an import statement inside of the code, which may not have run yet."""
        name = use.name
        if name.startswith("."):
            package = place.globals.get("__package__") or str(place.globals.get("__name__", "")).rpartition(".")[0]
            try:
                name = importlib.util.resolve_name(name, package)
            except ImportError:
                self.edge(node, f"import {use.name}", "unknown")
                return
        what = f"import {'.'.join((name, *use.chain))}"
        if origin_of_module(name) is not Origin.USER:
            loaded = sys.modules.get(name)
            if isinstance(loaded, ModuleType):
                token = self._through_package(node, loaded, use, use.chain)
            else:
                token = self.package(name, ".".join((name, *use.chain)))
            self.edge(node, what, token)
            return
        module = self._imported(use.target or name)
        self.guards.name(sys.modules, use.target or name, sys.modules.get(use.target or name, UNBOUND))
        if module is None:
            self.edge(node, what, "not importable")
        elif not use.target or use.is_called:
            if use.chain and use.chain[0] not in module.__dict__:
                self._imported(f"{name}.{use.chain[0]}")
            self.edge(node, what, self._through_module(node, module, name, use, use.chain))

    def _imported(self, name: str) -> ModuleType | None:
        """A local module, imported now if need be: the body would do so anyway, and its code is part of the key."""
        try:
            module = importlib.import_module(name)
        except Exception:  # the module's own errors: the body will meet them again
            return None
        return module if isinstance(module, ModuleType) else None


def is_stable(value: object) -> bool:
    """Whether a value is a scalar, or an immutable container of scalars: what cannot change in place."""
    pending = [value]
    seen = 0
    while pending:
        part = pending.pop()
        seen += 1
        if type(part) in (tuple, frozenset) and seen < 1_000:
            pending.extend(part)  # type: ignore[arg-type]
        elif type(part) not in _ATOMS:
            return False
    return True


def _put_in(member: object) -> object:
    """The function or class behind a member of a class; pandas keeps accessors behind a descriptor."""
    if type(member).__module__.partition(".")[0] == "pandas":
        member = getattr(member, "_accessor", member)
    return getattr(member, "__func__", member)


def _is_dispatching(function: FunctionType) -> bool:
    """Whether `functools.singledispatch` made it."""
    return "dispatch" in function.__dict__ and type(function.__dict__.get("registry")) is types.MappingProxyType


def _is_ours(value: object) -> bool:
    for named in (value, type(value)):
        module = getattr(named, "__module__", None)
        if isinstance(module, str) and origin_of_module(module) is Origin.OURS:
            return True
    return False


def _builtins_of(namespace: dict[str, Any]) -> dict[str, Any]:
    found = namespace.get("__builtins__", builtins)
    return found if isinstance(found, dict) else vars(found)


def _unique(name: str, taken: set[str]) -> str:
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}~{count}"
    taken.add(found)
    return found

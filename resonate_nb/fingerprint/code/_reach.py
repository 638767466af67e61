"""One walk from a function or cell through everything of the user's that it reaches: code as nodes, data as items.

Code is queued and read; data is written by the value walker, which hands back the code it meets. What was looked at is
remembered by identity (`Guards`), so that the next key is cheap where nothing has changed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ...clock import SystemClock
from ...errors import InvalidOptionError, UndecoratableError, UnfingerprintableError
from ...records import dataclass
from .._kinds import is_a
from .._outside import NOTHING, Declared, Outside
from .._package import Origin, binary_of, name_of_3_11, origin_of, origin_of_module, version_of
from ..memory._standing import Standing, standing
from ..values import _registered
from ..values._filled import Filled
from ..values._named import plain_bytes
from ..values._pen import without_bytes
from ..values._values import Walker
from ..values._walk import Aside
from ._classes import ClassReader
from ._doing import NOT_REPLAYED
from ._functions import FunctionReader
from ._guards import UNBOUND, Guards
from ._hidden import brings_back
from ._loaded import Absent, Found
from ._names import NameReader
from ._nodes import Item, Node, Place, Tree, any_token, builtins_of, is_stable, is_users
from ._scope import facts_of_cell
from ._settings import owner_of_settings, settings_of
from ._tree import clean, digest, digest_texts, encode, text_of
from ._unseen import in_a_cell, unseen
from ._uses import Root, Use
from ._wrappers import WrapperReader

MAX_NODES = 5_000
_DEPENDS = "depends["
_CLOCK = SystemClock()


class _OtherCode(Aside):
    """Data holds other code than at the last walk."""


@dataclass(frozen=True, slots=True)
class Content:
    """The data of a walk at one moment."""

    digests: list[bytes]
    """Of each item, in the order of the items."""
    joint: bytes
    """Of all that may change in place, with what they share."""
    services: tuple[str, ...]
    """The clients, connections and the like in it, as `CodeKey.services`."""


class Reach:
    """A finished walk: `nodes`, `items`, `packages`, `undurable`, `unsure`, `effects`, `guards`."""

    def __init__(
        self,
        home: str,
        ignore: frozenset[str],
        trees: dict[tuple[int, bool, int], Tree],
        found: dict[int, tuple[CodeType, Absent | Found]],
        expose_all: bool = False,
        is_value: bool = False,
        filled: Filled | None = None,
    ) -> None:
        """`filled`: what is left out of instances among its data."""
        self._filled = filled
        self.nodes: list[Node] = []
        self.items: list[Item] = []
        self.packages: dict[str, str] = {}
        """Exact versions, by import name."""
        self.undurable: dict[str, None] = {}
        self.unsure: dict[str, None] = {}
        self._declared: list[Declared] = []
        self._outside: list[tuple[str, Outside]] = []
        self.effects: dict[str, None] = {}
        self.guards = Guards()
        self.registered = _registered.count()
        """How often users had said by then what counts of their types."""
        self.bases: dict[type, None] = {}
        """Classes of packages that classes of the user's are derived from."""
        self.reflects = False
        self.used: set[int] = set()
        """The code objects whose trees were looked at."""
        self.met_tokens: list[str] = []
        """Code that the value walker met, in its order."""
        self.top_token = ""
        self.joint = b""
        self.services: tuple[str, ...] = ()
        self.kept: list[object] = []
        """Things looked at that nothing else keeps alive: an address must not come back as another's."""
        self._home = home
        self._ignore = ignore
        self._left_out: set[str] = set()
        self._arguments: frozenset[str] = frozenset()
        self.trees = trees
        self.found = found
        self._expose_all = expose_all
        self._is_cell = False
        self.is_value = is_value
        self._tokens: dict[int, str] = {}
        self._by_thing: dict[int, Node] = {}
        self._labels: set[str] = set()
        self._paths: set[str] = set()
        self._item_of: dict[tuple[object, ...], str] = {}
        self._queue: deque[Node] = deque()
        self._reading: Node | None = None
        self._tops: set[str] = set()
        """Packages and modules of Python's whose code is used."""
        self._asked: set[str] = set()
        """Settings that the code asks for."""
        self._met: dict[int, tuple[int, bytes]] = {}
        self.loadable: list[str] = []
        """Classes and functions that count because something is unpickled."""
        self.loadable_kinds: set[type] = set()
        self._kinds_counted: set[type] = set()
        self._names = NameReader(self)
        functions = FunctionReader(self, self._names)
        classes = ClassReader(self)
        self._wrappers = WrapperReader(self, functions.read, functions.read_of_package, classes.read)

    def from_code(self, thing: object, declared: Declared = NOTHING) -> None:
        """Walk from a function, or whatever stands in its place."""
        # A function that is a value may have its hints read by whoever is given it.
        exposed = self.is_value and not is_a(thing, type)
        if is_a(thing, type) and not is_users(thing):
            self.guards.code_of(thing)
        token = self.module(thing) if is_a(thing, ModuleType) else self.reach(thing, exposed)
        # Of a package's class nothing is left to read where the user has taken out again what they had put into it.
        if token is None or not (self.nodes or self.is_value):
            raise UndecoratableError(
                f"{thing!r} is not a function of this notebook or of a local file; wrap it in a function of your own"
            )
        self.top_token = " ".join((token, *self.also(declared)))
        self._finish()

    def also(self, declared: Declared) -> list[str]:
        """What the user has declared besides joins the walk; the tokens of `depends`."""
        self._declared.append(declared)
        for each in declared.outside:
            if ("outside", each.name) not in self._item_of:
                self.item(("outside", each.name), each.name, each)
                self._outside.append((each.name, each))
        return [
            any_token(self, value, (id(value), "depends"), f"{_DEPENDS}{at}]")
            for at, value in enumerate(declared.depends)
        ]

    def from_cell(
        self, tree: ast.Module, namespace: dict[str, Any], reads: frozenset[str], declared: Declared = NOTHING
    ) -> None:
        """Walk from a cell."""
        self._is_cell = True

        def read(node: Node) -> None:
            place = Place(node.label, namespace, builtins_of(namespace), {}, is_cell=True)
            facts = facts_of_cell(tree, reads, exposed=node.is_exposed)
            cleaned = clean(tree, exposed=node.is_exposed)
            node.tree, node.source = encode(cleaned), text_of(cleaned)
            self._names.read(node, place, facts)
            for name in sorted(reads):
                if not any(use.name == name and use.root is Root.GLOBAL for use in facts.uses):
                    self._names.take(node, place, Use(Root.GLOBAL, name))

        self.add(tree, "cell", read)
        self.also(declared)
        self._finish()

    def _finish(self) -> None:
        self._drain()
        self._count_loadable()
        walker = Walker(self._reach_from_value)
        walker.filled = self._filled
        self._write_items(walker, 0)
        written = len(self.items)
        self._tops.update(walker.packages)
        self._count_settings()
        self._write_items(walker, written)
        # What asks data for a method uses the package that the data comes from.
        self.packages.update({name: version_of(name) for name in walker.packages})
        self.joint = walker.joint()
        self.services = walker.services()
        self.unsure.update(dict.fromkeys(walker.unread()))

    def _write_items(self, walker: Walker, position: int) -> None:
        while position < len(self.items):
            item = self.items[position]
            position += 1
            self._write(walker, item)
            self._drain()
            self._count_loadable()

    def _count_settings(self) -> None:
        for owner in sorted({*filter(None, map(owner_of_settings, self._tops)), *self._asked}):
            found = self.guards.settings[owner] = settings_of(owner)
            if found:
                self.item(("settings", owner), f"settings of {owner}", found)

    def _count_loadable(self) -> None:
        """Count every class of the user's that the reached code could name, where any of them may be unpickled.

        So with functions, where what unpickles may well bring back one.
        """
        while self.loadable_kinds - self._kinds_counted:
            kinds = tuple(self.loadable_kinds)
            self._kinds_counted |= self.loadable_kinds
            for namespace in self._namespaces():
                found = {name: value for name, value in namespace.items() if issubclass(type(value), kinds)}
                self.guards.namespaces.append((namespace, kinds, tuple(found.values())))
                for _, value in sorted(found.items()):
                    if (is_a(value, FunctionType) or is_a(value, type)) and is_users(value):
                        self.loadable.append(self.reach(value) or "")
            self._drain()

    def _namespaces(self) -> list[dict[str, Any]]:
        """Those of the reached functions, of the notebook, and of the local modules that these hold."""
        places = [node.thing.__globals__ for node in self.nodes if is_a(node.thing, FunctionType)]
        places += [vars(sys.modules[name]) for name in ("__main__",) if name in sys.modules]
        found: dict[int, dict[str, Any]] = {}
        for place in places:
            found[id(place)] = place
            for _, module in sorted(place.items()):
                if is_a(module, ModuleType) and origin_of(module) is Origin.USER:
                    found[id(vars(module))] = vars(module)
        return list(found.values())

    def _drain(self) -> None:
        while self._queue:
            node = self._queue.popleft()
            node.edges.clear()
            self._reading = node
            try:
                node.read(node)
            except RecursionError:
                self.refuse(f"{node.label} is nested too deeply to be read")

    def _write(self, walker: Walker, item: Item) -> None:
        if is_a(item.value, Outside):
            return  # read when a key is asked for (`look_outside`): a decoration reads no files
        if item.value is UNBOUND:
            item.digest = digest([b"unbound"])
            return
        writer = Walker(self._reach_from_value) if item.is_stable else walker
        try:
            item.digest = _written(writer, item)
        except UnfingerprintableError as error:
            name = item.path.partition("[")[0]
            if item.path.startswith(_DEPENDS):
                raise InvalidOptionError(
                    f"`{error.path}` is a {error.type_name}, which has no stable content ({error.reason}); "
                    "depends= takes values that have one, and functions, classes and modules"
                ) from None
            self.refuse(
                f"`{error.path}` is a {error.type_name}, which has no stable content "
                f"({error.reason.partition('; pass ')[0]}); {error.ways_out(name)}"
            )

    def _reach_from_value(self, value: object) -> bytes:
        known = self._met.get(id(value))
        if known is not None:
            return known[1]
        # A class is met with each of its instances; nobody reads its hints because of that.
        exposed = not is_a(value, type)
        token = self.module(value) if is_a(value, ModuleType) else self.reach(value, exposed)
        if token is None:
            raise UnfingerprintableError("", type(value).__qualname__, "nothing is known about what it does")
        if is_a(value, type) and not is_users(value):
            self.guards.code_of(value)
        if is_a(value, type) and not is_users(value):
            self.guards.code_of(value)
        # By number, so that an edit of the code leaves the content as it is; the code counts as a part.
        parts = ["met", str(len(self._met)), str(getattr(value, "__qualname__", ""))]
        found = digest_texts(parts if token.startswith("@") else ["named", token])
        self._met[id(value)] = (len(self._met), found)
        self.kept.append(value)
        self.met_tokens.append(token)
        return found

    def look_outside(self) -> None:
        """What lies outside of Python is read.

        Raises:
            UnfingerprintableError: it cannot be.
        """
        found = self.outside()
        for item in self.items:
            item.digest = found.get(item.path, item.digest)

    def unsure_of(self) -> tuple[str, ...]:
        """What the key does not see, but for what the user has declared."""
        # A word that hides something, and what it is a word of, are one thing.
        bare = ((text, re.sub(r"`(?:\w+\.)+(\w+)(?:\(\))?` in ", r"`\1` in ", text)) for text in self.unsure)
        whole = {word for text, word in bare if word != text}
        told = [(text, text.partition(";")[2]) for text in self.unsure if text not in whole]
        left = (text for text, way_out in told if not any(each.answers(way_out) for each in self._declared))
        if self._is_cell:  # its face sees what it has done, and replays no such cell
            return tuple(in_a_cell(text) for text in left if not text.endswith(NOT_REPLAYED))
        return tuple(left)

    def outside(self) -> dict[str, bytes]:
        """The same, read now, by name; the walk stays as it is."""
        return {path: each.read() for path, each in self._outside}

    def content(self) -> Content:
        """The data as it was when the walk was made."""
        return Content([item.digest for item in self.items], self.joint, self.services)

    def marks(self, outside: Mapping[str, bytes]) -> list[bytes | Standing] | None:
        """What may change, in marks that are equal for as long as it is the same; None where something has none.

        `outside` is what `Reach.outside` gave just now.
        """
        found: list[bytes | Standing] = []
        for item in self.items:
            if not item.is_stable:
                mark = outside.get(item.path) or plain_bytes(item.value) or standing(item.value)
                if mark is None:
                    return None
                found.append(mark)
        return found

    def content_now(self, outside: Mapping[str, bytes]) -> Content | None:
        """The data as it is now; None if it holds other code than when the walk was made. `outside`: as for `marks`."""
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
            digests = [
                item.digest if item.is_stable else outside.get(item.path) or _written(walker, item)
                for item in self.items
            ]
        except (_OtherCode, UnfingerprintableError):
            return None
        return Content(digests, walker.joint(), walker.services()) if order + 1 == len(self._met) else None

    def refuse(self, reason: str) -> None:
        """This walk gives no key, for this reason."""
        self.undurable[reason] = None

    def miss(self, what: str, node: Node | None = None) -> None:
        """The key does not see this of a piece of code (that which is read), and stands all the same.

        A way out may follow behind a `;`.
        """
        node = node or self._reading
        if node is None:
            return  # a name that is looked up by itself: whoever uses it is read, and says so
        said, mark, way_out = what.partition(";")
        self.unsure[f"{said} in {node.label}{mark}{way_out}"] = None

    def add(self, thing: object, label: str, read: Callable[[Node], None], exposed: bool = False) -> str:
        """The token of a new piece of code, which `read` will read."""
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

    def package(self, module: str, text: str, use: Use | None = None) -> str:
        """The token of something of an installed package, of Python, or of ours, which counts by name and version."""
        top = module.partition(".")[0]
        self._tops.add(top)
        origin = origin_of_module(module)
        if origin is Origin.PACKAGE:
            self.packages[top] = version_of(top)
        self.loadable_kinds |= set(brings_back(text))
        if found := unseen(text, use):
            self.miss(found)
        text = name_of_3_11(text)
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
        token = self._wrappers.token(value, exposed, path or "it")
        if token is not None:
            self._tokens[id(value)] = token
            self.kept.append(value)
        return token

    def ignore_in(self, value: object, names: frozenset[str]) -> None:
        """Names that do not count in this piece of code."""
        node = self._by_thing.get(id(value))
        if node is not None:
            node.ignore |= names

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

    def closure(self) -> frozenset[str]:
        """Which items are variables of a function around the code, by path."""
        return frozenset(path for key, path in self._item_of.items() if key[0] == "closure")

    def is_ignored(self, path: str) -> bool:
        """Whether the user has said that this does not count."""
        if path not in self._ignore:
            return False
        self._left_out.add(path)
        return True

    def ask(self, settings: str) -> None:
        """These settings of a package count as well."""
        self._asked.add(settings)

    def may_ignore(self, names: Iterable[str]) -> None:
        """These are names that the user may leave out, and that are looked at elsewhere: parameters."""
        self._arguments = self._ignore.intersection(names)
        self._left_out |= self._arguments

    def is_parameter(self, name: str) -> bool:
        """Whether an argument that is left out has this name."""
        return name in self._arguments

    def unmet(self) -> tuple[str, ...]:
        """What the user has said does not count, and nothing here is called."""
        return tuple(sorted(self._ignore - self._left_out))

    def module(self, module: ModuleType) -> str:
        """The token of a module that is used as a whole: by name, or by all that it holds if it is the user's."""
        if origin_of(module) is not Origin.USER:
            return self.package(module.__name__, module.__name__)
        if module.__name__ == "__main__" and self._reading is not None:
            # All that a notebook ever made would count, and nearly none of it is meant.
            self.miss("uses the module `__main__` as a whole")
            return "named __main__"
        known = self._tokens.get(id(module))
        return known or self.add(module, f"module {module.__name__}", self._names.read_module)


def _written(walker: Walker, item: Item) -> bytes:
    began = _CLOCK.monotonic()
    found = walker.digest(item.path, item.value)
    item.seconds = max(item.seconds, _CLOCK.monotonic() - began)
    item.noted = [(step, without_bytes(piece)) for step, piece in walker.noted]
    return found


def _unique(name: str, taken: set[str]) -> str:
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}~{count}"
    taken.add(found)
    return found

"""A function or cell, and everything of the user's that it reaches, as one key that is cheap where nothing changed."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from dataclasses import replace
from threading import RLock
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ...errors import UndecoratableError
from ...forks import held_over_forks
from ...records import dataclass
from .._kinds import is_a
from .._outside import NOTHING, Declared, Outside
from .._versions import Dependent, Packages, counted, declared_versions, depends_on_versions
from ..memory._standing import Standing
from ..services._secrets import without_keys
from ..services._services import is_service
from ..values import _registered
from ..values._filled import Filled, may_set
from ._guards import Check
from ._loaded import Absent, Found
from ._nodes import Item, Tree
from ._reach import Content, Reach
from ._tree import digest_texts

if TYPE_CHECKING:
    from .._explain import Summary

_SLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CodeKey:
    """What a function or cell is, as things stand: its code and all it reaches, and the data that this reads."""

    code: str
    """32 hex digits: canonical trees of it and of all it reaches, and package versions; no data."""
    content: str
    """32 hex digits: content of the globals and closure values that it all reads."""
    code_parts: Mapping[str, str]
    """Name of a function, class or package -> digest."""
    content_parts: Mapping[str, str]
    """Name of a variable -> digest; one of another module carries the module's name."""
    sources: Mapping[str, str]
    """Canonical source text of the code parts, for people who compare; without keys and passwords."""
    undurable: tuple[str, ...]
    """Why it must run plainly; empty when the key is whole."""
    unsure: tuple[str, ...]
    """What it does not see: an edit there goes unnoticed. Phrases such as "uses `globals()` in f"; the key stands."""
    effects: tuple[str, ...]
    """What the code stores outside of itself."""
    values: Mapping[str, object]
    """The data that may change in place, by the names of `content_parts`; services are none."""
    packages: Mapping[str, str] = MappingProxyType({})
    """Import name -> exact version, as loaded, of the installed packages that the code uses, however they count."""
    services: tuple[str, ...] = ()
    """Clients, connections and the like that it all uses, which count by type and public configuration:
    "`client`: openai.OpenAI (https://api.openai.com/v1)"."""
    unmet: tuple[str, ...] = ()
    """Names that are said not to count, and that neither a parameter nor anything it reads has."""
    slow: Mapping[str, float] = MappingProxyType({})
    """Data that it reads of which a walk has taken more than a second: name -> seconds."""
    closure: frozenset[str] = frozenset()
    """Which of `content_parts` are variables of a function around the code, and no globals."""


class Subject(Dependent):
    """A function or cell together with all it reaches; `key` says what that is now.

    Threads may share one: at worst two of them do the same walk.
    """

    def __init__(self, start: _Start, ignore: Collection[str], packages: Packages = "minor") -> None:
        self._start = start
        self._ignore = frozenset(ignore)
        self._packages = packages
        self._trees: dict[tuple[int, bool, int], Tree] = {}
        self._found: dict[int, tuple[Any, Absent | Found]] = {}
        self._last: _Last | None = None
        with _lock:
            _subjects.add(self)

    @classmethod
    def of_function(
        cls,
        function: FunctionType,
        *,
        ignore: Collection[str] = (),
        packages: Packages = "minor",
        declared: Declared = NOTHING,
    ) -> Subject:
        """The subject of a function as `durable` received it.

        Args:
            function: the function, or the wrapper that other decorators made of it.
            ignore: names of globals and closure variables that do not count.
            packages: how far the versions of installed packages count.
            declared: what counts besides what it reads.

        Raises:
            UndecoratableError: its source cannot be had.
            InvalidOptionError: something of `depends` has no stable content.
        """
        return cls._of_code(function, ignore, packages, is_value=False, declared=declared)

    @classmethod
    def of_value(cls, thing: object, packages: Packages = "minor") -> Subject:
        """The subject of a function or class that is itself a value, so that its defaults count as well."""
        return cls._of_code(thing, (), packages, is_value=True)

    @classmethod
    def _of_code(
        cls,
        thing: object,
        ignore: Collection[str],
        packages: Packages,
        *,
        is_value: bool,
        declared: Declared = NOTHING,
    ) -> Subject:
        namespace = getattr(thing, "__globals__", {})
        home = str(namespace.get("__name__", getattr(thing, "__module__", "__main__")))
        subject = cls(_Start(home, is_value, thing=thing, declared=declared), ignore, packages)
        walk = subject._walk()
        subject._keep(walk)
        return subject

    @classmethod
    def of_cell(
        cls,
        tree: ast.Module,
        namespace: dict[str, object],
        reads: Collection[str],
        *,
        ignore: Collection[str] = (),
        packages: Packages = "minor",
        declared: Declared = NOTHING,
    ) -> Subject:
        """The subject of a cell.

        Args:
            tree: the body of the cell, as it will be compiled.
            namespace: where its names are looked up.
            reads: the names that it reads from there; an unbound one counts as unbound.
            ignore: names that do not count.
            packages: how far the versions of installed packages count.
            declared: what counts besides what it reads.
        """
        home = str(namespace.get("__name__", "__main__"))
        start = _Start(home, False, tree=tree, namespace=namespace, reads=frozenset(reads), declared=declared)
        return cls(start, ignore, packages)

    def key(self) -> CodeKey:
        """What it is now. Never raises for what it cannot cover: then `undurable` says why.

        Raises:
            UnfingerprintableError: a file that the user has said it depends on cannot be read.
            InvalidOptionError: a value of `depends` has no stable content any more.
        """
        last = self._last
        if last is not None and last.check.holds():
            if last.is_settled:
                return last.key
            key = self._with_data_of_now(last)
            if key is not None:
                return key
        try:
            walk = self._walk()
        except UndecoratableError as error:
            # It had a source when it was decorated; its code was replaced since.
            return _without_key(str(error))
        walk.look_outside()
        return self._keep(walk)

    def outside(self) -> Mapping[str, str]:
        """What lies outside of Python and counts, by its names in `content_parts`, as it is now."""
        return {} if self._last is None else {name: found.hex() for name, found in self._last.walk.outside().items()}

    def standing(self) -> CodeKey | None:
        """The very object that `key` gave last, where it can be told at a glance that it would give it again.

        None where something it reaches was bound anew, or where it reads data that may change in place: ask `key`.
        """
        last = self._last
        return last.key if last is not None and last.is_settled and last.check.holds() else None

    def forget_versions(self) -> None:
        self._last = None

    def holds_data(self) -> bool:
        """Whether it keeps data alive that may be large."""
        return self._last is not None and bool(self._last.key.values)

    def caches(self) -> tuple[Any, ...]:
        """The functions behind `functools.lru_cache` that it reaches, as of the last key."""
        return () if self._last is None else tuple(self._last.walk.guards.caches)

    def watched(self) -> tuple[dict[str, Any], ...]:
        """Namespaces in which its code may bind names that it does not spell, as of the last key."""
        return () if self._last is None else tuple(self._last.walk.guards.watched.values())

    def changed_attributes(self) -> tuple[str, ...]:
        """Attributes of the classes and local modules that it reaches, bound to something else since the last key."""
        return () if self._last is None else tuple(self._last.walk.guards.changed_attributes())

    def described(self, names: Collection[str]) -> Mapping[str, Summary]:
        """Summaries of data that it reads, by the names of `CodeKey.content_parts`, as of its last key."""
        from .._explain import describe  # only a comparison, and the birth of a promise, ask for it

        items = () if self._last is None else self._last.walk.items
        kept = (item for item in items if item.path in names and not is_a(item.value, Outside))
        return {item.path: describe(_shown(item), item.noted, item.path) for item in kept}

    def unfilled(self) -> CodeKey | None:
        """What it is now but for what cached properties have put into its data; None where there is nothing of that,
        or where its code may have set it in another way."""
        filled = Filled()
        try:
            walk = self._walk(filled)
        except UndecoratableError:
            return None
        if not filled.names or may_set((node.source for node in walk.nodes), filled.names):
            return None
        walk.look_outside()
        return _key_of(walk, walk.content(), None, self._packages)

    def _walk(self, filled: Filled | None = None) -> Reach:
        walk = self._walk_once(False, filled)
        return self._walk_once(True, filled) if walk.reflects else walk

    def _walk_once(self, expose_all: bool, filled: Filled | None) -> Reach:
        start = self._start
        walk = Reach(start.home, self._ignore, self._trees, self._found, expose_all, start.is_value, filled)
        if start.tree is not None:
            walk.from_cell(start.tree, start.namespace, start.reads, start.declared)
        else:
            walk.from_code(start.thing, start.declared)
        return walk

    def _keep(self, walk: Reach) -> CodeKey:
        content = walk.content()
        declared = declared_versions()
        if walk.packages:
            depends_on_versions(self)
        key = _key_of(walk, content, None, self._packages)
        # Of what was run again only the last counts.
        self._found = {number: found for number, found in self._found.items() if number in walk.used}
        self._trees = {place: tree for place, tree in self._trees.items() if place[0] in walk.used}
        is_settled = all(item.is_stable for item in walk.items) or bool(key.undurable)
        self._last = _Last(walk, Check(walk.guards), key, is_settled, content, None)
        if (walk.packages and declared_versions() is not declared) or walk.registered != _registered.count():
            self._last = None  # another thread has declared or registered others meanwhile
        return key

    def _with_data_of_now(self, last: _Last) -> CodeKey | None:
        """The key of the same code with its data as it is now; None if the data holds other code."""
        outside = last.walk.outside()
        marks = last.walk.marks(outside)
        if marks is not None and marks == last.marks:
            return last.key
        content = last.walk.content_now(outside)
        if content is None:
            return None
        key = last.key if content == last.content else _key_of(last.walk, content, last.key, self._packages)
        # Another thread may have changed it meanwhile: remembered is only what stood before and after.
        marks = marks if marks == last.walk.marks(outside) else None
        self._last = replace(last, key=key, content=content, marks=marks)
        return key


@dataclass(frozen=True, slots=True, eq=False)
class _Last:
    """What the last key was made of."""

    walk: Reach
    check: Check
    key: CodeKey
    is_settled: bool
    """The check alone tells whether the key stands: there is no data that may change in place."""
    content: Content
    marks: list[bytes | Standing] | None
    """The data as `Reach.marks` gave it, where it did."""


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """Where the walk of a subject begins."""

    home: str
    is_value: bool
    thing: object = None
    tree: ast.Module | None = None
    namespace: dict[str, Any] = None  # type: ignore[assignment]
    reads: frozenset[str] = frozenset()
    declared: Declared = NOTHING


def _without_key(reason: str) -> CodeKey:
    nothing: Mapping[str, Any] = MappingProxyType({})
    return CodeKey("", "", nothing, nothing, nothing, (reason,), (), (), nothing)


def _key_of(walk: Reach, now: Content, known: CodeKey | None, packages: Packages) -> CodeKey:
    """The key that a walk amounts to; `known` is that of the same walk with other data."""
    content_parts = {item.path: found.hex() for item, found in zip(walk.items, now.digests, strict=True)}
    texts = [text for part in content_parts.items() for text in part]
    content = digest_texts([*texts, now.joint.hex()]).hex()
    slow = {item.path: item.seconds for item in walk.items if item.seconds > _SLOW_SECONDS}
    if known is not None and content == known.content and slow == known.slow:
        return known
    values = {
        item.path: item.value
        for item in walk.items
        if not (item.is_stable or is_a(item.value, Outside) or is_service(type(item.value)))
    }
    if known is not None:
        return replace(
            known,
            content=content,
            content_parts=MappingProxyType(content_parts),
            values=MappingProxyType(values),
            services=now.services,
            slow=MappingProxyType(slow),
        )
    code_parts = {node.label: node.digest().hex() for node in walk.nodes}
    for name, version in sorted(walk.packages.items()):
        code_parts[f"package {name}"] = package_digest(name, counted(name, version, packages))
    texts = [text for part in code_parts.items() for text in part]
    code = digest_texts([walk.top_token, *texts, "met", *walk.met_tokens, "loadable", *walk.loadable]).hex()
    return CodeKey(
        code,
        content,
        MappingProxyType(code_parts),
        MappingProxyType(content_parts),
        MappingProxyType({node.label: without_keys(node.source) for node in walk.nodes}),
        tuple(walk.undurable),
        walk.unsure_of(),
        tuple(walk.effects),
        MappingProxyType(values),
        MappingProxyType(dict(sorted(walk.packages.items()))),
        now.services,
        walk.unmet(),
        MappingProxyType(slow),
        walk.closure(),
    )


def package_digest(name: str, version: str) -> str:
    """The digest of a package among the parts of the code, given what of its version counts."""
    return digest_texts([name, version]).hex()


def forget_keys() -> None:
    """All keys are made anew when they are asked for."""
    with _lock:
        for subject in _subjects:
            subject.forget_versions()


_subjects: WeakSet[Subject] = WeakSet()
_lock = held_over_forks(RLock())


def _shown(item: Item) -> object:
    """The value of an item, where it is settings of a package by their names."""
    found = item.value
    if item.path.startswith("settings of ") and isinstance(found, tuple):
        return dict(found) if all(type(pair) is tuple and len(pair) == 2 for pair in found) else found
    return found

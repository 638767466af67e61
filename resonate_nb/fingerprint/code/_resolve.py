"""To which scope a name belongs, by the rules of the compiler, once all scopes of a tree are known."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ._uses import Load, Root, Scope, Text, TextCall, Use, chain_of
from ._written import CHANGING_METHODS

_MISSING = "\0"
_AT_NAME = re.compile(r"@\s*`?([^\W\d]\w*)")
_AT_MISSING = re.compile(r"@\s*`?\w*\0")
_ON_ATTRIBUTES = frozenset({"getattr", "setattr", "delattr"})
_NAMESPACES = frozenset({"dir", "locals", "vars"})
_BY_KEY = frozenset({"__contains__", "__getitem__", "get", "get_option"})
_ASKED_FOR_ARGUMENTS = _ON_ATTRIBUTES | {
    "__import__",
    "connect",
    "dir",
    "environ",
    "environb",
    "eval",
    "evaluate",
    "exec",
    "getenv",
    "getenvb",
    "globals",
    "import_module",
    "locals",
    "modules",
    "vars",
}


class Resolver:
    """Decides to which scope a name belongs, once all scopes are known."""

    def __init__(self, outside: Scope, reads: frozenset[str], is_cell: bool) -> None:
        self._outside = outside
        self._reads = reads
        self._is_cell = is_cell

    def owner(self, scope: Scope, name: str) -> Scope | Root:
        """The scope inside the code that the name belongs to, else where it is looked up outside."""
        current: Scope | None = scope
        while current is not None and current is not self._outside:
            # A class body is seen by itself alone, but gives its functions the cell `__class__`.
            is_seen = current is scope or current.kind != "class"
            if name in current.globals and is_seen:
                return Root.GLOBAL
            if name in current.binds and is_seen and name not in current.nonlocals:
                return current
            if name == "__class__" and not is_seen:
                return current
            current = current.parent
        return Root.GLOBAL if self._is_cell else Root.FREE

    def uses(self, scope: Scope, load: Load) -> Iterator[Use]:
        owner = self.owner(scope, load.name)
        if isinstance(owner, Scope):
            yield from self._imported(owner, load, scope)
            if owner.kind == "class" and owner is scope:
                # A class body looks into itself first, and then right into the globals.
                yield self._use(Root.GLOBAL, load, scope, is_soft=True)
        elif owner is Root.GLOBAL and load.name in self._outside.binds and self._is_cell:
            yield from self._imported(self._outside, load, scope)
            if load.name in self._reads:
                yield self._use(Root.GLOBAL, load, scope)
        else:
            yield self._use(owner, load, scope)

    def soft(self, scope: Scope, word: str) -> Iterator[Use]:
        owner = self.owner(scope, word)
        if isinstance(owner, Root) and not (self._is_cell and word in self._outside.binds - self._reads):
            yield Use(owner, word, is_soft=True)

    def text(self, scope: Scope, found: Text) -> Iterator[Use | TextCall]:
        """The variables that a text names by ``@name``, where it is written there; else what is known of the text."""
        written = _written(found.argument)
        if written is not None:
            names, is_whole = names_in_query(written)
            yield from self.spoken(scope, names)
            if not is_whole:
                yield TextCall(found.method, None)
            return
        named = chain_of(found.argument)
        if named is not None and isinstance(owner := self.owner(scope, named[0]), Root):
            yield TextCall(found.method, Use(owner, *named))
        else:
            yield TextCall(found.method, None)

    def spoken(self, scope: Scope, names: Iterable[str]) -> Iterator[Use]:
        """What a text means by these names that is evaluated in this scope: its own variables first, then globals."""
        for name in names:
            if name in scope.binds and scope is not self._outside and name not in scope.globals | scope.nonlocals:
                continue
            yield from self.soft(scope, name)
            if self.owner(scope, name) is not Root.GLOBAL and not self._is_cell:
                # A variable of a function around it is found only where the code itself names it.
                yield Use(Root.GLOBAL, name, is_soft=True)

    def stored(self, scope: Scope, name: str) -> Root | None:
        """Where outside a binding of this name goes, None if it stays inside."""
        if scope is self._outside:
            return None
        if name in scope.globals:
            return None if self._is_cell else Root.GLOBAL
        if name not in scope.nonlocals:
            return None
        owner = self.owner(scope, name)
        return owner if isinstance(owner, Root) else None

    def scopes(self, stores: list[tuple[Scope, str]]) -> list[Scope]:
        found: dict[int, Scope] = {id(scope): scope for scope, _ in stores}
        return list(found.values())

    def _imported(self, owner: Scope, load: Load, scope: Scope) -> Iterator[Use]:
        for imported in owner.imports.get(load.name, ()):
            if imported.target:
                continue
            whole = replace(load, name=imported.name, chain=imported.chain + load.chain)
            yield self._use(Root.IMPORT, whole, scope)

    def _use(self, root: Root, load: Load, scope: Scope, is_soft: bool = False) -> Use:
        call = load.call
        is_computed, on_outside, is_traced, target = False, False, False, ""
        spelled: Use | None = None
        last = (load.chain or (load.name,))[-1]
        # Two uses of one name that differ in nothing that matters are one use.
        is_asked = last in _ASKED_FOR_ARGUMENTS or "environ" in (load.name, *load.chain)
        if is_asked and (call is not None or load.item is not None):
            given = [] if call is None else call.args
            literals = [_literal(argument) for argument in given]
            position = 1 if last in _ON_ATTRIBUTES else 0
            asked = load.item
            if asked is not None:
                target = _literal(asked) or ""
                is_computed = not target
            else:
                target = literals[0] or "" if literals else ""
                is_computed = len(literals) <= position or literals[position] is None
                asked = None if len(given) <= position else given[position]
            if is_computed and asked is not None and (by_name := chain_of(asked)) is not None:
                root_of_name = self.owner(scope, by_name[0])
                spelled = Use(root_of_name, *by_name) if isinstance(root_of_name, Root) else None
            if last in _NAMESPACES and given:
                is_computed = False
            named = chain_of(given[0]) if given else None
            owner = None if named is None else self.owner(scope, named[0])
            on_outside = not isinstance(owner, Scope)
            if named is not None:
                is_traced = not isinstance(owner, Scope) or named[0] == owner.self_name or owner.is_import(named[0])
        return Use(
            root,
            load.name,
            load.chain,
            is_called=call is not None,
            is_stored=load.is_stored,
            is_decorator=load.is_decorator,
            is_soft=is_soft,
            is_computed=is_computed,
            on_outside=on_outside,
            is_traced=is_traced,
            is_changed=is_asked and (load.is_changed or last in ("update", "clear")),
            at_top=is_asked and self._is_cell and self._frame(scope) is self._outside,
            target=target,
            given=spelled,
            entry=_entry(load, last),
            is_put=load.is_changed or (call is not None and last in CHANGING_METHODS),
        )

    def _frame(self, scope: Scope) -> Scope:
        """The scope whose variables `locals()` shows here; a comprehension shows those around it, since 3.12."""
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        return scope


def _entry(load: Load, last: str) -> tuple[object, ...]:
    asked = load.item
    if load.call is not None:
        asked = load.call.args[0] if load.call.args and last in _BY_KEY else None
    return (asked.value,) if isinstance(asked, ast.Constant) else ()


def names_in_query(text: str) -> tuple[list[str], bool]:
    """The variables that a query names by ``@name``, and whether these are all: none stands where text is missing."""
    return _AT_NAME.findall(text), not _AT_MISSING.search(text)


def _written(node: ast.expr) -> str | None:
    """The text of an expression as far as it is written there, with a mark for each part that is not; None if none."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant():
            return ""
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else _MISSING for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            first, second = _written(left), _written(right)
            return None if first is None or second is None else first + second
    return None


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

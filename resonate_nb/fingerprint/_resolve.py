"""To which scope a name belongs, by the rules of the compiler, once all scopes of a tree are known."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ._uses import Load, Root, Scope, Text, TextCall, Use, chain_of, texts_in

_AT_NAME = re.compile(r"@\s*`?\w")
_ASKED_FOR_ARGUMENTS = frozenset({"getattr", "setattr", "delattr", "__import__", "import_module"})


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

    def text(self, scope: Scope, found: Text) -> TextCall:
        argument = found.argument
        parts = list(texts_in(argument))
        if any(_AT_NAME.search(part) for part in parts):
            return TextCall(found.method, True, None)
        if isinstance(argument, ast.Constant | ast.JoinedStr):
            return TextCall(found.method, False, Use(Root.GLOBAL, ""))
        named = chain_of(argument)
        if named is not None:
            owner = self.owner(scope, named[0])
            if isinstance(owner, Root):
                return TextCall(found.method, False, Use(owner, *named))
        return TextCall(found.method, False, None)

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
            whole = Load(imported.name, imported.chain + load.chain, load.call, load.is_stored, load.is_decorator)
            yield self._use(Root.IMPORT, whole, scope)

    def _use(self, root: Root, load: Load, scope: Scope, is_soft: bool = False) -> Use:
        call = load.call
        is_computed, on_outside, target = False, False, ""
        if call is not None:
            literals = [_literal(argument) for argument in call.args]
            target = literals[0] or "" if literals else ""
            last = (load.chain or (load.name,))[-1]
            position = 1 if last in ("getattr", "setattr", "delattr") else 0
            is_computed = len(literals) <= position or literals[position] is None
            named = chain_of(call.args[0]) if call.args else None
            on_outside = named is None or not isinstance(self.owner(scope, named[0]), Scope)
        # Two calls of one name that differ in nothing that matters are one use.
        if (load.chain or (load.name,))[-1] not in _ASKED_FOR_ARGUMENTS:
            is_computed, on_outside, target = False, False, ""
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
            target=target,
        )


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None

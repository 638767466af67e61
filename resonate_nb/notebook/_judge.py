"""What a replay of a cell could not repeat, in words that follow "it", each with the name and the line.

In this stage such a cell keeps its promise and is not replayed. Asked after the body ran, about that very run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from types import FunctionType, ModuleType
from typing import Any

from resonate_nb.codec import encode
from resonate_nb.errors import UnfingerprintableError, UnstorableError
from resonate_nb.fingerprint import fingerprint_named, is_drawing, unfilled_parts

from . import _generators, _sharing, _state
from ._bindings import Bundle, bound_names
from ._cell import CellFacts

_PLAIN = (int, float, complex, bool, str, bytes, type(None))


class Witness:
    """Looks at inputs and process before the body runs, and says afterwards what of it a replay could not repeat."""

    def __init__(
        self,
        facts: CellFacts,
        namespace: Mapping[str, object],
        reached: Mapping[str, object],
        ignore: Collection[str] = (),
        changed_attributes: Callable[[], Collection[str]] = tuple,
        sources: Collection[str] = (),
    ) -> None:
        """`reached` are the values that may change in place, by the names of the key's parts; `ignore` do not count.
        `sources` are those of the cell and of the code that it reaches.

        `changed_attributes` is asked after the run: attributes of reached classes and modules that it bound anew.
        """
        self._facts = facts
        self._before = dict(namespace)
        self._inputs = inputs_of(facts, namespace, reached)
        self._ignore = frozenset(ignore)
        self._changed_attributes = changed_attributes
        self._sources = sources
        self._digests = _digests({name: value for name, value in self._inputs.items() if name not in ignore})
        self._state = _state.look()
        self._standing = _generators.look()

    @property
    def before(self) -> Mapping[str, object]:
        """The namespace as it was."""
        return self._before

    def generators(self, namespace: Mapping[str, object]) -> dict[str, _generators.Record]:
        """Records of the global random generators that the run moved; asked right after it."""
        seeded = _generators.seeded_first(self._facts.tree, namespace, self._facts.bound)
        return _generators.records(self._standing, _generators.look(), seeded)

    def reasons(self, namespace: Mapping[str, object], bundle: Bundle, undecided: list[str]) -> tuple[str, ...]:
        """What of the run a replay could not repeat; takes names that cannot be stored out of the bundle."""
        facts = self._facts
        bound = {name: namespace[name] for name in bound_names(facts, self._before, namespace)}
        values = {name: bundle["names"][name] for name in bound if name in bundle["names"]}
        found: list[str] = []
        found += self._changed_inputs()
        lines = {**facts.reads, **facts.touched}
        found += [
            f"changed {self._named(name, lines)}"
            for name in self._changed_attributes()
            if not {name, name.partition(".")[0]} & self._ignore
        ]
        definitions = self._definitions(values)
        found += definitions.values()
        found += self._unstorable(bundle)
        # One reason for each name is enough.
        values = {name: value for name, value in values.items() if name in bundle["names"] and name not in definitions}
        found += self._held_and_shared(values, namespace)
        found += [
            f"may have bound {self._named(name, facts.bound)}, which was there before and cannot be compared"
            for name in undecided
        ]
        for phrase, line in _state.changes(facts.tree, self._state, _state.look()):
            found.append(phrase if line is None else _with_line(phrase, line))
        return tuple(found)

    def _changed_inputs(self) -> list[str]:
        # The object that the name held before counts, whatever the name holds now.
        after = _digests({name: self._inputs[name] for name in self._digests})
        changed = {name: self._inputs[name] for name, digest in self._digests.items() if after.get(name) != digest}
        if changed:
            after |= self._unfilled(changed)
        lines = {**self._facts.reads, **self._facts.touched}
        found = []
        for name, digest in self._digests.items():
            if after.get(name) != digest:
                found.append(f"changed {self._named(name, lines)} in place")
            elif not digest and name in self._facts.touched:
                found.append(f"may have changed {self._named(name, lines)} in place, which cannot be compared")
        return found

    def _unfilled(self, changed: Mapping[str, object]) -> Mapping[str, str]:
        """What inputs come to without cached properties that were filled by a look at them."""
        try:
            return unfilled_parts(changed, "minor", {}, self._sources)
        except UnfingerprintableError:
            return {}

    def _definitions(self, values: Mapping[str, object]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in sorted(values.items()):
            if isinstance(value, type | FunctionType) and value.__module__ == "__main__":
                kind = "class" if isinstance(value, type) else "function"
            elif name in self._facts.definitions:
                kind = "definition"  # decorated into something else
            else:
                continue
            named = self._named(name, self._facts.bound)
            found[name] = f"bound the {kind} {named} (put definitions in a cell of their own)"
        return found

    def _held_and_shared(self, values: Mapping[str, object], namespace: Mapping[str, object]) -> list[str]:
        """Functions made by the cell that its values hold, and what else they share with what lives on."""

        def is_kept(function: FunctionType) -> bool:
            # Defined by another cell, and still the one of its name: a replay takes it from the session.
            root = function.__qualname__.partition(".")[0]
            return "<" not in function.__qualname__ and root not in self._facts.bound and root in namespace

        inputs = {name: value for name, value in self._inputs.items() if not isinstance(value, _PLAIN)}
        try:
            held = _sharing.notebook_functions(values, is_kept)
            shared = _sharing.shared({n: v for n, v in values.items() if n not in held}, inputs)
        except _sharing.TooLargeError as error:
            return [f"holds too many objects in `{error.name}` to tell what it shares with its inputs"]
        reasons: list[str] = []
        for name, function in sorted(held.items()):
            what = "a function" if "<" in function else f"the function `{function}`"
            reasons.append(f"bound {self._named(name, self._facts.bound)}, which holds {what} made by this cell")
        for item in shared:
            name = self._named(item.name, self._facts.bound)
            match item.what:
                case "is":
                    reasons.append(f"bound {name}, which is `{item.other}` itself")
                case "memory":
                    reasons.append(f"bound {name}, which shares memory with `{item.other}`; bind a copy")
                case kind:
                    reasons.append(f"bound {name}, which shares a {kind} with `{item.other}`; bind a copy")
        return reasons

    def _unstorable(self, bundle: Bundle) -> list[str]:
        names: dict[str, object] = bundle["names"]
        reasons: list[str] = []
        while not _is_surely_storable(names):
            try:
                encode(bundle)
            except UnstorableError as error:
                culprit = next((n for n in names if error.path.startswith(f"['names'][{n!r}]")), None)
                culprit = culprit or next((n for n in names if not _is_storable(names[n])), None)
                if culprit is None:
                    return [*reasons, f"bound what cannot be stored: {error}"]
                inside = error.path.removeprefix(f"['names'][{culprit!r}]")
                where = f" (at `{culprit}{inside}`)" if inside and inside != error.path else ""
                reasons.append(
                    f"bound {self._named(culprit, self._facts.bound)}, which cannot be stored: "
                    f"{_article(error.type_name)} {error.type_name}{where} ({error.reason})"
                )
                del names[culprit]
            else:
                break
        return reasons

    def _named(self, path: str, lines: Mapping[str, int]) -> str:
        root = path.split(".")[0].split("[")[0]
        line = lines.get(path, lines.get(root))
        return f"`{path}`" if line is None else f"`{path}` (line {line})"


def inputs_of(facts: CellFacts, namespace: Mapping[str, object], reached: Mapping[str, object]) -> dict[str, object]:
    """Everything a cell reads that may change in place: what it names itself, and what code it reaches names."""
    # Whole objects where the cell names them: the key may count an attribute only, but the cell can change all.
    direct = {
        name: namespace[name] for name in facts.reads if name in namespace and not _counts_by_code(namespace[name])
    }
    return direct | {name: value for name, value in reached.items() if name.split(".")[0] not in direct}


def _counts_by_code(value: object) -> bool:
    if isinstance(value, (*_PLAIN, ModuleType, FunctionType, type)) or is_drawing(value):
        return True
    return type(value).__module__.startswith("resonate_nb.")


def _digests(values: Mapping[str, object]) -> dict[str, str]:
    """One digest a name; a value without a fingerprint has the digest ""."""
    try:
        return dict(fingerprint_named(values).parts)
    except UnfingerprintableError:
        pass
    found = {}
    for name, value in values.items():
        try:
            found[name] = fingerprint_named({name: value}).joint
        except UnfingerprintableError:
            found[name] = ""
    return found


def _is_storable(value: object) -> bool:
    try:
        encode(value)
    except UnstorableError:
        return False
    return True


def _is_surely_storable(value: Any, depth: int = 3) -> bool:
    """Whether it is plain to see that a value can be stored; large data is not encoded twice just to know."""
    if type(value) in _PLAIN:
        return True
    if depth and type(value) in (list, tuple, set, frozenset):
        return len(value) <= 1000 and all(_is_surely_storable(item, depth - 1) for item in value)
    if depth and type(value) is dict:
        return len(value) <= 1000 and all(_is_surely_storable(pair, depth - 1) for pair in value.items())
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and type(value) is numpy.ndarray:
        return bool(value.dtype.kind in "biufcmMSU")
    if pandas is not None and type(value) in (pandas.DataFrame, pandas.Series):
        dtypes = value.dtypes if type(value) is pandas.DataFrame else [value.dtypes]
        return not value.attrs and not any(getattr(dtype, "kind", "O") == "O" for dtype in dtypes)
    return False


def _with_line(phrase: str, line: int) -> str:
    head, mark, tail = phrase.partition(";")
    return f"{head} (line {line}){mark}{tail}"


def _article(noun: str) -> str:
    return "an" if noun[:1].lower() in tuple("aeio") else "a"

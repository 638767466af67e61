# ruff: noqa: E501  (a table of definitions: a kind per line reads better than one broken up)
"""Random programs against a naive model: an edit changes the key of `f` exactly if `f` reaches what was edited.

A program is a notebook and two local modules with up to a dozen definitions of every kind, which refer to one another
in every way that a module has. The model is the graph that the program was drawn from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sessions import Session, write_module

from resonate_nb.fingerprint import CodeKey

pytestmark = pytest.mark.slow

# {d} is the name, {k} a number, {refs} what it refers to, each followed by a comma.
LAZY = {
    "function": "def {d}(x):\n    return {k}, {refs}",
    "lambda": "{d} = lambda x: ({k}, {refs})",
    "nested function": "def {d}(x):\n    def inner(y):\n        return {k}, {refs}\n    return inner",
    "comprehension": "def {d}(x):\n    return [({k}, {refs}) for _ in x]",
    "f-string": "def {d}(x):\n    return f'{{{k}}} {{({refs})!r:>9}}'",
    "coroutine": "async def {d}(x):\n    return {k}, {refs}",
    "generator": "def {d}(x):\n    yield {k}, {refs}",
    "match": "def {d}(x):\n    match x:\n        case {k}:\n            return ({refs})",
    "default": "def {d}(x, n={k}):\n    return n, {refs}",
    "keyword default": "def {d}(x, *, n={k}):\n    return n, {refs}",
    "closure": "def _{d}(n):\n    def inner(x):\n        return n, {refs}\n    return inner\n{d} = _{d}({k})",
    "cached": "@functools.lru_cache\ndef {d}(x):\n    return {k}, {refs}",
    "wrapped": "def _{d}(g):\n    @functools.wraps(g)\n    def inner(x):\n        return g(x), {k}, {refs}\n    return inner\n"
    "@_{d}\ndef {d}(x):\n    return x",
    "under a wrapper": "def _{d}(g):\n    @functools.wraps(g)\n    def inner(x):\n        return g(x)\n    return inner\n"
    "@_{d}\ndef {d}(x):\n    return {k}, {refs}",
    "dispatched": "@functools.singledispatch\ndef {d}(x):\n    return 0\n"
    "@{d}.register\ndef _(x: int):\n    return {k}, {refs}",
    "context manager": "@contextlib.contextmanager\ndef {d}(x):\n    yield {k}, {refs}",
    "method": "class {d}:\n    def go(self):\n        return {k}, {refs}",
    "property": "class {d}:\n    @property\n    def go(self):\n        return {k}, {refs}",
    "cached property": "class {d}:\n    @functools.cached_property\n    def go(self):\n        return {k}, {refs}",
    "static method": "class {d}:\n    @staticmethod\n    def go():\n        return {k}, {refs}",
    "class method": "class {d}:\n    @classmethod\n    def go(cls):\n        return {k}, {refs}",
    "partial method": "class {d}:\n    def _go(self, n):\n        return n, {refs}\n    go = functools.partialmethod(_go, {k})",
    "class attribute": "class {d}:\n    k = {k}\n    def go(self):\n        return {refs}",
    "slots": "class {d}:\n    __slots__ = ('a',)\n    def go(self):\n        return {k}, {refs}",
    "descriptor": "class _{d}:\n    def __get__(self, owner, kind):\n        return {k}, {refs}\nclass {d}:\n    go = _{d}()",
    "metaclass": "class _{d}(type):\n    def go(cls):\n        return {k}, {refs}\nclass {d}(metaclass=_{d}):\n    pass",
    "hook of a base": "class _{d}:\n    def __init_subclass__(cls):\n        super().__init_subclass__()\n"
    "    def go(self):\n        return {k}, {refs}\nclass {d}(_{d}):\n    pass",
    "dataclass": "@dataclasses.dataclass\nclass {d}:\n    a: int = {k}\n    def go(self):\n        return {refs}",
    "frozen dataclass": "@dataclasses.dataclass(frozen=True, slots=True)\nclass {d}:\n    a: int = 0\n"
    "    def go(self):\n        return {k}, {refs}",
    "enum": "class {d}(enum.Enum):\n    A = {k}\n    def go(self):\n        return {refs}",
    "named tuple": "class {d}(typing.NamedTuple):\n    a: int = {k}\n    def go(self):\n        return {refs}",
    "instance": "class _{d}:\n    def go(self):\n        return {refs}\n{d} = _{d}()\n{d}.k = {k}",
    "instance with slots": "class _{d}:\n    __slots__ = ('k',)\n    def go(self):\n        return {refs}\n{d} = _{d}()\n{d}.k = {k}",
    "bound method": "class _{d}:\n    def go(self):\n        return self.k, {refs}\n_{d}i = _{d}()\n_{d}i.k = {k}\n{d} = _{d}i.go",
    "callable object": "class _{d}:\n    def __call__(self):\n        return {k}, {refs}\n{d} = _{d}()",
    "attribute of a function": "def {d}(x):\n    return {d}.k, {refs}\n{d}.k = {k}",
}
# What looks at the things that it refers to when it is made, so that they stand above it.
EAGER = {
    "table": "{d} = {{'a': [{refs}], 'k': {k}}}",
    "tuple": "{d} = ({k}, {refs})",
    "set of one": "{d} = types.SimpleNamespace(k={k}, refs=[{refs}])",
    "default of things": "def {d}(x, n=({refs})):\n    return {k}, n",
    "partial": "def _{d}(*a):\n    return a\n{d} = functools.partial(_{d}, {k}, {refs})",
    "closure over things": "def _{d}(*n):\n    return lambda x: (n, {k})\n{d} = _{d}({refs})",
    "class attributes": "class {d}:\n    table = ({refs})\n    def go(self):\n        return {k}",
    "chain": "{d} = collections.ChainMap({{'k': {k}}}, dict(enumerate(({refs}))))",
}
KINDS = LAZY | EAGER
HEAD = "import collections, contextlib, dataclasses, enum, functools, types, typing\n"
MODULES = ("main", "mutant_a", "mutant_b")
"""Each imports those to its right."""


@dataclass(frozen=True)
class Definition:
    name: str
    module: int
    kind: str
    k: int
    refs: tuple[tuple[int, str], ...]
    """Which definitions it refers to, and in which way where they stand in another module."""

    def text(self, program: Program) -> str:
        refs = "".join(f"{_ref(self, program[at], way)}, " for at, way in self.refs)
        return KINDS[self.kind].format(d=self.name, k=self.k, refs=refs)


Program = tuple[Definition, ...]


def _ref(one: Definition, other: Definition, way: str) -> str:
    if one.module == other.module:
        return other.name
    module = MODULES[other.module]
    return {
        "module": f"{module}.{other.name}",
        "alias": f"as_{module}.{other.name}",
        "name": f"from_{other.name}",
        "star": other.name,
        "getattr": f'getattr({module}, "{other.name}")',
    }[way]


WAYS = ("module", "alias", "name", "star", "getattr")


@st.composite
def programs(draw: st.DrawFn) -> Program:
    modules = sorted(draw(st.lists(st.integers(0, 2), min_size=2, max_size=12)), reverse=True)
    found: list[Definition] = []
    for at, module in enumerate(modules):
        kind = draw(st.sampled_from(sorted(KINDS)))
        # To the right only: a module does not import those that import it.
        last = at if kind in EAGER else len(modules)
        targets = [other for other in range(last) if modules[other] >= module]
        refs = draw(st.lists(st.sampled_from(targets), max_size=3, unique=True)) if targets else []
        ways = [draw(st.sampled_from(WAYS)) for _ in refs]
        found.append(Definition(f"d{at}", module, kind, draw(st.integers(2, 9)), tuple(zip(refs, ways, strict=True))))
    return tuple(found)


def reached(program: Program, start: int, at_most: bool = False) -> set[int]:
    """What counts; `at_most`: with what may count as well, where a module is handed to `getattr` as a whole."""
    found, left = set(), [start]
    while left:
        at = left.pop()
        if at not in found:
            found.add(at)
            left += (other for other, _ in program[at].refs)
            whole = {program[other].module for other, way in program[at].refs if way == "getattr"}
            whole -= {program[at].module}
            # With the names that it has from the modules to its right.
            least = min(whole, default=len(MODULES))
            left += (other for other, one in enumerate(program) if at_most and one.module >= least)
    return found


def texts(program: Program, start: int, harmless: int | None = None) -> list[str]:
    """The source of each module; a definition that was edited harmlessly stands lower, and under a comment."""
    found = []
    for number, module in enumerate(MODULES):
        lines = [HEAD]
        for right in range(number + 1, len(MODULES)):
            name = MODULES[right]
            lines += [f"import {name}", f"import {name} as as_{name}", f"from {name} import *"]
            lines += [f"from {name} import {d.name} as from_{d.name}" for d in program if d.module == right]
        for at, definition in enumerate(program):
            if definition.module == number:
                lines.append("\n\n# harmless\n" if at == harmless else "")
                lines.append(definition.text(program))
        if module == "main":
            one = Definition("f", 0, "function", 1, ((start, "module"),))
            lines.append(one.text(program))
        found.append("\n".join(lines) + "\n")
    return found


def key(folder: Path, sources: list[str]) -> CodeKey:
    session = Session(folder)
    for name, text in zip(MODULES[1:], sources[1:], strict=True):
        write_module(folder, name, text)
    found = session.cell(sources[0]).key()
    assert found.undurable == ()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("mutants")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        patch.setattr(sys, "dont_write_bytecode", True)
        yield place
        Session(place)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), program=programs())
def test_an_edit_counts_exactly_where_it_is_reached(folder: Path, data: st.DataObject, program: Program) -> None:
    start = data.draw(st.integers(0, len(program) - 1), label="what f calls")
    edited = data.draw(st.integers(0, len(program) - 1), label="what is edited")
    before = key(folder, texts(program, start))
    other = list(program)
    other[edited] = replace(program[edited], k=program[edited].k + 10)
    after = key(folder, texts(tuple(other), start))
    is_other = (before.code, before.content) != (after.code, after.content)
    assert is_other or edited not in reached(program, start)
    assert not is_other or edited in reached(program, start, at_most=True)
    moved = key(folder, texts(program, start, harmless=edited))
    assert (before.code, before.content) == (moved.code, moved.content)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), program=programs())
def test_numbers_that_change_places_are_another_program(folder: Path, data: st.DataObject, program: Program) -> None:
    start = data.draw(st.integers(0, len(program) - 1), label="what f calls")
    places = sorted(reached(program, start))
    one, two = data.draw(st.sampled_from(places)), data.draw(st.sampled_from(places))
    other = list(program)
    other[one], other[two] = replace(program[one], k=program[two].k), replace(program[two], k=program[one].k)
    before, after = key(folder, texts(program, start)), key(folder, texts(tuple(other), start))
    assert (program[one].k != program[two].k) == ((before.code, before.content) != (after.code, after.content))

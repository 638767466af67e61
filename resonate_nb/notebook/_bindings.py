"""What a run of a cell bound, as a value that can be stored, and the same bound again in one step.

Modules are never stored: the import statements that bound them are run again on a replay. All other names go into one
dict, so that objects which are the same object stay the same object.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, TypeGuard

from resonate_nb.codec import describe
from resonate_nb.errors import UnfingerprintableError
from resonate_nb.fingerprint import fingerprint_named, parse
from resonate_nb.runtime import hold_interrupt

from . import _generators
from ._cell import CellFacts, ImportedName, is_history
from ._left_over import stand_in

_LINES = 40
Bundle = dict[str, Any]
"""``names``: values by name; ``imports``: statements, in order; ``deletes``: names that are gone;
``conditions``: digests of names that the cell may or may not have bound, which must hold for a replay to be right;
``generators``: records of the global random generators that the run moved (`_generators.py`), absent when none did."""


def is_recorded(name: str) -> bool:
    """Whether a name is the user's: not one that Python or IPython keeps for itself."""
    return not is_history(name) and not (name.startswith("__") and name.endswith("__"))


def bound_names(facts: CellFacts, before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Names that the run bound: those the text says are bound for sure, and those that hold another object than before.

    The first catches a name bound to the very object it held (`mode = 5` over 5), the second a star import, `exec`,
    or a function's `global`.
    """
    missing = object()
    changed = (name for name, value in after.items() if before.get(name, missing) is not value)
    sure = (name for name in facts.surely_bound if name in after)
    return sorted(filter(is_recorded, {*changed, *sure}))


def bundle_of(facts: CellFacts, before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Bundle, list[str]]:
    """What is stored of a run, and the names for which it cannot be said whether the run bound them."""
    bound = bound_names(facts, before, after)
    imports: list[str] = []
    imported: set[str] = set()
    for statement in facts.imports:
        found = _names_of(statement, bound, facts, after)
        if found or (statement.is_star and statement.module in sys.modules):
            imports.append(statement.text)
            imported |= found
    for name in bound:
        value = after[name]
        if name not in imported and isinstance(value, ModuleType) and sys.modules.get(value.__name__) is value:
            imports.append(f"import {value.__name__} as {name}")
            imported.add(name)
    deletes = {name for name in before if name not in after and is_recorded(name)}
    deletes |= {name for name in facts.surely_deleted if name not in after and is_recorded(name)}
    conditions, undecided = _conditions(facts, before, after)
    bundle: Bundle = {
        "names": {name: stand_in(after[name]) for name in bound if name not in imported},
        "imports": imports,
        "deletes": sorted(deletes),
        "conditions": conditions,
    }
    return bundle, undecided


def is_bundle(value: object) -> TypeGuard[Bundle]:
    """Whether a stored value is what a cell of this package's form stores."""
    return isinstance(value, dict) and value.keys() >= {"names", "imports", "deletes", "conditions"}


def bundle_text(value: object) -> str | None:
    """What a cell brings back, for people: a line for each name, with the value in short. None for other values."""
    if not is_bundle(value):
        return None
    lines = [f"{name} = {describe(bound)}" for name, bound in sorted(value["names"].items())]
    lines += [*value["imports"], *(f"del {name}" for name in value["deletes"])]
    if len(lines) > _LINES:
        lines[_LINES:] = [f"… and {len(lines) - _LINES} more"]
    return "\n".join(lines) or "nothing bound"


def unmet(bundle: Bundle, namespace: Mapping[str, object]) -> str | None:
    """The first name whose content is not what a replay of the bundle needs; None when all are."""
    for name, digest in bundle["conditions"].items():
        if name not in namespace or _digest(name, namespace[name]) != digest:
            return str(name)
    return None


def why_not_of(value: object, facts: CellFacts, namespace: Mapping[str, object]) -> str | None:
    """Why what is stored of a cell is not to stand for a run of its text as it is now; None when it is.

    A replay leaves no name missing that the text binds, and binds none that the text does not.
    """
    if not is_bundle(value):
        return "it is no cell's"
    if (name := unmet(value, namespace)) is not None:
        return f"`{name}`, which it may bind, is not what it was then"
    bound = {*value["names"], *_imported(value["imports"])}
    for name in sorted(filter(is_recorded, facts.surely_bound - bound)):
        return f"the cell as it is now binds `{name}` (line {facts.bound[name]}), which is not in it"
    if not facts.has_star_import:
        for name in sorted(bound - facts.bound.keys()):
            return f"it binds `{name}`, which the cell as it is now does not"
    for name in sorted(set(value["deletes"]) - facts.deleted.keys()):
        return f"it deletes `{name}`, which the cell as it is now does not"
    for name in sorted(filter(is_recorded, facts.surely_deleted - set(value["deletes"]))):
        if name in namespace:
            return f"the cell as it is now deletes `{name}`, which it does not"
    return None


def _imported(statements: Iterable[str]) -> Iterator[str]:
    """The names that import statements bind, those of star imports aside."""
    for statement in statements:
        for node in parse(statement).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    if alias.name != "*":
                        yield alias.asname or alias.name.partition(".")[0]


def bind(shell: Any, bundle: Bundle, moves: Mapping[str, _generators.Record] | None = None) -> list[str]:
    """Everything in the bundle is bound in the shell's namespace, or (when an import fails) nothing is.

    `moves` are the records of generators to set in the same step; returned are those that are not loaded and were not
    set. An interrupt that arrives in the middle is raised when all is bound.
    """
    # As the module the user works in: what an imported module looks up by `__main__` is there either way.
    aside: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    kept = set(aside)
    for statement in bundle["imports"]:
        exec(statement, aside)
    names = {name: value for name, value in aside.items() if name not in kept} | bundle["names"]
    with hold_interrupt():
        # First what may fail. After the imports: a package may draw when it is imported.
        left_out = _generators.put(moves or {})
        shell.push(names)
        for name in bundle["deletes"]:
            shell.user_ns.pop(name, None)
    return left_out


def _names_of(statement: ImportedName, bound: Iterable[str], facts: CellFacts, after: Mapping[str, object]) -> set[str]:
    """The names whose value at the end is what this import statement gives, so that it can be run instead."""
    module = sys.modules.get(statement.module)
    if module is None:
        return set()
    if statement.is_star:
        return {n for n in bound if n not in facts.bound and vars(module).get(n, facts) is after[n]}
    if statement.name not in after:
        return set()
    value = after[statement.name]
    if statement.attribute is None:
        # `import a.b` binds `a`, `import a.b as c` binds `a.b`.
        top = statement.module.split(".")[0]
        given: object = sys.modules.get(top) if statement.name == top and " as " not in statement.text else module
    else:
        given = vars(module).get(statement.attribute, sys.modules.get(f"{statement.module}.{statement.attribute}"))
        if given is None and hasattr(module, "__getattr__"):  # a module that loads its names at first use
            given = getattr(module, statement.attribute, None)
    return {statement.name} if given is value else set()


def _conditions(
    facts: CellFacts, before: Mapping[str, object], after: Mapping[str, object]
) -> tuple[dict[str, str], list[str]]:
    """`if flag: mode = 9` may have bound `mode` to the 9 it held before, or not have come by.

    Which of the two it was cannot be told afterwards, but where `mode` holds the same content as then, both come to
    the same. A name that the cell reads is part of the key and needs no condition.
    """
    conditions: dict[str, str] = {}
    undecided: list[str] = []
    for name in sorted(facts.unsure - facts.reads.keys()):
        if name in before and name in after and before[name] is after[name] and is_recorded(name):
            digest = _digest(name, after[name])
            if digest is None:
                undecided.append(name)
            else:
                conditions[name] = digest
    return conditions, undecided


def _digest(name: str, value: object) -> str | None:
    try:
        return fingerprint_named({name: value}).joint
    except UnfingerprintableError:
        return None

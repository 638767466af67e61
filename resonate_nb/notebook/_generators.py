"""The global random generators around a cell: recorded where a run moved them, and moved on again by a replay.

A record of one generator (in the cell's bundle) has three parts:

- ``before``: where it stood before the run. A digest of the state; or "unseeded", when nobody had seeded it or drawn
  from it, so that it stood somewhere else in each session; or "any", when the cell begins by seeding it.
- ``after``: a digest of the state after the run.
- ``state``: that state itself, to be set again.

A replay sets ``state`` where the generator now stands as ``before`` says: then later draws are those of a notebook that
was never interrupted. Elsewhere it leaves the generator alone, and the person is told.
"""

from __future__ import annotations

import ast
import pickle
import random
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from resonate_nb.fingerprint import fingerprint
from resonate_nb.records import dataclass
from resonate_nb.runtime import is_numpy_fresh

UNSEEDED = "unseeded"
ANY = "any"

Record = dict[str, Any]

_SEEDERS = {"random": "seed", "numpy.random": "seed", "torch": "manual_seed"}
"""Module of each generator -> its function that settles where the generator stands."""

_at_load: object = None
"""Where `random` stood when the extension was loaded, if nobody had seeded it by then."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the generators stood at one moment: their states; one that is absent belongs to a package not loaded."""

    states: Mapping[str, object]

    def stands(self, name: str, where: str) -> bool:
        """Whether the generator stood where a record says."""
        if where == ANY:
            return True
        if where == UNSEEDED:
            return self._is_unseeded(name)
        return name in self.states and fingerprint(self.states[name]) == where

    def where(self, name: str) -> str:
        """Where the generator stood, in the words of a record."""
        return UNSEEDED if self._is_unseeded(name) else fingerprint(self.states[name])

    def _is_unseeded(self, name: str) -> bool:
        if name not in self.states:
            return True
        match name:
            case "random":
                return self.states[name] == _at_load
            case "numpy.random":
                return is_numpy_fresh(self.states[name])
            case _:  # torch seeds itself as anybody else would
                return False


def look() -> Standing:
    """Where they stand now; costs a tenth of a millisecond."""
    return Standing({name: generator.state() for name, generator in _loaded().items()})


def records(before: Standing, after: Standing, seeded: frozenset[str]) -> dict[str, Record]:
    """A record of each generator that stands elsewhere after the run, and of each that the cell seeded."""
    found: dict[str, Record] = {}
    generators = _loaded()
    for name, state in after.states.items():
        digest = fingerprint(state)
        if name in seeded:
            where = ANY
        elif name in before.states:
            if before.stands(name, digest):
                continue
            where = before.where(name)
        elif name == "numpy.random" and is_numpy_fresh(state):
            continue  # loaded by the cell, and as it was then
        else:
            where = UNSEEDED
        found[name] = {"before": where, "after": digest, "state": generators[name].to_plain(state)}
    return found


def split(recorded: Mapping[str, Record], now: Standing) -> tuple[dict[str, Record], list[str]]:
    """What a replay that began at `now` moves on, and the names of the generators that stand elsewhere.

    In neither is one that stands where the run left it: there is nothing to do, and nothing to say.
    """
    moves, elsewhere = {}, []
    for name, record in recorded.items():
        if now.stands(name, record["before"]):
            moves[name] = record
        elif not now.stands(name, record["after"]):
            elsewhere.append(name)
    return moves, elsewhere


def put(moves: Mapping[str, Record]) -> list[str]:
    """Set the recorded states, all or none; the names of those whose package is not loaded, which are left out."""
    if "numpy.random" in moves and "numpy" in sys.modules:
        # numpy is there, by an import of the user's, but it loads its random part only when somebody asks for it.
        getattr(sys.modules["numpy"], "random", None)
    generators = _loaded()
    done: list[tuple[_Generator, object]] = []
    try:
        for name, record in moves.items():
            if name in generators:
                generator = generators[name]
                done.append((generator, generator.state()))
                generator.set(generator.from_plain(record["state"]))
    except Exception:
        for generator, state in reversed(done):
            generator.set(state)
        raise
    return [name for name in moves if name not in generators]


def note_load(inputs: object) -> None:
    """The extension is being loaded: from here on `random` counts as unseeded for as long as it stands where it is.

    That is not so when one of the inputs of the session speaks of seeding. `random` itself cannot say whether it was
    seeded by hand. Loading the extension again changes nothing.
    """
    global _at_load
    texts = inputs if isinstance(inputs, list) else []
    if _at_load is None:
        is_suspect = any("seed" in text or "setstate" in text for text in texts if isinstance(text, str))
        _at_load = "seeded" if is_suspect else random.getstate()


def seeded_first(tree: ast.Module, namespace: Mapping[str, object], bound: Mapping[str, int]) -> frozenset[str]:
    """The generators that a cell seeds before anything else, as `np.random.seed(42)` in its first lines does.

    What it draws then, and where it leaves the generator, is the same wherever the generator stood. Before it may
    stand imports, docstrings, and names given a constant. `bound` are the names that the cell binds.
    """
    constants: dict[str, object] = {}
    found: set[str] = set()
    for statement in tree.body:
        seed: object
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                constants[name] = value
                continue
            case ast.Expr(value=ast.Call(func=function, args=[ast.Constant(value=value)], keywords=[])):
                seed = value
            case ast.Expr(value=ast.Call(func=function, args=[ast.Name(id=name)], keywords=[])):
                known = constants if name in bound else namespace
                seed = known.get(name)
            case _:
                break
        generator = _seeded_by(function, namespace)
        if generator is None or not isinstance(seed, int):
            break
        found.add(generator)
    return frozenset(found)


def _seeded_by(function: ast.expr, namespace: Mapping[str, object]) -> str | None:
    called = _resolved(function, namespace)
    for name, seeder in _SEEDERS.items():
        module = sys.modules.get(name)
        if called is not None and called is getattr(module, seeder, None):
            return name
    return None


def _resolved(node: ast.expr, namespace: Mapping[str, object]) -> object:
    """What a dotted name stands for, followed through modules only."""
    match node:
        case ast.Name(id=name):
            return namespace.get(name)
        case ast.Attribute(value=inner, attr=name):
            owner = _resolved(inner, namespace)
            return vars(owner).get(name) if isinstance(owner, ModuleType) else None
        case _:
            return None


class _Generator:
    """`random`'s; the others differ in where they are found and how their states are kept."""

    def state(self) -> object:
        return random.getstate()

    def set(self, state: Any) -> None:
        random.setstate(state)

    def to_plain(self, state: Any) -> object:
        """Something that can be read again without loading the generator's package."""
        return state

    def from_plain(self, plain: Any) -> object:
        return plain


class _Numpy(_Generator):
    def __init__(self, module: Any) -> None:
        self._module = module

    def state(self) -> object:
        return self._module.get_state(legacy=False)

    def set(self, state: Any) -> None:
        self._module.set_state(state)

    def to_plain(self, state: Any) -> object:
        return pickle.dumps(state, 5)

    def from_plain(self, plain: Any) -> object:
        # It lies inside the cell's own bundle, whose signature was verified before anything of it was unpickled.
        return pickle.loads(plain)


class _Torch(_Generator):
    def __init__(self, module: Any) -> None:
        self._module = module

    def state(self) -> object:
        return self._module.get_rng_state().numpy().tobytes()

    def set(self, state: Any) -> None:
        self._module.set_rng_state(self._module.frombuffer(bytearray(state), dtype=self._module.uint8))


def _loaded() -> dict[str, _Generator]:
    found: dict[str, _Generator] = {"random": _Generator()}
    numpy_random: Any = sys.modules.get("numpy.random")
    if hasattr(numpy_random, "get_state") and hasattr(numpy_random, "mtrand"):
        found["numpy.random"] = _Numpy(numpy_random)
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "get_rng_state"):
        found["torch"] = _Torch(torch)
    return found

"""The house rules, held: floors, doors, no cycles, who may import what, public names, and the light import.

The table of floors is here and nowhere else; change it together with the map in `resonate_nb/__init__.py`. The checker
works on source text by name, so that made-up offenders can show that it is able to fail.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import resonate_nb

PACKAGE = "resonate_nb"
ROOT = Path(resonate_nb.__file__).parent
TESTS = Path(__file__).parent

FLOORS: tuple[tuple[str, ...], ...] = (
    ("frames",),
    ("errors", "clock", "records", "forks"),
    ("retry", "protocol"),
    ("fingerprint", "codec", "store"),
    ("runtime",),
    ("view", "function"),
    ("durable", "notebook", "commands"),
    ("cli",),
)
"""Bottom to top. A room imports only rooms of floors beneath its own. The front door stands above all of them."""

FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}

ONLY_IN: Mapping[str, tuple[str, ...]] = {
    "time": ("clock",),
    "sqlite3": ("store",),
    "diskcache": ("store",),
    "IPython": ("notebook",),
    "ipykernel": ("notebook",),
    "ipywidgets": ("notebook",),
    "anywidget": ("notebook",),
    "traitlets": ("notebook",),
}
"""Outside module -> rooms that may import it."""

NEVER_IN: Mapping[str, tuple[str, ...]] = {
    "numpy": tuple(FLOOR_OF),
    "pandas": ("errors", "clock", "records", "retry", "protocol", "fingerprint", "codec", "store"),
}
"""Outside module -> rooms that look it up in `sys.modules` instead, when a value of its is there already."""

LAW = ("retry", "protocol")
PURE = frozenset(
    {
        "__future__",
        "collections",
        "dataclasses",
        "datetime",
        "email",
        "enum",
        "functools",
        "itertools",
        "math",
        "random",
        "re",
        "typing",
    }
)
"""All that the law may import from outside: nothing that does I/O or starts threads. `datetime` is here for lengths
of time, `email` for the dates of headers; what of them reads time is in `CLOCK_READERS`."""

CLOCK_READERS = frozenset(
    {
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
        "pandas.Timestamp.now",
        "pandas.Timestamp.today",
        "email.utils.formatdate",
        "email.utils.localtime",
        "os.times",
        "asyncio.sleep",
    }
)
"""Calls that read time or let it pass without a clock; the module `time` itself is held by `ONLY_IN`."""

THREAD_STARTERS = frozenset(
    {
        "threading.Thread",
        "threading.Timer",
        "_thread.start_new_thread",
        "concurrent.futures.ThreadPoolExecutor",
        "concurrent.futures.thread.ThreadPoolExecutor",
        "asyncio.to_thread",
        "multiprocessing.pool.ThreadPool",
    }
)
MAY_START_THREADS = (f"{PACKAGE}.runtime", f"{PACKAGE}.store", f"{PACKAGE}.notebook._flush")


@dataclass(frozen=True)
class Import:
    """One imported name. `target` is the module it comes from, as far as that is known without importing."""

    target: str
    line: int
    base: str = ""
    """The module after `from`, when there is one."""

    def seen_through(self, modules: Mapping[str, Module]) -> str:
        """The target; but the door itself where the door's own name covers a module's (`runtime.call`)."""
        door, name = modules.get(self.base), self.target.rpartition(".")[2]
        if door is not None and door.name != self.target and name in (door.exports() or ()):
            return self.target if door.aliases.get(name, "") == self.target else door.name
        return self.target


class Module:
    """A module as text: what it imports, calls and exports, found without running it."""

    def __init__(self, name: str, source: str, known: frozenset[str], is_package: bool) -> None:
        self.name = name
        self.tree = ast.parse(source)
        self.known = known
        self.is_package = is_package
        self.aliases: dict[str, str] = {}
        """Local name -> dotted origin."""
        self.imports = list(self._find_imports())

    @property
    def room(self) -> str:
        """The room it belongs to; empty for the front door itself."""
        return room_of(self.name)

    def _find_imports(self) -> Iterator[Import]:
        """All of them, at any depth: inside functions, under TYPE_CHECKING, and by `import_module("...")`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.aliases[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
                    yield Import(alias.name, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node.level, node.module)
                for alias in node.names:
                    full = f"{base}.{alias.name}"
                    self.aliases[alias.asname or alias.name] = full
                    target = full if full in self.known or room_of(full, deep=True) else base
                    yield Import(target, node.lineno, base)
            elif isinstance(node, ast.Call) and (named := self._imported_by_call(node)):
                yield Import(named, node.lineno)

    def _absolute(self, level: int, module: str | None) -> str:
        if level == 0:
            return module or ""
        parts = self.name.split(".")
        package = parts if self.is_package else parts[:-1]
        base = package[: len(package) - (level - 1)]
        return ".".join([*base, *([module] if module else [])])

    def _imported_by_call(self, node: ast.Call) -> str | None:
        if not (node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)):
            return None
        if dotted(node.func).rpartition(".")[2] not in ("import_module", "__import__"):
            return None
        text = node.args[0].value
        bare = text.lstrip(".")
        return self._absolute(len(text) - len(bare), bare or None)

    def calls(self) -> Iterator[tuple[str, ast.Call | ast.ClassDef]]:
        """Dotted origins of all that it calls, or makes subclasses of."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield self.origin(node.func), node
            elif isinstance(node, ast.ClassDef):
                for base in node.bases:
                    yield self.origin(base), node

    def origin(self, node: ast.expr) -> str:
        first, dot, rest = dotted(node).partition(".")
        return self.aliases.get(first, first) + dot + rest

    def exports(self) -> tuple[str, ...] | None:
        """The names in `__all__`; None if there is no such literal."""
        for node in self.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                value = getattr(node, "value", None)
                return tuple(ast.literal_eval(value)) if value is not None else None
        return None


def dotted(node: ast.expr) -> str:
    """`a.b.c` as text; for `f().b` the text after the part that has no name: `.b`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def room_of(name: str, deep: bool = False) -> str:
    """The room of a module name of ours, else the empty string. With `deep`, only if it is a door by its name."""
    parts = name.split(".")
    if parts[0] != PACKAGE or len(parts) < 2 or (deep and (len(parts) != 2 or parts[1] not in FLOOR_OF)):
        return ""
    return parts[1]


def paths() -> dict[str, Path]:
    """Every module of the package, by name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def read() -> dict[str, Module]:
    """Every module of the package, read."""
    found = paths()
    known = frozenset(found)
    return {
        name: Module(name, path.read_text("utf-8"), known, path.name == "__init__.py") for name, path in found.items()
    }


def made_up(sources: Mapping[str, str]) -> dict[str, Module]:
    """Modules from text, by name; a name that is a prefix of another is a package."""
    known = frozenset(sources)
    return {
        name: Module(name, text, known, any(other.startswith(name + ".") for other in known))
        for name, text in sources.items()
    }


def floor_faults(modules: Mapping[str, Module]) -> Iterator[str]:
    """Rule 1: only floors beneath; no neighbour; nobody imports the front door."""
    for module in modules.values():
        if module.room and module.room not in FLOOR_OF:
            yield f"{module.name}: room {module.room!r} stands on no floor; give it one here and in the map"
            continue
        for found in module.imports:
            if found.target.split(".")[0] != PACKAGE or not module.room:
                continue
            target = room_of(found.target)
            if not target:
                yield f"{module.name}:{found.line} imports the front door"
            elif target != module.room and FLOOR_OF.get(target, len(FLOORS)) >= FLOOR_OF[module.room]:
                yield f"{module.name}:{found.line} imports {target}, which is not beneath {module.room}"


def door_faults(modules: Mapping[str, Module]) -> Iterator[str]:
    """Rule 2: across rooms only `resonate_nb.<room>`, nothing behind it."""
    for module in modules.values():
        for found in module.imports:
            seen = found.seen_through(modules)
            target = room_of(seen)
            if target and target != module.room and seen != f"{PACKAGE}.{target}":
                yield f"{module.name}:{found.line} imports {seen}, past the door of {target}"


def restriction_faults(modules: Mapping[str, Module]) -> Iterator[str]:
    """Rule 3: who reads time, opens databases, knows notebooks, starts threads; and what the law may import."""
    for module in modules.values():
        for found in module.imports:
            outside = found.target.split(".")[0]
            if outside in ONLY_IN and module.room not in ONLY_IN[outside]:
                yield f"{module.name}:{found.line} imports {outside}, which only {ONLY_IN[outside][0]} may"
            if module.room in NEVER_IN.get(outside, ()):
                yield f"{module.name}:{found.line} imports {outside}; look it up in sys.modules"
            if module.room in LAW and outside not in PURE and outside != PACKAGE:
                yield f"{module.name}:{found.line} imports {outside}: the law is pure"
        for called, node in module.calls():
            if called in CLOCK_READERS and module.room != "clock" and not _yields_only(node):
                yield f"{module.name}:{node.lineno} calls {called}; only clock.py reads time"
            if called in THREAD_STARTERS and not within(module.name, MAY_START_THREADS):
                yield f"{module.name}:{node.lineno} starts a thread with {called}"


def _yields_only(node: ast.Call | ast.ClassDef) -> bool:
    """`asyncio.sleep(0)` lets others run and waits for no time."""
    return (
        isinstance(node, ast.Call)
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value == 0
    )


def within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(place + ".") for place in places)


def cycle_faults(modules: Mapping[str, Module]) -> Iterator[str]:
    """Rule 4: no cycle between modules, wherever in them the import stands."""
    graph = {
        module.name: {found.seen_through(modules) for found in module.imports} & modules.keys() - {module.name}
        for module in modules.values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield "import cycle: " + " -> ".join(reversed(error.args[1]))


def export_faults(modules: Mapping[str, Module]) -> Iterator[str]:
    """Rule 5: each door says what it exports, and exports only its own; the front door knows each name's room."""
    front = modules[PACKAGE]
    for name in front.exports() or ():
        if not room_of(front.aliases.get(name, "")):
            yield f"{PACKAGE} exports {name}, and imports it from no room where type checkers look"
    for module in modules.values():
        if not (module.is_package and module.room and module.name == f"{PACKAGE}.{module.room}"):
            continue
        if len(module.tree.body) == 0:
            continue  # not furnished yet
        exports = module.exports()
        if exports is None:
            yield f"{module.name}: the door has no literal __all__"
            continue
        for name in exports:
            origin = module.aliases.get(name, module.name)
            if name.startswith("_") or room_of(origin) != module.room:
                yield f"{module.name} exports {name}, which comes from {origin}"


RULES = {
    "floors": floor_faults,
    "doors": door_faults,
    "restrictions": restriction_faults,
    "cycles": cycle_faults,
    "exports": export_faults,
}


@pytest.fixture(scope="module")
def house() -> dict[str, Module]:
    return read()


@pytest.mark.parametrize("name", RULES)
def test_house_rule(name: str, house: dict[str, Module]) -> None:
    """The package as it stands keeps the rule."""
    assert [] == list(RULES[name](house))


def test_house_is_read_whole(house: dict[str, Module]) -> None:
    """A checker that finds no modules, or no imports in them, would be content with anything."""
    assert {f"{PACKAGE}.protocol._machine", f"{PACKAGE}.clock", PACKAGE} <= set(house)
    targets = {found.target for found in house[f"{PACKAGE}.protocol._machine"].imports}
    assert {f"{PACKAGE}.protocol._task", f"{PACKAGE}.protocol._commands"} <= targets


LAWFUL = {
    "resonate_nb": "def __getattr__(name):\n    from resonate_nb import runtime\n    return getattr(runtime, name)",
    "resonate_nb.errors": "class Bad(Exception): ...",
    "resonate_nb.clock": "import time\nnow = time.time()",
    "resonate_nb.protocol": "from ._machine import apply\n__all__ = ['apply']",
    "resonate_nb.protocol._machine": "from dataclasses import replace\nfrom . import _task\ndef apply(): ...",
    "resonate_nb.protocol._task": "from resonate_nb.errors import Bad",
    "resonate_nb.store": "from ._sqlite import Store\n__all__ = ['Store']",
    "resonate_nb.store._sqlite": "import sqlite3\nimport threading\nfrom resonate_nb.protocol import apply\n"
    "class Store(threading.Thread): ...",
    "resonate_nb.codec": "import threading\ndef has(v): return isinstance(v, threading.Thread)\n__all__ = ['has']",
    "resonate_nb.runtime": "from .call import call\n__all__ = ['call']",
    "resonate_nb.runtime.call": "from ._plan import call",
    "resonate_nb.runtime.call._plan": "import asyncio\nfrom .._engine import Engine\n"
    "async def call(): await asyncio.sleep(0)",
    "resonate_nb.runtime._engine": "from resonate_nb.store import Store\nclass Engine: ...",
    "resonate_nb.notebook": "from ._flush import start\n__all__ = ['start']",
    "resonate_nb.notebook._flush": "import threading, IPython\ndef start(): threading.Thread(target=print).start()",
    "resonate_nb.cli": "from resonate_nb.runtime import call\ndef main():\n    from resonate_nb import notebook",
}
"""A small house in order; each offender below is one change to it."""


def test_a_house_in_order_has_no_faults() -> None:
    """Else the offenders below might be found for another reason than their own."""
    assert [] == [fault for rule in RULES.values() for fault in rule(made_up(LAWFUL))]


OFFENDERS = [
    pytest.param("floors", "store._sqlite", "import resonate_nb.runtime", id="upward"),
    pytest.param("floors", "store._sqlite", "from resonate_nb import runtime", id="upward_from_front"),
    pytest.param("floors", "store._sqlite", "from ..runtime import call", id="upward_relative"),
    pytest.param(
        "floors", "store._sqlite", "def f():\n    from resonate_nb.runtime import call", id="upward_in_function"
    ),
    pytest.param(
        "floors",
        "protocol._task",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from resonate_nb.store import Store",
        id="upward_for_types",
    ),
    pytest.param(
        "floors", "codec", "import importlib\nimportlib.import_module('resonate_nb.runtime')", id="upward_by_call"
    ),
    pytest.param("floors", "codec", "from resonate_nb.store import Store", id="neighbour"),
    pytest.param("floors", "errors", "import resonate_nb.clock", id="neighbour_in_cellar"),
    pytest.param("floors", "runtime._engine", "import resonate_nb", id="front_door"),
    pytest.param("floors", "runtime._engine", "from resonate_nb import durable_thing", id="name_of_front_door"),
    pytest.param("floors", "shed", "x = 1", id="room_without_floor"),
    pytest.param("doors", "runtime._engine", "from resonate_nb.store._sqlite import Store", id="bedroom"),
    pytest.param("doors", "runtime._engine", "from resonate_nb.store import _sqlite", id="bedroom_as_name"),
    pytest.param("doors", "runtime._engine", "from ..store import _sqlite", id="bedroom_relative"),
    pytest.param("doors", "cli", "import resonate_nb.runtime.call", id="inner_package"),
    pytest.param("doors", "cli", "from resonate_nb.runtime.call import call", id="inner_package_from"),
    pytest.param("restrictions", "runtime._engine", "import time", id="time"),
    pytest.param("restrictions", "runtime._engine", "from time import monotonic as m", id="time_renamed"),
    pytest.param(
        "restrictions", "runtime._engine", "import datetime as d\nx = d.datetime.now(d.UTC)", id="datetime_now"
    ),
    pytest.param("restrictions", "retry", "from email.utils import localtime\nlocaltime()", id="date_of_mail"),
    pytest.param("restrictions", "cli", "from datetime import date as D\nx = D.today()", id="date_today"),
    pytest.param(
        "restrictions", "runtime._engine", "import asyncio\nasync def f(): await asyncio.sleep(0.1)", id="sleep"
    ),
    pytest.param("restrictions", "runtime._engine", "import sqlite3", id="sqlite"),
    pytest.param("restrictions", "cli", "def f():\n    from diskcache import Disk", id="diskcache"),
    pytest.param("restrictions", "runtime._engine", "from IPython.display import display", id="ipython"),
    pytest.param("restrictions", "cli", "import ipywidgets", id="ipywidgets"),
    pytest.param("restrictions", "codec", "import numpy as np", id="numpy"),
    pytest.param("restrictions", "codec", "def f():\n    import pandas.api", id="pandas"),
    pytest.param("restrictions", "protocol._task", "import os", id="law_with_io"),
    pytest.param("restrictions", "cli", "import threading as t\nt.Thread(target=print).start()", id="thread_elsewhere"),
    pytest.param(
        "restrictions",
        "notebook",
        "from concurrent.futures import ThreadPoolExecutor as P\np = P()",
        id="pool_elsewhere",
    ),
    pytest.param(
        "restrictions", "notebook", "from threading import Thread\nclass T(Thread): ...", id="thread_subclass"
    ),
    pytest.param("cycles", "protocol._task", "from ._machine import apply", id="cycle"),
    pytest.param("cycles", "protocol._task", "def f():\n    from ._machine import apply", id="cycle_in_function"),
    pytest.param("cycles", "store._sqlite", "from resonate_nb.store import Store", id="cycle_through_door"),
    pytest.param("exports", "store", "from ._sqlite import Store", id="door_without_all"),
    pytest.param(
        "exports", "store", "from resonate_nb.protocol import apply\n__all__ = ['apply']", id="foreign_export"
    ),
    pytest.param("exports", "", "__all__ = ['run']\ndef run(): ...", id="front_export_without_room"),
    pytest.param("exports", "store", "from ._sqlite import _x\n__all__ = ['_x']", id="private_export"),
]


@pytest.mark.parametrize(("rule", "module", "source"), OFFENDERS)
def test_checker_finds_the_offender(rule: str, module: str, source: str) -> None:
    """Each way around a rule is found, by that rule, and at that module."""
    name = f"{PACKAGE}.{module}".rstrip(".")
    faults = list(RULES[rule](made_up({**LAWFUL, name: source})))
    assert 1 <= len(faults)
    assert all((name.rpartition("._")[0] or name) in fault for fault in faults)


def intrusions(path: str, source: str, known: frozenset[str]) -> list[str]:
    """Modules behind a door that a test imports, other than those of the room whose tests stand in its folder."""
    folder = Path(path).parts[0]
    imports = Module("test", source, known, is_package=False).imports
    return [
        f"{path}:{found.line} imports {found.target}"
        for found in imports
        if room_of(found.target) not in ("", folder) and found.target.count(".") > 1
    ]


def test_tests_enter_by_the_doors(house: dict[str, Module]) -> None:
    """A room may be rebuilt behind its door, and only its own tests need follow."""
    known = frozenset(house)
    found = []
    for path in sorted(TESTS.rglob("*.py")):
        found += intrusions(str(path.relative_to(TESTS)), path.read_text("utf-8"), known)
    assert [] == found


def test_intruding_test_is_found() -> None:
    """Only its own room is open to a test."""
    source = "from resonate_nb.store import _sqlite, Store\nimport resonate_nb.runtime"
    known = frozenset({"resonate_nb.store._sqlite", "resonate_nb.store", "resonate_nb.runtime"})
    assert [] == intrusions("store/test_x.py", source, known)
    assert ["traps/test_x.py:1 imports resonate_nb.store._sqlite"] == intrusions("traps/test_x.py", source, known)


def public_names() -> list[str]:
    return [name for name in getattr(resonate_nb, "__all__", ()) if not name.startswith("_")]


def names_in_api(source: str) -> set[str]:
    """Names of the front door that a text uses, as `rnb.name` or after `from resonate_nb import name`."""
    module = Module("api", source, frozenset(), is_package=False)
    used = {node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name)}
    names = {
        origin.removeprefix(f"{PACKAGE}.")
        for local, origin in module.aliases.items()
        if origin.startswith(f"{PACKAGE}.") and local in used
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and module.origin(node.value) == PACKAGE:
            names.add(node.attr)
    return names


@pytest.mark.parametrize("name", public_names())
def test_public_name_has_a_docstring_of_its_own(name: str) -> None:
    """What a user may call says what holds after the call; an inherited or generated text does not."""
    thing = getattr(resonate_nb, name)
    if not (inspect.isclass(thing) or callable(thing) or inspect.ismodule(thing)):
        return  # a plain constant cannot carry one
    doc = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    assert doc, f"{name} has no docstring"
    assert not doc.startswith(f"{name}("), f"{name} has only the docstring that dataclass made"


def test_every_public_name_is_in_the_typed_calls() -> None:
    """The type checker sees each public name used as a user would, in a file that is never run."""
    api = TESTS / "typing" / "api.py"
    assert public_names()
    assert set() == set(public_names()) - names_in_api(api.read_text("utf-8"))


def test_typed_calls_are_read_as_written() -> None:
    """A name that is imported and not used, or belongs to something else, does not count."""
    text = "import resonate_nb as rnb\nfrom resonate_nb import durable, unused\n"
    calls = "rnb.get('x')\n@durable\ndef f(): ...\nx.search()"
    assert {"get", "durable"} == names_in_api(text + calls)


PROBE = """
import sys
before = set(sys.modules)
import resonate_nb
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names) - {"resonate_nb"}))
"""


@pytest.mark.slow
def test_import_loads_the_standard_library_only() -> None:
    """Importing the package is not felt, whatever it can do later."""
    run = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert "[]" == run.stdout.strip()


@pytest.mark.slow
def test_probe_sees_a_foreign_module() -> None:
    """The probe is able to fail: with an outside import beside ours, it names it."""
    probe = PROBE.replace("import resonate_nb\n", "import resonate_nb\nimport pluggy\n")
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "['pluggy']" == run.stdout.strip()


@pytest.mark.parametrize("name", [name for name in paths() if name.count(".") == 1])
def test_door_opens_and_has_what_it_lists(name: str, house: dict[str, Module]) -> None:
    """What a door lists is there."""
    door = importlib.import_module(name)
    assert [] == [listed for listed in house[name].exports() or () if not hasattr(door, listed)]

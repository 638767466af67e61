"""What a key says beside being equal or not: parts, reasons, effects, values; and how it is kept."""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
import linecache
import operator
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sessions import Session, key_of, same, write_module

from resonate_nb.errors import UndecoratableError
from resonate_nb.fingerprint import CodeKey, Subject, fingerprint


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    Session(tmp_path)


def test_an_edited_module_that_was_not_loaded_again_is_said(folder: Path) -> None:
    write_module(folder, "helpers", "def g(x):\n    return 1\n")
    session = Session(folder).cell("import helpers\ndef f(x): return helpers.g(x)")
    write_module(folder, "helpers", "def g(x):\n    return 2  # other\n")
    key = session.key()
    assert key.undurable == (
        "module helpers was edited on disk after it was imported (helpers.g() differs): "
        "reload it (importlib.reload) or restart",
    )
    importlib.reload(sys.modules["helpers"])
    assert session.key().undurable == ()


def test_a_module_that_only_moved_is_the_same(folder: Path) -> None:
    write_module(folder, "helpers", "def g(x):\n    return 1\n")
    session = Session(folder).cell("import helpers\ndef f(x): return helpers.g(x)")
    first = session.key()
    write_module(folder, "helpers", "# why\n\n\ndef g(x):\n\n    return 1  # so\n")
    assert same(first, session.key())


def test_a_key_taken_before_the_edit_is_that_of_the_loaded_code(folder: Path) -> None:
    write_module(folder, "helpers", "def g(x):\n    return 1\n")
    session = Session(folder).cell("import helpers\ndef f(x): return helpers.g(x)")
    subject = session.subject()
    first = subject.key()
    write_module(folder, "helpers", "def g(x):\n    return 22\n")
    session.names["other"] = 1
    assert same(first, subject.key())
    importlib.reload(sys.modules["helpers"])
    assert not same(first, subject.key())


@pytest.mark.parametrize("filename", ["helpers.py", "<string>"])
def test_a_method_that_autoreload_put_in_is_that_of_the_edited_file(folder: Path, filename: str) -> None:
    """It compiles the method in a class of its own; of a property it does not even keep the file's name."""
    before = "class C:\n    def m(self):\n        return 1\n"
    after = "K = 3\n\nclass C:\n    def m(self):  # why\n        return [2]\n"
    cell = "from helpers import C\ndef f(): return C().m()"
    write_module(folder, "helpers", before)
    session = Session(folder).cell(cell)
    first = session.key()
    write_module(folder, "helpers", after)
    place: dict[str, Any] = {}
    piece = "class __autoreload_class__:\n    def m(self):\n        return [2]\n"
    origin = str(folder / filename) if filename.endswith(".py") else filename
    exec(compile(piece, origin, "exec"), sys.modules["helpers"].__dict__, place)
    session.names["C"].m.__code__ = place["__autoreload_class__"].m.__code__
    patched = session.key()
    assert patched.undurable == ()
    assert not same(first, patched)
    assert same(patched, Session(folder).cell(cell).key())


def test_a_function_without_source_is_refused() -> None:
    session = Session()
    exec("def f(x): return x", session.names)
    with pytest.raises(UndecoratableError, match=r"the source of f\(\) cannot be had .* write it in a cell or a file"):
        session.subject()


def test_a_helper_without_source_makes_the_call_run_plainly() -> None:
    session = Session()
    exec("def helper(x): return x", session.names)
    key = session.cell("def f(x): return helper(x)").key()
    assert key.undurable == ("the source of helper() cannot be had (it comes from '<string>')",)


def test_a_builtin_is_no_subject() -> None:
    with pytest.raises(UndecoratableError, match="not a function of this notebook"):
        Subject.of_function(len)  # type: ignore[arg-type]


def test_code_that_is_replaced_by_some_without_source_runs_plainly() -> None:
    session = Session().cell("def f(x): return x")
    subject = session.subject()
    scope: dict[str, object] = {}
    exec("def g(x): return -x", scope)
    session.names["f"].__code__ = scope["g"].__code__  # type: ignore[attr-defined]
    assert "cannot be had" in subject.key().undurable[0]


def test_parts_name_what_changed(folder: Path) -> None:
    write_module(folder, "mymod", "K = 1\ndef g(): return K\n")
    cells = (
        "import mymod\nimport numpy as np\nN = 3\n",
        "class Model:\n    SIZE = 1\n    def fit(self): return np.zeros(N)\n",
        "def f(): return Model().fit(), mymod.g()",
    )
    key = key_of(*cells, folder=folder)
    assert set(key.code_parts) == {"f", "Model", "Model.fit", "mymod.g", "package numpy"}
    assert set(key.content_parts) == {"N", "Model.SIZE", "mymod.K"}
    assert "return np.zeros(N)" in key.sources["Model.fit"]
    other = key_of(cells[0].replace("3", "4"), *cells[1:], folder=folder)
    assert key.code == other.code
    assert {"N"} == {name for name, digest in key.content_parts.items() if other.content_parts[name] != digest}
    edited = key_of(cells[0], cells[1].replace("(N)", "(2 * N)"), cells[2], folder=folder)
    assert key.content == edited.content
    assert {"Model.fit"} == {name for name, digest in key.code_parts.items() if edited.code_parts[name] != digest}


def test_an_unbound_global_counts_as_unbound() -> None:
    session = Session().cell("def f(): return K")
    subject = session.subject()
    first = subject.key()
    assert first.undurable == ()
    assert set(first.content_parts) == {"K"}
    session.cell("K = 1")
    second = subject.key()
    assert not same(first, second)
    del session.names["K"]
    assert same(first, subject.key())


def test_ignored_names_are_left_out() -> None:
    cells = ("conn, K = {}, 1", "def f(): return conn, K")
    first = key_of(cells[0].format(1), cells[1], ignore=("conn",))
    assert set(first.content_parts) == {"K"}
    assert same(first, key_of(cells[0].format("object()"), cells[1], ignore=("conn",)))


def test_an_ignored_closure_variable_is_left_out() -> None:
    make = "def make(conn):\n    def f(): return conn\n    return f\nf = make({})"
    assert same(key_of(make.format(1), ignore=("conn",)), key_of(make.format("object()"), ignore=("conn",)))


def test_what_a_durable_helper_ignores_does_not_count_in_it() -> None:
    session = Session().cell("conn = object()\ndef helper(x): return conn")
    marked = Durable(session.names["helper"], ("conn",))
    session.names["helper"] = marked
    key = session.cell("def f(x): return helper(x)").key()
    assert key.undurable == ()
    assert set(key.code_parts) == {"f", "helper"}


class Durable:
    """Looks like what our decorator makes."""

    __module__ = "resonate_nb.durable"

    def __init__(self, function: object, ignore: tuple[str, ...]) -> None:
        self.__wrapped__ = function
        self.__durable_ignore__ = ignore

    def __call__(self) -> None: ...


def test_a_version_of_a_package_counts_by_major_and_minor(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = ("import numpy as np", "def f(x): return np.sin(x)")
    keys = []
    for version in ("2.1.0", "2.1.7", "2.2.0"):
        monkeypatch.setattr("numpy.__version__", version)
        keys.append(key_of(*cells))
    assert same(keys[0], keys[1])
    assert not same(keys[0], keys[2])


def test_a_package_that_is_loaded_again_counts_by_its_version_then(folder: Path) -> None:
    """After an upgrade in the middle of a session."""
    installed = folder / "site-packages"
    write_module(installed, "upgraded_package", "__version__ = '1.0'\ndef run(x): return x\n")
    sys.path.insert(0, str(installed))
    try:
        session = Session(folder).cell("import upgraded_package").cell("def f(x): return upgraded_package.run(x)")
        subject = session.subject()
        before = subject.key()
        write_module(installed, "upgraded_package", "__version__ = '1.1'\ndef run(x): return x + 1\n")
        importlib.reload(sys.modules["upgraded_package"])
        assert not same(before, subject.key())
        assert {"upgraded_package": "1.1"} == dict(subject.key().packages)
    finally:
        sys.path.remove(str(installed))
        sys.modules.pop("upgraded_package", None)


def test_data_without_content_is_said_with_the_way_out() -> None:
    (reason,) = key_of("import queue\nwork = queue.Queue()", "def f(): return work").undurable
    assert reason.startswith("`work` is a queue.Queue, which has no stable content")
    assert "ignore=('work',)" in reason


def test_stores_outside_are_effects() -> None:
    cells = ("n = 0\ndef bump():\n    global n\n    n += 1", "def f(): return bump()")
    assert key_of(*cells).effects == ("global n in bump",)


def test_nonlocal_stores_into_outer_cells_are_effects_and_into_own_ones_not() -> None:
    outer = "def make():\n    n = 0\n    def bump():\n        nonlocal n\n        n += 1\n    return bump\n"
    assert key_of(outer + "f = make()").effects == ("nonlocal n in make.bump",)
    assert key_of(outer, "def f(): return make()()").effects == ()


def test_stores_into_modules_classes_and_functions_are_effects(folder: Path) -> None:
    write_module(folder, "mymod", "K = 1\n")
    cells = ("import mymod\nclass C: pass\ndef g(): pass", "def f():\n    mymod.K = C.n = g.n = 2")
    assert set(key_of(*cells, folder=folder).effects) == {"mymod.K in f", "C.n in f", "g.n in f"}


def test_a_new_name_in_a_module_of_python_or_a_package_is_an_effect() -> None:
    assert key_of("import math", "def f():\n    math.mine = 7").effects == ("math.mine in f",)
    assert key_of("def f():\n    import builtins\n    builtins.mine = 7").effects == ("builtins.mine in f",)


def test_attributes_that_are_bound_anew_are_found_by_looking(folder: Path) -> None:
    write_module(folder, "mymod", "K = 1\nL = 2.5\ndef g(): return K, L\n")
    session = Session(folder).cell("import mymod\nclass C:\n    n = 0\n    s = 300.5")
    subject = session.cell("def f(): return C.n, mymod.g()").subject()
    assert subject.changed_attributes() == ()
    session.cell("C.s = float('300.5')\nmymod.L = float('2.5')")  # other objects, and equal
    assert subject.changed_attributes() == ()
    session.cell("C.n += 1\nC.m = lambda self: 1\nmymod.K = 2")
    assert set(subject.changed_attributes()) == {"C.n", "C.m", "mymod.K"}
    subject.key()
    assert subject.changed_attributes() == ()


def test_data_that_may_change_in_place_is_handed_out() -> None:
    key = key_of("L, K = [1], 2", "def f(): return L, K")
    assert {"L": [1]} == dict(key.values)


def test_a_key_is_kept_while_nothing_changes() -> None:
    session = Session().cell("K = 1\nclass C:\n    def m(self): return K\ndef helper(x): return C().m()")
    subject = session.cell("def f(x): return helper(x)").subject()
    first = subject.key()
    session.cell("unrelated = 1")
    assert subject.key() is first


@pytest.mark.parametrize(
    "change",
    [
        "helper.__code__ = other.__code__",
        "helper.__defaults__ = (5,)",
        "helper.__kwdefaults__['k'] = 5",
        "C.m = other",
        "C.K = 7",
        "C.__bases__ = (D,)",
        "free.__closure__[0].cell_contents = 5",
        "print = other",
        "p.keywords['b'] = 5",
        "T['a'] = other",
        "T['c'] = other",
        "T['a'], T['b'] = T['b'], T['a']",
    ],
)
def test_every_change_in_place_is_seen(change: str) -> None:
    session = Session().cell(
        "def other(x, n=1, *, k=1): return 1\n"
        "def helper(x, n=1, *, k=1): return 2\n"
        "class B: pass\n"
        "class D:\n    def n(self): return 1\n"
        "class C(B):\n    K = 1\n    def m(self): return 1\n"
        "def make(n):\n    def g(): return n\n    return g\n"
        "free = make(1)\n"
        "def a(x): return 1\n"
        "def b(x): return 2\n"
        "T = {'a': a, 'b': b}\n"
        "import functools\np = functools.partial(a, b=1)\n"
    )
    subject = session.cell("def f(x): return print(helper(x), C().m(), free(), T[x](x), p(x))").subject()
    first = subject.key()
    assert subject.key() is first
    session.cell(change)
    second = subject.key()
    assert second.undurable == ()
    assert (first.code, first.content) != (second.code, second.content)
    assert subject.key() is second


def test_recursion_ends() -> None:
    cells = (
        "class A:\n    def m(self): return super().__repr__(), B\n    def n(self): return T, __class__",
        "class B(A): pass",
        "def g(x): return h(x)\ndef h(x): return g(x)\nT = {'g': g, 'f': None}",
        "def f(x): return T, A, g(x), f\nT['f'] = f",
    )
    key = key_of(*cells)
    assert key.undurable == ()
    assert same(key, key_of(*cells))


@pytest.mark.parametrize("use", ["v", "v.a.b", "x.query(v)", "getattr(x, v.name)", "C.member, C().m()", "g()"])
@pytest.mark.parametrize("name", ["__class__", "__dict__", "__getattribute__"])
def test_what_says_nothing_but_errors_of_itself_ends_no_walk(name: str, use: str) -> None:
    """So is a proxy that stands for nothing yet."""
    told = "property(fail)" if name != "__getattribute__" else "fail"
    cells = (
        f"class Proxy:\n    def fail(self, *a): raise RuntimeError('for nothing')\n    {name} = {told}\nv = Proxy()",
        "class C:\n    member = v\n    def m(self): return self.member",
        "def g(y=v): return y",
        f"def f(x): return {use}",
    )
    key = key_of(*cells)
    assert (key.code, key.content, key.undurable) == (key_of(*cells).code, key_of(*cells).content, key.undurable)
    assert ("__dict__" in str(key.undurable)) is (name == "__dict__")


def test_what_a_module_puts_into_its_own_place_is_data(folder: Path) -> None:
    """`sys.modules[__name__] = Settings()`: what is imported then is no module."""

    def key(text: str) -> CodeKey:
        write_module(folder, "settings_module", f"import sys\n{text}\nsys.modules[__name__] = Settings()\n")
        sys.modules.pop("settings_module", None)
        return key_of("def f():\n    import settings_module\n    return settings_module.size", folder=folder)

    try:
        before = key("class Settings:\n    def __init__(self): self.size = 1")
        assert before.undurable == ()
        assert not same(before, key("class Settings:\n    def __init__(self): self.size = 2"))
        assert same(before, key("class Settings:\n    # why\n    def __init__(self): self.size = 1"))
    finally:
        sys.modules.pop("settings_module", None)


def test_alias_structure_among_globals_counts() -> None:
    body = "def f():\n    x.append(1)\n    return len(y)"
    assert not same(key_of("x = [0]\ny = x", body), key_of("x = [0]\ny = [0]", body))


def test_hints_count_where_something_reads_them() -> None:
    body = "import inspect", "def f(): return inspect.signature(helper)"
    assert not same(key_of("def helper(x: int): pass", *body), key_of("def helper(x: str): pass", *body))


def test_docstrings_count_where_something_reads_them() -> None:
    body = "def f(): return helper.__doc__"
    assert not same(key_of("def helper(): 'One.'", body), key_of("def helper(): 'Two.'", body))


def test_functions_count_where_something_is_unpickled() -> None:
    body = "import pickle", "def f(data): return pickle.loads(data)()"
    first = key_of("def helper(): return 1", *body)
    assert same(first, key_of("def helper(): return 1", *body))
    assert not same(first, key_of("def helper(): return 2", *body))


def test_classes_count_where_something_is_unpickled() -> None:
    body = "import pickle", "def f(data): return pickle.loads(data).m()"
    first = key_of("class C:\n    def m(self): return 1", *body)
    assert same(first, key_of("class C:\n    def m(self): return 1", *body))
    assert not same(first, key_of("class C:\n    def m(self): return 2", *body))


def test_what_the_user_puts_into_a_class_of_a_package_counts() -> None:
    pandas = pytest.importorskip("pandas")
    cells = (
        "import pandas as pd\ndef total(self): return {n}\npd.DataFrame.total_ = total",
        "def f(df): return df.total_()",
    )
    try:
        first = key_of(cells[0].format(n=1), cells[1])
        assert same(first, key_of(cells[0].format(n=1), cells[1]))
        assert not same(first, key_of(cells[0].format(n=2), cells[1]))
    finally:
        del pandas.DataFrame.total_


PATCHED = {
    "derived": ("class My(patched_package.Middle): pass", "def f(): return My().run()"),
    "named": ("", "def f(): return patched_package.Middle().run()"),
    "named by itself": ("from patched_package import Middle", "def f(): return Middle().run()"),
    "an object": ("it = patched_package.Middle()", "def f(): return it.run()"),
    "an object in a list": ("them = [patched_package.Middle()]", "def f(): return [each.run() for each in them]"),
    "a method": ("run = patched_package.Middle().run", "def f(): return run()"),
}


@pytest.mark.parametrize("where", ["Middle", "Base"])
@pytest.mark.parametrize("case", PATCHED)
def test_code_put_into_a_class_of_a_package_is_seen_at_once(case: str, where: str, folder: Path) -> None:
    """Also where the class is above the one that is used, and where the key was asked for before."""
    write_module(
        folder / "site-packages",
        "patched_package",
        "class Base:\n    def __init__(self): self.n = 1\n    def run(self): return 1\nclass Middle(Base): pass\n",
    )
    sys.path.insert(0, str(folder / "site-packages"))
    try:
        session = Session(folder).cell("import patched_package")
        for text in PATCHED[case]:
            session.cell(text)
        subject = session.subject()
        before = subject.key()
        session.cell(f"def put(self): return 2\npatched_package.{where}.run = put")
        after = subject.key()
        assert not same(before, after)
        assert same(after, session.key())
        values = [session.names["patched_package"].Middle, session.names["patched_package"].Middle()]
        patched = list(map(fingerprint, values))
        assert patched == list(map(fingerprint, values))
        delattr(getattr(session.names["patched_package"], where), "run")
        assert all(map(operator.ne, patched, map(fingerprint, values)))
        session.cell(f"patched_package.{where}.run = put")
        assert patched == list(map(fingerprint, values))
    finally:
        sys.path.remove(str(folder / "site-packages"))
        sys.modules.pop("patched_package", None)


def cell_key(session: Session, text: str, *reads: str, ignore: tuple[str, ...] = ()) -> object:
    return Subject.of_cell(ast.parse(text), session.names, reads, ignore=ignore).key()


def test_a_cell_counts_by_its_tree_and_what_it_reads() -> None:
    session = Session().cell("x = [1]\ndef g(v): return v")
    key = Subject.of_cell(ast.parse("y = g(x)  # why"), session.names, ["x", "g", "z"]).key()
    assert set(key.content_parts) == {"x", "z"}
    assert set(key.code_parts) == {"cell", "g"}
    assert same(key, Subject.of_cell(ast.parse("y = g(x)"), session.names, ["x", "g", "z"]).key())
    session.names["z"] = 1
    assert not same(key, Subject.of_cell(ast.parse("y = g(x)"), session.names, ["x", "g", "z"]).key())


def test_a_cell_follows_the_modules_it_imports(folder: Path) -> None:
    text = "import mymod\ny = mymod.g()"
    write_module(folder, "mymod", "def g(): return 1\n")
    first = Subject.of_cell(ast.parse(text), Session(folder).names, []).key()
    write_module(folder, "mymod", "def g(): return 2\n")
    assert not same(first, Subject.of_cell(ast.parse(text), Session(folder).names, []).key())


def value_of(*cells: str, name: str = "v") -> str:
    session = Session()
    for text in cells:
        session.cell(text)
    return fingerprint(session.names[name])


def test_what_functions_made_in_a_loop_close_over_is_let_go() -> None:
    """Each is another function, and nobody will ask about it again."""

    class Chunk(list):  # type: ignore[type-arg]
        """A list that can be watched."""

    def closed(chunk: Chunk) -> Any:
        return lambda: len(chunk)

    alive = []
    for number in range(40):
        chunk = Chunk([number])
        alive.append(weakref.ref(chunk))
        fingerprint(closed(chunk))
    del chunk
    gc.collect()
    assert 20 > sum(each() is not None for each in alive)


def test_classes_that_read_the_same_in_two_modules_are_two(folder: Path) -> None:
    """`isinstance` tells their objects apart."""
    text = "import enum\nclass Circle: pass\nclass Kind(enum.Enum):\n    ROUND = 1\n"
    for name in ("flat_shapes", "solid_shapes"):
        write_module(folder, name, text)
    flat, solid = (importlib.import_module(name) for name in ("flat_shapes", "solid_shapes"))
    assert fingerprint(flat.Circle()) == fingerprint(flat.Circle()) != fingerprint(solid.Circle())
    assert fingerprint(flat.Circle) != fingerprint(solid.Circle)
    assert fingerprint(flat.Kind.ROUND) != fingerprint(solid.Kind.ROUND)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("v = lambda x: x + 1", "v = lambda x: x + 2"),
        ("def v(n=1): return n", "def v(n=2): return n"),
        (
            "import functools\ndef g(a): pass\nv = functools.partial(g, 1)",
            "import functools\ndef g(a): pass\nv = functools.partial(g, 2)",
        ),
        ("class C:\n    def m(self): return 1\nv = C()", "class C:\n    def m(self): return 2\nv = C()"),
        ("class C:\n    K = 1\nv = C", "class C:\n    K = 2\nv = C"),
        ("K = 1\ndef v(): return K", "K = 2\ndef v(): return K"),
        ("v = len", "v = sum"),
        ("v = int", "v = float"),
    ],
)
def test_code_inside_of_a_value_counts(before: str, after: str) -> None:
    assert value_of(before) == value_of(before)
    assert value_of(before) != value_of(after)


def test_an_edited_class_changes_its_instances_in_one_session() -> None:
    session = Session().cell("class C:\n    K = 1\nv = C()")
    first = fingerprint(session.names["v"])
    assert first == fingerprint(session.names["v"])
    session.cell("C.K = 2")
    assert first != fingerprint(session.names["v"])


def test_a_file_that_vanishes_leaves_no_source(folder: Path) -> None:
    write_module(folder, "gone", "def f(x): return x\n")
    session = Session(folder).cell("from gone import f")
    (folder / "gone.py").unlink()
    linecache.checkcache()
    with pytest.raises(UndecoratableError, match="cannot be had"):
        session.subject()


def test_pickling_an_instance_does_not_change_its_class():
    """`copyreg` writes `__slotnames__` into the class when an instance is pickled for the first time."""
    import pickle

    class Slotted:
        def __init__(self):
            self.a = 1

    globals()["Slotted"] = Slotted
    Slotted.__qualname__ = "Slotted"
    try:
        before = fingerprint(Slotted())
        pickle.dumps(Slotted(), 2)
        assert "__slotnames__" in vars(Slotted)
        assert before == fingerprint(Slotted())
    finally:
        del globals()["Slotted"]


def test_a_function_defined_under_a_timing_magic_is_refused_with_the_way_out():
    """IPython compiles the body of `%%time` under a name of its own and keeps no source for it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile("def f(x): return x", "<timed exec>", "exec"), names)
    with pytest.raises(UndecoratableError, match="without %%time"):
        Subject.of_function(names["f"])

"""What a cell reads and binds, against expectations written by hand and against Python itself."""

# ruff: noqa: E501 (a table of programs reads best one a line)

from __future__ import annotations

import builtins
import contextlib
import sys

import pytest

from resonate_nb.notebook._cell import analyse, is_history


def reads(text: str) -> set[str]:
    return {name for name in analyse(text).reads if not hasattr(builtins, name)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("y = x", {"x"}, id="plain"),
        pytest.param("x = 1\ny = x", set(), id="bound first"),
        pytest.param("x += 1", {"x"}, id="augmented"),
        pytest.param("x[0] += k", {"x", "k"}, id="augmented item"),
        pytest.param("d[k] = v", {"d", "k", "v"}, id="store into item"),
        pytest.param("del x", {"x"}, id="delete reads"),
        pytest.param("x = 1\ndel x\nprint(x)", {"x"}, id="read after delete"),
        pytest.param("if flag:\n    mode = 9\nprint(mode)", {"flag", "mode"}, id="one branch"),
        pytest.param("if flag:\n    m = 1\nelse:\n    m = 2\nprint(m)", {"flag"}, id="both branches"),
        pytest.param("for i in items:\n    last = i\nprint(last)", {"items", "last"}, id="loop that may not turn"),
        pytest.param("for i in items:\n    last = i\nelse:\n    last = 0\nprint(last)", {"items"}, id="for else"),
        pytest.param("while True:\n    a = 1\n    break\nprint(a)", set(), id="endless loop leaves by break"),
        pytest.param("while go():\n    a = 1\nprint(a)", {"go", "a"}, id="while"),
        pytest.param("x = 1\nfor i in y:\n    print(x)\n    del x", {"x", "y"}, id="a turn deletes"),
        pytest.param("try:\n    a = f()\nexcept E:\n    pass\nprint(a)", {"f", "E", "a"}, id="try"),
        pytest.param("try:\n    a = f()\nexcept E:\n    a = 0\nprint(a)", {"f", "E"}, id="try, all arms"),
        pytest.param("try:\n    a = f()\nexcept E:\n    raise\nprint(a)", {"f", "E"}, id="arm that leaves"),
        pytest.param("try:\n    a = f()\nfinally:\n    print(a)", {"f", "a"}, id="finally sees less"),
        pytest.param("try:\n    f()\nexcept E as e:\n    print(e)\nprint(e)", {"f", "E", "e"}, id="except as"),
        pytest.param("with open(p) as f:\n    t = f.read()\nprint(t)", {"p"}, id="with open"),
        pytest.param("with cm() as f:\n    t = f.read()\nprint(t, f)", {"cm", "t"}, id="with that may suppress"),
        pytest.param(
            "match s:\n    case [a, *b]:\n        print(a, b)\n    case {'k': c, **d}:\n        print(c, d)",
            {"s"},
            id="m",
        ),
        pytest.param("match s:\n    case P(x=1):\n        r = 1\nprint(r)", {"s", "P", "r"}, id="match falls through"),
        pytest.param(
            "match s:\n    case K.a:\n        r = 1\n    case _:\n        r = 2\nprint(r)", {"s", "K"}, id="match all"
        ),
        pytest.param("if (n := len(x)) > 2:\n    print(n)", {"x"}, id="walrus"),
        pytest.param("a and (b := 1)\nprint(b)", {"a", "b"}, id="walrus that may not run"),
        pytest.param("z = [i for i in xs if i > k]", {"xs", "k"}, id="comprehension"),
        pytest.param("i = 5\nz = [i for i in xs]\nprint(i)", {"xs"}, id="comprehension variable is its own"),
        pytest.param("z = [i for i in xs]\nprint(i)", {"xs", "i"}, id="comprehension variable does not leak"),
        pytest.param("z = [y for x in xs if (y := f(x))]", {"xs", "f"}, id="walrus in a condition"),
        pytest.param("z = [(i, j) for i in xs for j in i.parts(k)]", {"xs", "k"}, id="two loops"),
        pytest.param("f = lambda a, b=d: a + b + c", {"d", "c"}, id="lambda"),
        pytest.param("def f(a, b=d):\n    return a + b + c", {"d", "c"}, id="function"),
        pytest.param("@deco(o)\ndef f(a: T) -> R:\n    pass", {"deco", "o", "T", "R"}, id="decorator, annotations"),
        pytest.param("def f():\n    x = 1\n    def g():\n        return x + y\n    return g", {"y"}, id="closure"),
        pytest.param("def f():\n    global c\n    c += 1", {"c"}, id="global in function"),
        pytest.param(
            "def f():\n    x = 1\n    def g():\n        global x\n        return x", {"x"}, id="global below a local"
        ),
        pytest.param("K = 1\ndef f():\n    return K", set(), id="function over a bound name"),
        pytest.param("def f():\n    return K\nK = 1", {"K"}, id="function before its global is bound"),
        pytest.param("def f(n):\n    return f(n - 1)", {"f"}, id="recursion"),
        pytest.param(
            "class A(B, metaclass=M):\n    n = k\n    m = n\n    def f(self):\n        return n",
            {"B", "M", "k", "n"},
            id="c",
        ),
        pytest.param("n = 0\nclass A:\n    n = n + 1", set(), id="class over a bound name"),
        pytest.param("class A:\n    z = [q for q in xs]", {"xs"}, id="comprehension in class"),
        pytest.param("print(f'{x:{w}} {y!r}')", {"x", "w", "y"}, id="f-string"),
        pytest.param("x: T = v", {"T", "v"}, id="annotated"),
        pytest.param("x: T\nprint(x)", {"T", "x"}, id="annotation alone binds nothing"),
        pytest.param("assert ok, (m := why)\nprint(m)", {"ok", "why", "m"}, id="assert message"),
        pytest.param("a = b if c else d", {"a", "b", "c", "d"} - {"a"}, id="conditional"),
        pytest.param("x = await f(y)", {"f", "y"}, id="await"),
        pytest.param("import a.b\na.b.c(d)", {"d"}, id="import binds the first part"),
        pytest.param("(x, [y, *z]), w.v = q\nprint(x, y, z)", {"q", "w"}, id="nested targets"),
        pytest.param("print(**opts)\nf(*args, k=v)", {"opts", "f", "args", "v"}, id="stars and keywords"),
    ],
)
def test_reads(text: str, expected: set[str]) -> None:
    assert expected - {"E"} == reads(text) - {"E"}
    if "except E" in text:
        assert "E" in analyse(text).reads


@pytest.mark.parametrize(
    ("text", "sure", "unsure"),
    [
        ("x = 1", {"x"}, set()),
        ("mode = 5", {"mode"}, set()),
        ("if flag:\n    mode = 9", set(), {"mode"}),
        ("for i in xs:\n    a = i", set(), {"i", "a"}),
        ("for i in xs:\n    pass\nelse:\n    a = 1", {"a"}, {"i"}),
        ("def f():\n    global g, h\n    g = 1\n    print(h)", {"f"}, {"g"}),
        ("class A:\n    x = 1\n    def f(self):\n        global g\n        g = 1", {"A"}, {"g"}),
        ("class A:\n    global g\n    g = 1", {"A"}, {"g"}),
        ("import a.b, c as d\nfrom e import f as g", {"a", "d", "g"}, set()),
        ("try:\n    import a\nexcept ImportError:\n    a = None", {"a"}, set()),
        ("try:\n    f()\nexcept E as e:\n    pass", set(), {"e"}),
        ("with suppress(E):\n    a = 1", set(), {"a"}),
        ("with open(p) as f:\n    a = 1", {"f", "a"}, set()),
        ("z = [y for x in xs if (y := f(x))]", {"z"}, {"y"}),
        ("a = 1\nif k:\n    del a", set(), {"a"}),
        ("match s:\n    case [a, b]:\n        pass", set(), {"a", "b"}),
        ("while True:\n    a = 1\n    if a:\n        break\n    b = 2", {"a"}, {"b"}),
        ("if k:\n    raise E\na = 1", {"a"}, set()),
    ],
)
def test_what_is_sure_to_be_bound(text: str, sure: set[str], unsure: set[str]) -> None:
    facts = analyse(text)
    assert (sure, unsure) == (set(facts.surely_bound), set(facts.unsure))


def test_sure_deletion_is_told_from_a_possible_one() -> None:
    assert {"x"} == analyse("x = 1\ndel x").surely_deleted
    assert set() == analyse("if k:\n    del x").surely_deleted
    assert {"x"} == analyse("if k:\n    del x").unsure


SNIPPETS = [
    "total = 0\nfor i in items:\n    if i % 2:\n        continue\n    total += i\nelse:\n    done = True\nprint(total, done)",
    "try:\n    r = items[99]\nexcept IndexError as e:\n    r = str(e)\nfinally:\n    tail = base\nprint(r, tail)",
    "def outer(n):\n    def inner(k=base):\n        return k + n + len(items)\n    return inner()\nq = outer(2)\nprint(q)",
    "class A:\n    size = base\n    both = size + 1\n    def get(self):\n        return self.size + extra\nv = A().get()",
    "vals = [a * b for a in items for b in (a, base) if (c := a + b) > extra]\nprint(c)",
    "x = (lambda n: n + base)(3)\ny = {k: v for k, v in zip(items, items)}\ndel x",
    "match items:\n    case [first, *rest] if first < base:\n        kind = 'small'\n    case _:\n        kind = 'big'\nprint(kind)",
    "n = 0\nwhile True:\n    n += 1\n    if n > base:\n        break\nprint(f'{n:{extra}}')",
    "import json as j\nfrom math import floor\nw = j.dumps(items) + str(floor(base))",
    "from math import *\ns = sqrt(base)",
    "def bump():\n    global counter\n    counter = counter + base\nbump()\nbump()",
    "for i in []:\n    never = 1\nz = base",
    "with __import__('contextlib').suppress(ValueError):\n    early = 1\n    raise ValueError\n    late = 2\nafter = early",
    "a, *b = items\nc = d = base\n(e := extra)",
    "try:\n    pass\nexcept ValueError:\n    lost = 1\nelse:\n    found = base",
]


class _Watched(dict):
    """A namespace that notes which names are looked up before they were set in it."""

    def __init__(self, start: dict[str, object]) -> None:
        super().__init__(start)
        self.seen: set[str] = set()
        self.written: set[str] = set()

    def __getitem__(self, name: str) -> object:
        if name not in self.written:
            self.seen.add(name)
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: object) -> None:
        self.written.add(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        self.written.add(name)
        super().__delitem__(name)


@pytest.mark.parametrize("text", SNIPPETS)
def test_analysis_never_misses_what_python_does(text: str) -> None:
    """Every read the interpreter makes was foreseen, and everything foreseen as sure was done."""
    start: dict[str, object] = {"items": [1, 2, 3], "base": 4, "extra": 5, "counter": 1, "__builtins__": builtins}
    space = _Watched(start)
    with contextlib.redirect_stdout(sys.stderr):
        exec(compile(text, "cell", "exec"), space)
    facts = analyse(text)
    assert space.seen - {"__builtins__", "__name__"} <= facts.reads.keys()
    assert all(name in space for name in facts.surely_bound)
    assert all(name not in space for name in facts.surely_deleted)
    changed = {n for n in space if n not in start or space[n] is not start[n]} - {"__builtins__"}
    if not facts.has_star_import:
        assert changed <= facts.bound.keys()


def test_lines_are_those_of_the_last_binding() -> None:
    facts = analyse("a = 1\nb = 2\na = 3\ndef f():\n    global b\n    b = 1")
    assert dict(facts.bound) == {"a": 3, "b": 6, "f": 4}
    assert dict(facts.definitions) == {"f": 4}


def test_imports_are_taken_name_by_name_also_inside_if_and_try() -> None:
    text = "import a.b, c as d\ntry:\n    from e import f, g as h\nexcept ImportError:\n    from .k import *\ndef x():\n    import hidden"
    assert [i.text for i in analyse(text).imports] == [
        "import a.b",
        "import c as d",
        "from e import f",
        "from e import g as h",
        "from .k import *",
    ]
    assert [i.name for i in analyse(text).imports] == ["a", "d", "f", "h", "*"]
    assert analyse(text).has_star_import


def test_magics_and_shell_lines_are_foreign() -> None:
    from IPython.core.inputtransformer2 import TransformerManager

    text = TransformerManager().transform_cell(
        "x = 1\n%time y = 2\n!ls -l\nz = !pwd\nw = %who_ls int\nget_ipython().user_ns"
    )
    assert sorted((f.line, f.text) for f in analyse(text).foreign) == [
        (2, "%time y = 2"),
        (3, "!ls -l"),
        (4, "!pwd"),
        (5, "%who_ls int"),
        (6, "get_ipython()"),
    ]
    assert [f.text for f in analyse(TransformerManager().transform_cell("%%time\nx = 1")).foreign] == ["%%time"]
    assert analyse("x = 1").foreign == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = await f()", True),
        ("async for x in y():\n    pass", True),
        ("async with y() as x:\n    pass", True),
        ("z = [x async for x in y()]", True),
        ("if k:\n    z = (await f()) + 1", True),
        ("async def f():\n    await g()", False),
        ("f = lambda: 1", False),
    ],
)
def test_top_level_await_is_seen(text: str, expected: bool) -> None:
    assert expected == analyse(text).is_async


def test_history_names() -> None:
    assert analyse("print(_, Out[1], _12, _i3, _mine)").history == ("_", "Out", "_12", "_i3")
    assert analyse("for _ in range(3):\n    print(_)").history == ()
    assert not is_history("_x")
    assert all(map(is_history, ("_i", "_i7", "___")))


def test_touched_prefers_stores_over_method_calls() -> None:
    facts = analyse("df.head()\nlst.append(1)\ndf['a'] = 2\ncfg.x.y = 3\nn += 1")
    assert dict(facts.touched) == {"df": 3, "lst": 2, "cfg": 4, "n": 5}


if sys.version_info >= (3, 12):  # where they are new

    def test_type_parameters_are_names_of_their_own() -> None:
        # The bound `B` is evaluated only when somebody asks for it; whether it counts differs between minor versions.
        text = "def f[T: B](x: T) -> T:\n    return k\nclass C[U]:\n    y: U\ntype X[V] = list[V]"
        assert {"k"} == reads(text) - {"B"}
        assert {"f", "C", "X"} == analyse("def f[T](x: T): pass\nclass C[U]: pass\ntype X = int").surely_bound


def test_syntax_error_is_python_s_own() -> None:
    with pytest.raises(SyntaxError):
        analyse("x = = 1")

"""Values come back as they were, or are refused at once with their place and the reason."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import decimal
import functools
import gc
import io
import json
import math
import mmap
import os
import pathlib
import pickle
import queue
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import types
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resonate_nb.codec import Encoded, decode, encode
from resonate_nb.errors import NotStoredError, UnstorableError


def back(value: Any) -> Any:
    encoded = encode(value)
    return decode(encoded.codec, encoded.data)


SCALARS = [
    None,
    True,
    False,
    0,
    -1,
    2**70,
    10**5000,
    0.1,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    "",
    "ä\ud800\0",
    "x" * 20_000,
]


@pytest.mark.parametrize("value", SCALARS, ids=[str(n) for n in range(len(SCALARS))])
def test_scalars_come_back_exactly(value: Any) -> None:
    """Type, value and sign: `True` is not `1`, `-0.0` is not `0.0`."""
    result = back(value)
    assert (type(value), value) == (type(result), result)
    if isinstance(value, float):
        assert math.copysign(1, value) == math.copysign(1, result)


@pytest.mark.parametrize("value", [math.inf, -math.inf], ids=repr)
def test_infinite_floats_come_back(value: float) -> None:
    """JSON has no word for them."""
    assert value == back(value)


def test_nan_comes_back() -> None:
    """It equals nothing, so a test of its own."""
    assert math.isnan(back(math.nan))


@pytest.mark.parametrize(
    "value", [None, True, False, 7, -(10**300), 0.5, -0.0, 1e300, "text", '"ä\ud800\0\n\u2028'], ids=repr
)
def test_scalars_are_json(value: Any) -> None:
    """What is JSON needs no signature and no unpickling."""
    assert Encoded("json", json.dumps(value).encode()) == encode(value)


class Text(str):
    note = ""


@pytest.mark.parametrize(
    "value",
    [
        (1,),
        ((),),
        [1, [2, (3,)]],
        {1: "a", (2,): {3}},
        {"b": 1, "a": 2},
        frozenset({1}),
        b"\0\xff",
        bytearray(b"x"),
        1 + 2j,
        range(3),
        slice(1, 2),
        ...,
        NotImplemented,
        datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC),
        decimal.Decimal("1.10"),
        pathlib.PurePosixPath("a/b"),
        re.compile("a+", re.IGNORECASE),
        Counter("aab"),
        OrderedDict(b=1, a=2),
        deque([1, 2], maxlen=3),
        defaultdict(list, a=[1]),
        socket.AF_INET,
        os.path.join,
        np.float64(0.1),
        np.dtype("int16"),
    ],
    ids=lambda value: getattr(value, "__qualname__", None) or repr(value),
)
def test_values_come_back_equal(value: Any) -> None:
    """Plain values keep type, order and content."""
    result = back(value)
    assert type(value) is type(result)
    assert value == result
    assert repr(value) == repr(result)


def test_subclass_of_text_keeps_its_type_and_attributes() -> None:
    """A subclass is more than its text, so JSON must not take it."""
    value = Text("x")
    value.note = "kept"
    result = back(value)
    assert (Text, "x", "kept") == (type(result), result, result.note)


def test_aliases_inside_a_value_stay_one_object() -> None:
    """TRAPS 72."""
    shared: list[int] = [1]
    result = back({"a": shared, "b": shared, "c": [1]})
    assert result["a"] is result["b"]
    assert result["a"] is not result["c"]


def test_a_value_that_contains_itself_comes_back() -> None:
    """Cycles are aliases too."""
    value: list[Any] = []
    value.append(value)
    result = back(value)
    assert result[0] is result


def test_each_decode_gives_a_new_object() -> None:
    """TRAPS 71: what the caller changes must not reach the next hit."""
    encoded = encode([1, 2])
    first = decode(encoded.codec, encoded.data)
    assert isinstance(first, list)
    first.append(3)
    assert decode(encoded.codec, encoded.data) == [1, 2]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(10)[::3],
        np.array(["a", None], dtype=object),
        np.array([], dtype="datetime64[ns]"),
        np.ma.masked_array([1, 2], mask=[True, False]),
    ],
    ids=["c", "fortran", "strided", "object", "empty", "masked"],
)
def test_arrays_come_back(array: Any) -> None:
    """Content, dtype and shape."""
    result = back(array)
    assert (array.dtype, array.shape) == (result.dtype, result.shape)
    np.testing.assert_array_equal(array, result)


def test_arrays_come_back_writable() -> None:
    """A replayed array is the caller's own."""
    result = back(np.zeros(3))
    result[0] = 1
    assert result[0] == 1


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n": [1, 2, 3],
            "text": ["a", None, "ü"],
            "kind": pd.Categorical(["x", "y", "x"], categories=["y", "x", "z"], ordered=True),
            "at": pd.date_range("2026-01-01", periods=3, tz="Europe/Berlin"),
            "mixed": [1, "a", [2]],
        },
        index=pd.Index([5, 6, 7], name="key"),
    )


def test_frames_come_back() -> None:
    """Names, index, dtypes, categories and zones."""
    value = frame()
    value.attrs["source"] = "test"
    result = back(value)
    pd.testing.assert_frame_equal(value, result)
    assert result.attrs == {"source": "test"}


def test_frames_that_share_a_block_do_not_share_after_a_replay() -> None:
    """CELLS 5: buffers shared on load would let a write to one frame reach the other."""
    base = pd.DataFrame({"a": [1.0, 2.0]})
    first, second = back((base, base.copy(deep=False)))
    first.iloc[0, 0] = 9
    assert second.iloc[0, 0] == 1.0


@pytest.mark.slow
def test_a_forest_predicts_the_same() -> None:
    """The longest steps of real notebooks are fitted models."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    X = np.random.default_rng(0).normal(size=(50, 3))
    model = ensemble.RandomForestRegressor(n_estimators=5, random_state=0).fit(X, X[:, 0])
    np.testing.assert_array_equal(model.predict(X), back(model).predict(X))


def test_in_memory_files_come_back() -> None:
    """`BytesIO` is a value (a drawn image), not a file."""
    buffer = io.BytesIO(b"png")
    buffer.seek(1)
    assert back(buffer).read() == b"ng"


def test_exceptions_come_back() -> None:
    """An exception may be a result, too."""
    result = back([ValueError("a", 1), queue.Empty("none")])
    assert [str(error) for error in result] == ["('a', 1)", "none"]


def numbers() -> Iterator[int]:
    yield 1


async def coroutine() -> None: ...


async def async_numbers() -> Any:
    yield 1


def closed_file() -> Any:
    with open(__file__) as file:
        pass
    return file


def memmap(folder: pathlib.Path) -> Any:
    return np.memmap(folder / "map", dtype="u1", mode="w+", shape=(4,))


def mapped() -> mmap.mmap:
    return mmap.mmap(-1, 10)


def a_traceback() -> Any:
    try:
        raise ValueError
    except ValueError as error:
        return error.__traceback__


class Thread(threading.Thread):
    """A user's own thread."""


class Slotted:
    __slots__ = ("__weakref__", "inner")


def slotted(value: object) -> Slotted:
    thing = Slotted()
    thing.inner = value  # type: ignore[attr-defined]
    return thing


REFUSED: dict[str, tuple[Callable[[pathlib.Path], Any], str, str]] = {
    "open text file": (lambda _: open(__file__), "io.TextIOWrapper", "file"),  # noqa: SIM115
    "open binary file": (lambda _: open(__file__, "rb"), "io.BufferedReader", "file"),  # noqa: SIM115
    "raw file": (lambda _: io.FileIO(__file__), "io.FileIO", "file"),
    "closed file": (lambda _: closed_file(), "io.TextIOWrapper", "file"),
    "text over memory": (lambda _: io.TextIOWrapper(io.BytesIO()), "io.TextIOWrapper", "file"),
    "temporary file": (lambda _: tempfile.NamedTemporaryFile(), "tempfile._TemporaryFileWrapper", "temporary"),  # noqa: SIM115
    "temporary directory": (lambda p: tempfile.TemporaryDirectory(dir=p), "tempfile.TemporaryDirectory", "temporary"),
    "socket": (lambda _: socket.socket(), "socket.socket", "connection"),
    "generator": (lambda _: numbers(), "generator", "list"),
    "async generator": (lambda _: async_numbers(), "async_generator", "list"),
    "lock": (lambda _: threading.Lock(), "thread.lock", "process"),
    "rlock": (lambda _: threading.RLock(), "thread.RLock", "process"),
    "condition": (lambda _: threading.Condition(), "threading.Condition", "process"),
    "event": (lambda _: threading.Event(), "threading.Event", "process"),
    "thread": (lambda _: Thread(), f"{__name__}.Thread", "process"),
    "local": (lambda _: threading.local(), "thread._local", "process"),
    "queue": (lambda _: queue.Queue(), "queue.Queue", "list"),
    "simple queue": (lambda _: queue.SimpleQueue(), "queue.SimpleQueue", "list"),
    "async queue": (lambda _: asyncio.Queue(), "asyncio.queues.Queue", "event loop"),
    "connection": (lambda _: sqlite3.connect(":memory:"), "sqlite3.Connection", "database"),
    "weak reference": (lambda _: weakref.ref(REFUSED_HOLDER), "weakref.ReferenceType", "weak"),
    "weak set": (lambda _: weakref.WeakSet(), "weakrefset.WeakSet", "weak"),
    "weak dict": (lambda _: weakref.WeakValueDictionary(), "weakref.WeakValueDictionary", "weak"),
    "module": (lambda _: math, "module", "modules are never stored"),
    "memoryview": (lambda _: memoryview(b"x"), "memoryview", "bytes"),
    "frame": (lambda _: sys._getframe(), "frame", "running"),
    "traceback": (lambda _: a_traceback(), "traceback", "running"),
    "memory map of numpy": (memmap, "numpy.memmap", "file"),
    "view of a memory map": (lambda p: memmap(p)[1:], "numpy.memmap", "file"),
    "memory map": (lambda _: mapped(), "mmap.mmap", "process"),
    "context variable": (lambda _: contextvars.ContextVar("v"), "contextvars.ContextVar", "running"),
    "context": (lambda _: contextvars.copy_context(), "contextvars.Context", "running"),
    "dict view": (lambda _: {}.keys(), "dict_keys", "TypeError"),
    "match": (lambda _: re.match("a", "a"), "re.Match", "TypeError"),
    "code": (lambda _: numbers.__code__, "code", "Python"),
    "nested function of a module": (lambda _: functools.wraps(numbers)(lambda: 1), "function", ""),
    "local lambda of a module": (lambda _: lambda: 1, "function", "by name"),
}
REFUSED_HOLDER = Slotted()
# `wraps` makes a lambda look like a function of this module: pickle itself finds out.
INSIDE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "alone": (lambda x: x, ""),
    "list": (lambda x: [1, x], "[1]"),
    "dict": (lambda x: {"conn": x}, "['conn']"),
    "nested": (lambda x: {"a": [(0, {"b": x})]}, "['a'][0][1]['b']"),
    "attribute": (lambda x: argparse_like(x), ".inner"),
    "slot": (slotted, ".inner"),
    "object array": (lambda x: np.array([None, [x]], dtype=object), "[1][0]"),
}


def argparse_like(x: object) -> Any:
    import argparse

    return argparse.Namespace(inner=x)


@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_type_and_reason(what: str, tmp_path: pathlib.Path) -> None:
    """Never a StringIO for a file, never a dead memory map."""
    make, type_name, reason = REFUSED[what]
    value = make(tmp_path)
    with pytest.raises(UnstorableError) as caught:
        encode(value)
    assert ("", type_name) == (caught.value.path, caught.value.type_name)
    assert reason in caught.value.reason
    if hasattr(value, "close"):
        value.close()


@pytest.mark.parametrize("what", ["closed file", "lock", "dict view", "local lambda of a module"])
@pytest.mark.parametrize("where", INSIDE)
def test_refused_with_its_place(what: str, where: str, tmp_path: pathlib.Path) -> None:
    """The user must find it in a large result."""
    wrap, path = INSIDE[where]
    with pytest.raises(UnstorableError) as caught:
        encode(wrap(REFUSED[what][0](tmp_path)))
    assert (path, REFUSED[what][1]) == (caught.value.path, caught.value.type_name)


def test_modules_of_packages_inside_of_a_value_are_stored_by_name(tmp_path: pathlib.Path) -> None:
    """As scipy's results hold numpy; a file of the user's is no package."""
    assert back({"m": [math, np.linalg]}) == {"m": [math, np.linalg]}
    own = types.ModuleType("own_module")
    with pytest.raises(UnstorableError, match="installed packages"):
        encode([own])


def test_rows_that_pandas_makes_up_come_back() -> None:
    """`for row in df.itertuples():` leaves `row` behind, of a class that has no name anywhere."""
    frame = pd.DataFrame({"a": [1, 2], "b c": ["x", "y"]})
    rows = list(frame.itertuples())
    once = back(rows)
    assert once == rows
    assert type(once[0]) is type(once[1])
    assert (type(once[0]).__name__, once[0]._fields) == ("Pandas", ("Index", "a", "_2"))
    assert type(back(rows)[0]) is type(once[0])


def test_refused_in_a_frame_with_its_cell() -> None:
    """Objects sit in frames as well."""
    with pytest.raises(UnstorableError) as caught:
        encode({"df": pd.DataFrame({"a": [1, 2], "lock": [None, threading.Lock()]})})
    assert (caught.value.path, caught.value.type_name) == ("['df']['lock'][1]", "thread.lock")


def test_a_coroutine_is_refused() -> None:
    """Apart from the table: it must be closed."""
    value = coroutine()
    with pytest.raises(UnstorableError, match="await it"):
        encode([value])
    value.close()


def test_widgets_are_refused() -> None:
    """A widget pickles, and comes back without its view and with errors at its end."""
    widgets = pytest.importorskip("ipywidgets")
    with pytest.raises(UnstorableError, match=r"\['w'\]: an ipywidgets.* cannot be stored \(a widget's view"):
        encode({"w": widgets.IntSlider()})


def test_a_deep_chain_is_refused() -> None:
    """Never a RecursionError from a body that succeeded."""
    chain: list[Any] = []
    for _ in range(100_000):
        chain = [chain]
    with pytest.raises(UnstorableError, match="nested too deeply"):
        encode(chain)
    while chain:
        chain = chain[0]


class Broken:
    def __reduce__(self) -> Any:
        raise RuntimeError("no way")


class OneWay(Exception):
    def __init__(self, left: int, right: int) -> None:
        super().__init__(f"{left} {right}")


class Shy:
    def __init__(self) -> None:
        self.inner = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)  # endless when `inner` is not there yet


def test_what_a_class_raises_is_the_reason() -> None:
    """A user's own `__reduce__` may raise anything."""
    with pytest.raises(UnstorableError, match=r"\[0\]: a .*Broken cannot be stored \(RuntimeError: no way\)"):
        encode([Broken()])


@pytest.mark.parametrize("value", [OneWay(1, 2), Shy()], ids=["exception", "getattr"])
def test_what_pickles_but_does_not_come_back_is_refused(value: Any) -> None:
    """Plain pickle stores these, and fails at the first hit."""
    pickle.dumps(value)
    with pytest.raises(UnstorableError, match="does not come back"):
        encode({"v": value})


class Unwalkable(list[Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("no")

    def __reduce__(self) -> Any:
        return Unwalkable, (threading.Lock(),)


def test_a_place_that_cannot_be_looked_for_does_not_hide_the_reason() -> None:
    """The error names the type without it."""
    with pytest.raises(UnstorableError, match=r"^a thread\.lock cannot be stored"):
        encode([Unwalkable()])


class Report:
    def __init__(self, figure: object) -> None:
        self.figure = figure


@pytest.mark.slow
def test_storing_a_figure_does_not_open_it_a_second_time() -> None:
    """pyplot opens what it unpickles, and the cell would show it twice."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots()
    try:
        encoded = encode(Report(figure))
        assert plt.get_fignums() == [figure.number]
        assert decode(encoded.codec, encoded.data)
    finally:
        plt.close("all")


def test_a_failed_encode_leaves_the_value_alone() -> None:
    """The caller gets it all the same."""
    with open(__file__) as file:
        position = file.tell()
        with pytest.raises(UnstorableError):
            encode([file])
        assert (position, False) == (file.tell(), file.closed)


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        ("pickle", b""),
        ("pickle", b"junk"),
        ("pickle", encode([1, 2]).data[:-1]),
        ("pickle", b"cno_such_module\nthing\n."),
        ("pickle", b"cos\nno_such_name\n."),
        ("json", b"{"),
        ("json", b"\xff"),
        ("arrow", b""),
    ],
)
def test_what_cannot_be_read_is_not_stored(codec: str, data: bytes) -> None:
    """One error for every way in which old bytes fail, so that the call computes again."""
    with pytest.raises(NotStoredError):
        decode(codec, data)


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"1",
            b" 1 ",
            b"1\n",
            b"1 2",
            b"-0",
            b"1e5",
            b"NaN",
            b"-Infinity",
            b"",
            b" ",
            b"nul",
            b"nullx",
            b"{}",
            b'[1, {"a": 2}]',
        ),
        *(b'"a"', b'"a', b'"a\n"', '"ä"'.encode(), '"ä"'.encode("utf-16"), b'\xef\xbb\xbf"a"', b'"\xed\xa0\x80"'),
        *(b'"\\ud800"', b"9" * 5_000, b"[" * 100_000),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_json_is_read_as_the_standard_library_reads_it(data: bytes) -> None:
    """What we wrote goes a short way; a value that somebody else settled may be spelled in any way."""
    try:
        expected = json.loads(data)
    except (ValueError, RecursionError):
        with pytest.raises(NotStoredError):
            decode("json", data)
    else:
        assert repr(expected) == repr(decode("json", data))


class Watching:
    def __setstate__(self, state: object) -> None:
        self.collector = gc.isenabled()


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_rests_while_unpickling(was_enabled: bool) -> None:
    """And is afterwards as it was."""
    value = Watching()
    value.collector = True
    encoded = encode(value)
    before = gc.isenabled()
    try:
        gc.enable() if was_enabled else gc.disable()
        result = decode(encoded.codec, encoded.data)
        assert isinstance(result, Watching)
        assert not result.collector
        assert was_enabled == gc.isenabled()
        with pytest.raises(NotStoredError):
            decode("pickle", b"junk")
        assert was_enabled == gc.isenabled()
    finally:
        gc.enable() if before else gc.disable()


def test_the_collector_comes_back_after_overlapping_threads() -> None:
    """The first to leave must not be the last word."""
    encoded = encode([list(range(100)) for _ in range(100)])
    threads = [
        threading.Thread(target=lambda: [decode(encoded.codec, encoded.data) for _ in range(200)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gc.isenabled()


SESSION = """
import sys
from resonate_nb.codec import encode, decode, Encoded
def store(value):
    encoded = encode(value)
    open(PATH, "wb").write(encoded.codec.encode() + b"\\n" + encoded.data)
def load():
    codec, _, data = open(PATH, "rb").read().partition(b"\\n")
    return decode(codec.decode(), data)
"""


def session(path: pathlib.Path, code: str) -> str:
    """Run the code as a notebook would: as ``__main__``, in a new process; give what it printed."""
    # From a file without lines of its own for the user's code, as cells have: `exec` under `__main__`.
    text = f"PATH = {str(path)!r}\n{SESSION}\nexec(compile({textwrap.dedent(code)!r}, '<cell>', 'exec'))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


DEFINITIONS = """
import abc, dataclasses, enum, functools, math, typing
K = 3
def helper(x, by=2):
    return math.floor(x) * by * K
@dataclasses.dataclass
class Point:
    x: int
    y: list = dataclasses.field(default_factory=list)
    def far(self): return helper(self.x)
    @property
    def half(self): return self.x / 2
    @functools.cached_property
    def cached(self): return self.x + 1
class Sub(Point):
    def far(self): return super().far() + 1
class Colour(enum.Enum):
    RED = 1
Pair = typing.NamedTuple("Pair", [("a", int), ("b", int)])
class Outer:
    class Inner: pass
T = typing.TypeVar("T")
class Box(typing.Generic[T]):
    __slots__ = ("item",)
    def __init__(self, item): self.item = item
    @classmethod
    def of(cls, item): return cls(item)
    @staticmethod
    def double(x): return helper(x)
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Square(Shape):
    def area(self): return K
Shape.register(int)
def twice(f):
    @functools.wraps(f)
    def wrapper(*args): return 2 * f(*args)
    return wrapper
@twice
def decorated(x): return x + K
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
fib = functools.cache(fib)
class Meta(type):
    def __getitem__(cls, key): return key
class WithMeta(metaclass=Meta): pass
"""

CODE_CASES: dict[str, tuple[str, str, str]] = {
    "function": ("helper", "value(2.5)", "12"),
    "lambda": ("lambda x: x + K", "value(1)", "4"),
    "lambda in a container": ("{'f': [lambda x: x + K]}", "value['f'][0](1)", "4"),
    "closure": ("(lambda n: lambda x: helper(x) + n)(10)", "value(1)", "16"),
    "instance": ("Point(2, [1])", "(value.x, value.y, value.far(), value.half, value.cached)", "(2, [1], 12, 1.0, 3)"),
    "subclass": ("Sub(2)", "(value.far(), [f.name for f in dataclasses.fields(value)])", "(13, ['x', 'y'])"),
    "class": ("Point", "value(2).far()", "12"),
    "enum": ("[Colour.RED, Colour.RED]", "(value[0].name, value[0].value, value[0] is value[1])", "('RED', 1, True)"),
    "named tuple": ("Pair(1, 2)", "(value.a, value[1])", "(1, 2)"),
    "generic with slots": (
        "Box.of(2)",
        "(value.item, type(value).double(1), type(value)[int].__origin__ is type(value))",
        "(2, 6, True)",
    ),
    "abstract": ("Square()", "(value.area(), issubclass(int, type(value).__mro__[1]))", "(3, True)"),
    "decorated": ("decorated", "value(1)", "8"),
    "recursive and cached": ("fib", "value(20)", "6765"),
    "metaclass": ("WithMeta", "value['k']", "k"),
    "nested class": ("Outer.Inner()", "type(value).__qualname__", "Outer.Inner"),
    "bound method": ("Point(2).far", "value()", "12"),
    "partial": ("functools.partial(helper, by=1)", "value(2)", "6"),
    "cached function": (
        "functools.lru_cache(maxsize=4)(helper)",
        "(value(1), value.cache_parameters())",
        "(6, {'maxsize': 4, 'typed': False})",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True], ids=["new session without definitions", "after Run All"])
@pytest.mark.parametrize("case", CODE_CASES)
def test_code_of_the_notebook_works_in_a_new_process(case: str, again: bool, tmp_path: pathlib.Path) -> None:
    """TRAPS 70, and instances of notebook classes."""
    expression, use, expected = CODE_CASES[case]
    path = tmp_path / "value"
    session(path, DEFINITIONS + f"store({expression})")
    before = DEFINITIONS if again else "import dataclasses"
    assert expected == session(path, before + f"\nvalue = load()\nprint({use})")


@pytest.mark.slow
def test_after_run_all_values_are_of_the_sessions_own_classes(tmp_path: pathlib.Path) -> None:
    """`isinstance` must hold for replayed values, and functions must see the live globals."""
    path = tmp_path / "value"
    session(path, DEFINITIONS + "store((Point(1), Sub(1), Colour.RED, Outer.Inner(), helper))")
    use = """
    K = 100
    point, sub, red, inner, function = load()
    print(type(point) is Point, type(sub) is Sub, red is Colour.RED, type(inner) is Outer.Inner, function is helper)
    print(function(1), sub.far())
    """
    assert session(path, DEFINITIONS + textwrap.dedent(use)) == "True True True True True\n200 201"


@pytest.mark.slow
def test_instances_of_an_edited_class_keep_the_code_they_were_stored_with(tmp_path: pathlib.Path) -> None:
    """A class of another shape is another class; half of each would be neither."""
    path = tmp_path / "value"
    session(path, "class P:\n    def f(self): return 'old'\nstore(P())")
    code = "class P:\n    def f(self): return 'new'\nvalue = load()\nprint(value.f(), type(value) is P, P().f())"
    assert session(path, code) == "old False new"


@pytest.mark.slow
def test_decoding_leaves_classes_of_the_session_alone(tmp_path: pathlib.Path) -> None:
    """cloudpickle by itself would fill the class a second time, and undo what the session has done to it."""
    code = """
    def make():
        class Local:
            count = 0
        return Local
    class P:
        count = 0
    Local = make()
    store([Local(), P()])
    Local.count = P.count = 5
    local, p = load()
    print(type(local) is Local, type(p) is P, Local.count, P.count)
    """
    assert session(tmp_path / "value", code) == "True True 5 5"


@pytest.mark.slow
def test_two_values_of_a_rebuilt_class_share_it(tmp_path: pathlib.Path) -> None:
    """Decoded one after the other in a session that has no such class."""
    path = tmp_path / "value"
    session(path, "class P: pass\nstore(P())")
    assert session(path, "print(type(load()) is type(load()))") == "True"


@pytest.mark.slow
def test_what_code_of_the_notebook_reaches_is_refused_with_its_place(tmp_path: pathlib.Path) -> None:
    """A function is stored with copies of the globals it names."""
    code = """
    import threading
    lock = threading.Lock()
    def use(): return lock
    try:
        store({"f": use})
    except Exception as error:
        print(error)
    """
    expected = "['f'].<global lock>: a thread.lock cannot be stored (threads and locks live in one process)"
    assert expected == session(tmp_path / "value", code)


@pytest.mark.slow
def test_code_of_another_python_is_not_run(tmp_path: pathlib.Path) -> None:
    """Bytecode of another version would crash the interpreter."""
    path = tmp_path / "value"
    code = """
    import sys
    import cloudpickle  # it looks at the version, too, when it is imported
    sys.version_info = (3, 99, 0, "final", 0)
    store(lambda: 1)
    """
    session(path, code)
    codec, _, data = path.read_bytes().partition(b"\n")
    with pytest.raises(NotStoredError, match=r"Python 3\.99"):
        decode(codec.decode(), data)


def test_encoded_is_a_record() -> None:
    """The port's record is what the door gives."""
    assert Encoded("json", b"1") == encode(1)

"""Values of every kind that the value walker covers, for the tests of this folder."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import enum
import fractions
import functools
import ipaddress
import logging
import math
import operator
import pathlib
import random
import re
import struct
import types
import typing
import uuid
import zoneinfo
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from resonate_nb.fingerprint.values._values import fingerprint_value


def reach(thing: object) -> bytes:
    """Stands in for the code part of the room: a name per piece of code."""
    home, name = getattr(thing, "__module__", ""), getattr(thing, "__qualname__", getattr(thing, "__name__", ""))
    return f"{home}.{name}".encode()


def fp(value: object) -> str:
    return fingerprint_value(value, reach)


UserId = typing.NewType("UserId", int)
GroupId = typing.NewType("GroupId", int)


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Shade(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: int


Place = collections.namedtuple("Place", "x y")


@dataclass
class Config:
    rate: float = 0.5
    names: list[str] = field(default_factory=lambda: ["a"])


@dataclass(frozen=True, slots=True)
class Frozen:
    rate: float = 0.5
    kind: str = "x"


@dataclass(slots=True)
class Wider:
    left: int = 1
    right: Any = None


class Model:
    def __init__(self, **names: object) -> None:
        self.__dict__.update(names)

    def fit(self) -> None:
        """A method to bind."""


class OtherModel(Model):
    pass


class Slotted:
    __slots__ = ("__private", "a", "b")

    def __init__(self, a: object = 1) -> None:
        self.a = a
        self.__private = 2


class HalfSlotted(Slotted):
    def __init__(self, a: object = 1, c: object = 3) -> None:
        super().__init__(a)
        self.c = c


class Tagged(list):  # type: ignore[type-arg]
    tag = ""


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Lookup(dict):  # type: ignore[type-arg]
    def __missing__(self, key: object) -> object:
        return key


class MyPath(pathlib.PurePosixPath):
    __slots__ = ()


class Money(decimal.Decimal):
    pass


class Share(fractions.Fraction):
    pass


class Day(datetime.date):
    pass


class Names(frozenset):  # type: ignore[type-arg]
    pass


class Last(collections.deque):  # type: ignore[type-arg]
    pass


def double(x: int) -> int:
    return x + x


def cyclic() -> list[Any]:
    ring: list[Any] = [1]
    ring.append(ring)
    return ring


def shared() -> list[Any]:
    part = [1]
    return [part, part]


def loop_through_instance() -> Model:
    model = Model(name="a")
    model.__dict__["me"] = [model]
    return model


def tagged(items: list[Any], tag: str) -> Tagged:
    found = Tagged(items)
    found.tag = tag
    return found


PANDAS = int(pd.__version__.partition(".")[0])
OSLO = zoneinfo.ZoneInfo("Europe/Oslo")
RECORD = np.dtype({"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8], "itemsize": 16})


def records(fill: int) -> np.ndarray[Any, Any]:
    """Two equal records whose padding holds whatever is asked for."""
    raw = np.full(32, fill, dtype="u1")
    found = raw.view(RECORD)
    found["a"], found["b"] = [1, 2], [0.5, 1.5]
    return found


def builtins_under_test() -> dict[str, Any]:
    """Values of the standard library, by name; no two are equal in type and content."""
    nan = math.nan
    return {
        "none": None,
        "true": True,
        "false": False,
        "one": 1,
        "minus one": -1,
        "zero": 0,
        "255": 255,
        "256": 256,
        "-128": -128,
        "128": 128,
        "big": 10**40,
        "big negative": -(10**40),
        "1.0": 1.0,
        "0.0": 0.0,
        "-0.0": -0.0,
        "nan": nan,
        "inf": math.inf,
        "-inf": -math.inf,
        "1j": 1j,
        "-1j": -1j,
        "0j": 0j,
        "1+0j": 1 + 0j,
        "complex nan": complex(nan, 0),
        "'1'": "1",
        "'True'": "True",
        "empty": "",
        "text": "a-b",
        "surrogate": "\ud800",
        "nul": "a\0",
        "b'1'": b"1",
        "empty bytes": b"",
        "bytearray": bytearray(b"1"),
        "long text": "x" * 40_000,
        "long text 2": "x" * 40_001,
        "long bytes": b"x" * 40_000,
        "ellipsis": ...,
        "not implemented": NotImplemented,
        "range": range(3),
        "range 2": range(0, 3, 2),
        "range 3": range(0, 4, 2),
        "empty range": range(0),
        "slice": slice(3),
        "slice 2": slice(0, 3),
        "[]": [],
        "()": (),
        "{}": {},
        "set()": set(),
        "frozenset()": frozenset(),
        "[1]": [1],
        "(1,)": (1,),
        "[True]": [True],
        "[1.0]": [1.0],
        "[nan]": [nan],
        "[None]": [None],
        "{1}": {1},
        "frozenset {1}": frozenset({1}),
        "[1, 2]": [1, 2],
        "[[1, 2]]": [[1, 2]],
        "[[1], 2]": [[1], 2],
        "[[1], [2]]": [[1], [2]],
        "[(1, 2)]": [(1, 2)],
        "[(1,), (2,)]": [(1,), (2,)],
        "[(1,), [2]]": [(1,), [2]],
        "((1, 2),)": ((1, 2),),
        "((1,), (2,))": ((1,), (2,)),
        "['a-b', 'c']": ["a-b", "c"],
        "['a', 'b-c']": ["a", "b-c"],
        "['ab', '']": ["ab", ""],
        "['a', 'b']": ["a", "b"],
        "[b'a', b'b']": [b"a", b"b"],
        "strings in tuples": [("a", "b"), ("c",)],
        "strings in tuples 2": [("a",), ("b", "c")],
        "dict": {"a": 1, "b": 2},
        "dict turned": {"b": 2, "a": 1},
        "dict of pairs": [("a", 1), ("b", 2)],
        "mixed keys": {1: 2, "1": 2},
        "mixed keys 2": {"1": 2, 1: 2},
        "tuple key": {(1, 2): 3},
        "nested": {"a": {"b": [1, {"c": 2}]}},
        "nested 2": {"a": {"b": [1], "c": 2}},
        "dict nan": {"a": nan, "b": 1},
        "mixed nan": [1, "a", nan],
        "set": {"a", "b", "c"},
        "set of tuples": {("a", 1), ("b", 2)},
        "set mixed": {1, "1", (1,), None},
        "frozenset in set": {frozenset({1, 2}), frozenset({3})},
        "set of colours": {Colour.RED, Colour.GREEN},
        "set of dates": {datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)},
        "ordered": collections.OrderedDict(a=1, b=2),
        "ordered turned": collections.OrderedDict(b=2, a=1),
        "defaultdict": collections.defaultdict(int, a=1),
        "defaultdict 2": collections.defaultdict(list, a=1),
        "counter": collections.Counter(a=1),
        "deque": collections.deque([1, 2]),
        "deque bounded": collections.deque([1, 2], 2),
        "deque bounded 3": collections.deque([1, 2], 3),
        "namespace": types.SimpleNamespace(a=1),
        "array": array("i", [1, 2]),
        "array 2": array("l", [1, 2]),
        "array 3": array("d", [1, 2]),
        "array empty": array("i"),
        "date": datetime.date(2020, 1, 2),
        "datetime": datetime.datetime(2020, 1, 2),
        "datetime utc": datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
        "datetime named": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(0), "Z")),
        "datetime +1": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
        "datetime same instant": datetime.datetime(2020, 1, 2, 1, tzinfo=OSLO),
        "datetime fold": datetime.datetime(2020, 10, 25, 2, 30, tzinfo=OSLO),
        "datetime fold 1": datetime.datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=OSLO),
        "time": datetime.time(1, 2),
        "time utc": datetime.time(1, 2, tzinfo=datetime.UTC),
        "timedelta": datetime.timedelta(1),
        "timedelta 2": datetime.timedelta(seconds=1),
        "timedelta -": datetime.timedelta(-1),
        "zone": OSLO,
        "zone 2": zoneinfo.ZoneInfo("UTC"),
        "utc": datetime.UTC,
        "decimal": decimal.Decimal("1.0"),
        "decimal 2": decimal.Decimal("1.00"),
        "decimal 3": decimal.Decimal("1E+1"),
        "decimal -0": decimal.Decimal("-0"),
        "decimal 0": decimal.Decimal("0"),
        "decimal nan": decimal.Decimal("NaN"),
        "decimal nan 12": decimal.Decimal("NaN12"),
        "decimal snan": decimal.Decimal("sNaN"),
        "decimal inf": decimal.Decimal("Infinity"),
        "fraction": fractions.Fraction(1, 2),
        "fraction 2": fractions.Fraction(2, 1),
        "uuid": uuid.UUID(int=1),
        "path": pathlib.Path("a/b"),
        "pure path": pathlib.PurePosixPath("a/b"),
        "windows path": pathlib.PureWindowsPath("a/b"),
        "pattern": re.compile("a"),
        "pattern i": re.compile("a", re.I),
        "pattern b": re.compile(b"a"),
        "colour": Colour.RED,
        "colour 2": Colour.GREEN,
        "shade": Shade.RED,
        "level": Level.LOW,
        "rights": Rights.READ,
        "rights both": Rights.READ | Rights.WRITE,
        "rights none": Rights(0),
        "flag of re": re.I,
        "point": Point(1, 2),
        "place": Place(1, 2),
        "(1, 2)": (1, 2),
        "config": Config(),
        "config 2": Config(0.25),
        "config 3": Config(names=["b"]),
        "frozen": Frozen(),
        "frozen 2": Frozen(kind="y"),
        "wider": Wider(),
        "wider 2": Wider(1, [1]),
        "model": Model(a=1),
        "model b": Model(b=1),
        "model 2": Model(a=2),
        "model ab": Model(a=1, b=2),
        "model ba": Model(b=2, a=1),
        "other model": OtherModel(a=1),
        "empty model": Model(),
        "slotted": Slotted(),
        "slotted 2": Slotted(2),
        "half slotted": HalfSlotted(),
        "half slotted 2": HalfSlotted(c=4),
        "tagged": tagged([1], "a"),
        "tagged 2": tagged([1], "b"),
        "tagged 3": tagged([2], "a"),
        "text subclass": Text("1"),
        "int subclass": Whole(1),
        "dict subclass": Lookup(a=1),
        "cyclic": cyclic(),
        "cyclic 2": [cyclic()],
        "not cyclic": [1, [1]],
        "shared": shared(),
        "not shared": [[1], [1]],
        "shared in tuple": (lambda part: (part, (part,)))([1]),
        "not shared in tuple": ([1], ([1],)),
        "shared in dict": (lambda part: {"a": part, "b": part})({}),
        "not shared in dict": {"a": {}, "b": {}},
        "shared instance": (lambda part: [part, part])(Model(a=1)),
        "not shared instance": [Model(a=1), Model(a=1)],
        "instance loop": loop_through_instance(),
        "function": double,
        "partial": functools.partial(double, 1),
        "partial 2": functools.partial(double, 2),
        "partial kw": functools.partial(double, x=1),
        "partial of int": functools.partial(int, 1),
        "len": len,
        "operator": operator.itemgetter,
        "class": Model,
        "class 2": int,
        "method": Model(a=1).fit,
        "method 2": Model(a=2).fit,
        "builtin method": [1].append,
        "builtin method 2": [2].append,
        "method descriptor": str.upper,
        "classes": [int, str],
        "random": random.Random(1),
        "random 2": random.Random(2),
        "itemgetter": operator.itemgetter(1),
        "itemgetter 2": operator.itemgetter(1, 2),
        "attrgetter": operator.attrgetter("a"),
        "methodcaller": operator.methodcaller("a", 1),
        "methodcaller kw": operator.methodcaller("a", b=1),
        "ip": ipaddress.ip_address("1.2.3.4"),
        "arguments": argparse.Namespace(a=1),
        "chain map": collections.ChainMap({"a": 1}, {"b": 2}),
        "my path": MyPath("a/b"),
        "my decimal": Money("1.50"),
        "my decimal 2": Money("1.5"),
        "my fraction": Share(1, 2),
        "my date": Day(2020, 1, 2),
        "my set": Names({"a"}),
        "my deque": Last([1], 2),
        "list[int]": list[int],
        "list[str]": list[str],
        "int | None": int | None,
        "int | str": int | str,
        "Optional": vars(typing)["Optional"][int],
        "Literal": Literal["a", 1],
        "Literal 2": Literal["a", True],
        "Annotated": Annotated[int, "a"],
        "Annotated 2": Annotated[int, "b"],
        "Callable": Callable[[int], str],
        "typing.List": vars(typing)["List"][int],
        "typing.List bare": vars(typing)["List"],
        "typing.Any": Any,
        "NewType": UserId,
        "NewType 2": GroupId,
    }


def unpicklable_under_test() -> dict[str, Any]:
    """Values that cannot go through a pickle, or come back as the very same object."""
    return {
        "forward": vars(typing)["List"]["Model"],
        "struct": struct.Struct("<i"),
        "struct 2": struct.Struct("<q"),
        "ParamSpec": typing.ParamSpec("P"),
        "ParamSpec 2": typing.ParamSpec("Q"),
        "TypeVarTuple": typing.TypeVarTuple("Ts"),
        "module": types,
        "module 2": math,
        "np.longlong": np.longlong(1),
        "mappingproxy": types.MappingProxyType({"a": 1}),
        "mappingproxy 2": types.MappingProxyType({"a": 2}),
        "logger": logging.getLogger("a"),
        "logger 2": logging.getLogger("b"),
        "root logger": logging.getLogger(),
        "class namespace": vars(Colour)["__module__"],
    }


def arrays_under_test() -> dict[str, Any]:
    """Values of numpy, by name."""
    oblong = np.arange(6.0).reshape(2, 3)
    square = np.arange(4).reshape(2, 2)
    return {
        "np.int64": np.int64(1),
        "np.int32": np.int32(1),
        "np.float64": np.float64(1),
        "np.float64 0": np.float64(0),
        "np.float64 -0": np.float64(-0.0),
        "np.float64 nan": np.float64("nan"),
        "np.float32": np.float32(1),
        "np.float32 nan": np.float32("nan"),
        "np.longdouble": np.longdouble(1),
        "np.complex128": np.complex128(1),
        "np.bool": np.bool_(True),
        "np.str": np.str_("1"),
        "np.bytes": np.bytes_(b"1"),
        "np.datetime64": np.datetime64("2020-01-01"),
        "np.datetime64 s": np.datetime64("2020-01-01", "s"),
        "np.nat": np.datetime64("NaT", "s"),
        "np.timedelta64": np.timedelta64(1, "s"),
        "np.void": records(0)[0],
        "dtype": np.dtype("i8"),
        "dtype 2": np.dtype(">i8"),
        "dtype 3": RECORD,
        "dtype 4": np.dtype([("a", "i1"), ("b", "f8")]),
        "dtype 5": np.dtype(("i4", (2,))),
        "scalar class": np.int64,
        "zeros f8": np.zeros(3),
        "zeros i8": np.zeros(3, "i8"),
        "zeros u8": np.zeros(3, "u8"),
        "zeros f4": np.zeros(6, "f4"),
        "zeros >f8": np.zeros(3, ">f8"),
        "zeros complex": np.zeros(2, "c16"),
        "zeros M8": np.zeros(3, "M8[s]"),
        "zeros M8 ms": np.zeros(3, "M8[ms]"),
        "zeros m8": np.zeros(3, "m8[s]"),
        "zeros 3x1": np.zeros((3, 1)),
        "zeros 1x3": np.zeros((1, 3)),
        "0-d": np.array(1.0),
        "1-d": np.array([1.0]),
        "empty": np.zeros(0),
        "empty 0x3": np.zeros((0, 3)),
        "empty 3x0": np.zeros((3, 0)),
        "oblong": oblong,
        "oblong T": oblong.T,
        "square": square,
        "square T": square.T,
        "bool": np.array([True, False]),
        "unicode": np.array(["a-b", "c"]),
        "unicode 2": np.array(["a", "b-c"]),
        "bytes": np.array([b"a", b"b"]),
        "bytes none": np.array([b"", b""]),
        "void": np.zeros(2, "V3"),
        "objects": np.array(["a-b", "c"], dtype=object),
        "objects 2": np.array(["a", "b-c"], dtype=object),
        "objects none": np.array(["a", None], dtype=object),
        "objects nan": np.array(["a", math.nan], dtype=object),
        "objects mixed": np.array([1, "a", [1], None], dtype=object),
        "objects 1 True": np.array([1, True], dtype=object),
        "objects 1.0": np.array([1.0, 1], dtype=object),
        "string dtype": np.array(["a", "b"], dtype=np.dtypes.StringDType()),
        "string dtype nan": np.array(["a", np.nan], dtype=np.dtypes.StringDType(na_object=np.nan)),
        "records": records(0),
        "records packed": np.array([(1, 0.5), (2, 1.5)], dtype=[("a", "i1"), ("b", "f8")]),
        "records named": np.array([(1, 0.5), (2, 1.5)], dtype=[("a", "i1"), ("c", "f8")]),
        "records nested": np.zeros(2, [("a", [("b", "i1"), ("c", "i2", (2, 2))]), ("o", object)]),
        "recarray": np.rec.array([(1, 0.5)], dtype=[("a", "i1"), ("b", "f8")]),
        "longdouble": np.arange(3, dtype="g"),
        "clongdouble": np.arange(3, dtype="G"),
        "masked": np.ma.array([1, 2, 3], mask=[0, 1, 0]),
        "masked 2": np.ma.array([1, 2, 3], mask=[0, 0, 1]),
        "masked fill": np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=7),
        "masked none": np.ma.array([1, 2, 3]),
        "masked constant": np.ma.masked,
        "large": np.arange(10_000.0),
        "large 2": np.arange(10_000),
        "generator": np.random.default_rng(1),
        "generator 2": np.random.default_rng(2),
        "generator mt": np.random.Generator(np.random.MT19937(1)),
        "random state": np.random.RandomState(1),
        "random state 2": np.random.RandomState(2),
        "seeds": np.random.SeedSequence(1),
        "ufunc": np.add,
        "ufunc 2": np.subtract,
        "array function": np.mean,
        "list of np": [np.int64(1), np.float64(2.0)],
        "list of arrays": [np.arange(2), np.arange(2)],
    }


def frames_under_test() -> dict[str, Any]:
    """Values of pandas, by name."""
    numbers = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    text = ["x", None, "z"]
    instants = pd.to_datetime(["2020-01-01", "2020-06-01", None])
    found = {
        "frame": numbers,
        "frame float": numbers.astype(float),
        "frame same bytes": pd.DataFrame(
            {name: numbers[name].to_numpy().view("f8") for name in ("a", "b")}, columns=["a", "b"]
        ),
        "frame float32": numbers.astype("f4"),
        "frame turned": numbers[["b", "a"]],
        "frame renamed": numbers.rename(columns={"b": "c"}),
        "frame index": numbers.set_axis([1, 2]),
        "frame int index": numbers.set_axis(pd.Index([0, 1])),
        "frame index name": numbers.rename_axis("i"),
        "frame columns name": numbers.rename_axis(columns="c"),
        "frame attrs": (lambda f: (f.attrs.update(a=1), f)[1])(numbers.copy()),
        "frame no duplicates": numbers.set_flags(allows_duplicate_labels=False),
        "frame empty": pd.DataFrame(),
        "frame no rows": numbers.iloc[:0],
        "frame no columns": numbers[[]],
        "frame twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
        "frame multi": numbers.set_index(["a", "b"]),
        "frame f4 text": numbers.astype("f4").assign(c="x"),
        "frame f8 text": numbers.astype("f8").assign(c="x"),
        "frame mixed": pd.DataFrame(
            {
                "number": [1.5, math.nan, -0.0],
                "text": text,
                "object": pd.Series(["x", None, math.nan], dtype=object),
                "kind": pd.Categorical(["u", None, "v"]),
                "utc": instants.tz_localize("UTC"),
                "naive": instants,
                "delta": pd.to_timedelta([1, 2, None], unit="s"),
                "Int64": pd.array([1, None, 3], dtype="Int64"),
                "bool": [True, False, True],
            }
        ),
        "column": numbers["a"],
        "column unnamed": numbers["a"].rename(None),
        "column array": numbers["a"].to_numpy(),
        "column extension": numbers["a"].array,
        "column as frame": numbers[["a"]],
        "str": pd.Series(text, dtype="str"),
        "string": pd.Series(text, dtype="string"),
        "string python": pd.Series(text, dtype=pd.StringDtype("python")),
        "str python": pd.Series(text, dtype=pd.StringDtype("python", na_value=math.nan)),
        "string pyarrow": pd.Series(text, dtype=pd.ArrowDtype(pa.string())),
        "object": pd.Series(text, dtype=object),
        "object nan": pd.Series(["x", math.nan, "z"], dtype=object),
        "object NA": pd.Series(["x", pd.NA, "z"], dtype=object),
        "object NaT": pd.Series(["x", pd.NaT, "z"], dtype=object),
        "category": pd.Series(text, dtype="category"),
        "category turned": pd.Series(pd.Categorical(text, categories=["z", "x"])),
        "category ordered": pd.Series(pd.Categorical(text, categories=["x", "z"], ordered=True)),
        "category more": pd.Series(pd.Categorical(text, categories=["x", "y", "z"])),
        "categorical": pd.Categorical(text),
        "naive": pd.Series(instants),
        "naive s": pd.Series(instants.as_unit("s")),
        "naive ns": pd.Series(instants.as_unit("ns")),
        "utc": pd.Series(instants.tz_localize("UTC")),
        "oslo": pd.Series(instants.tz_localize("UTC").tz_convert("Europe/Oslo")),
        "delta": pd.Series(pd.to_timedelta([1, 2, None], unit="s")),
        "period": pd.Series(pd.period_range("2020", periods=2, freq="M")),
        "period Q": pd.Series(pd.period_range("2020", periods=2, freq="Q")),
        "intervals": pd.Series(pd.interval_range(0, 2)),
        "intervals left": pd.Series(pd.interval_range(0, 2, closed="left")),
        "intervals of instants": pd.Series(pd.interval_range(pd.Timestamp("2020"), periods=2)),
        "intervals of instants tz": pd.Series(pd.interval_range(pd.Timestamp("2020", tz="UTC"), periods=2)),
        "intervals missing": pd.Series(pd.arrays.IntervalArray.from_breaks(pd.array([0, 1, 2], dtype="Int64"))),
        "Int64": pd.Series([1, None], dtype="Int64"),
        "Int64 full": pd.Series([1, 1], dtype="Int64"),
        "Int32": pd.Series([1, None], dtype="Int32"),
        "Float64": pd.Series([1, None], dtype="Float64"),
        "boolean": pd.Series([True, None], dtype="boolean"),
        "arrow int": pd.Series([1, None], dtype=pd.ArrowDtype(pa.int64())),
        "arrow bool": pd.Series([True, None], dtype=pd.ArrowDtype(pa.bool_())),
        "arrow time": pd.Series([1, None], dtype=pd.ArrowDtype(pa.timestamp("s"))),
        "arrow decimal": pd.Series([decimal.Decimal("1.0"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 1))),
        "arrow decimal null": pd.Series([None, decimal.Decimal("1.0")], dtype=pd.ArrowDtype(pa.decimal128(5, 1))),
        "arrow dictionary turned": pd.Series(
            pd.arrays.ArrowExtensionArray(pa.DictionaryArray.from_arrays(pa.array([1, 0], "i4"), pa.array(["y", "x"])))
        ),
        "arrow list": pd.Series([[1], None, [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
        "arrow large": pd.Series(text, dtype=pd.ArrowDtype(pa.large_string())),
        "arrow binary": pd.Series([b"x", None], dtype=pd.ArrowDtype(pa.binary())),
        "arrow dictionary": pd.Series(pd.arrays.ArrowExtensionArray(pa.array(["x", "y"]).dictionary_encode())),
        "sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1])),
        "sparse 2": pd.Series(pd.arrays.SparseArray([0, 0, 1], fill_value=1)),
        "index": pd.Index([0, 1, 2]),
        "index range": pd.RangeIndex(3),
        "index range 2": pd.RangeIndex(0, 6, 2),
        "index name": pd.Index([0, 1, 2], name="a"),
        "index float": pd.Index([0.0, 1.0, 2.0]),
        "index text": pd.Index(["a", "b"]),
        "index object": pd.Index(["a", "b"], dtype=object),
        "index dates": pd.date_range("2020", periods=3),
        "index dates no freq": pd.DatetimeIndex(list(pd.date_range("2020", periods=3))),
        "index dates tz": pd.date_range("2020", periods=3, tz="UTC"),
        "index deltas": pd.timedelta_range("1D", periods=3),
        "index periods": pd.period_range("2020", periods=3, freq="D"),
        "index intervals": pd.interval_range(0, 3),
        "index categories": pd.CategoricalIndex(["a", "b"]),
        "index multi": pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        "index multi names": pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["n", "t"]),
        "NaT": pd.NaT,
        "NA": pd.NA,
        "timestamp": pd.Timestamp("2020"),
        "timestamp s": pd.Timestamp("2020").as_unit("s"),
        "timestamp ns": pd.Timestamp("2020").as_unit("ns"),
        "timestamp utc": pd.Timestamp("2020", tz="UTC"),
        "timestamp oslo": pd.Timestamp("2020", tz="Europe/Oslo"),
        "timedelta": pd.Timedelta("1D"),
        "period scalar": pd.Period("2020", "M"),
        "interval": pd.Interval(0, 1),
        "interval left": pd.Interval(0, 1, "left"),
        "offset": pd.offsets.MonthEnd(1),
        "offset 2": pd.offsets.MonthEnd(2),
        "offset date": pd.DateOffset(months=3),
        "offset date 2": pd.DateOffset(months=4),
        "offset day": pd.offsets.Hour(1),
        "dtype category": pd.CategoricalDtype(["a"]),
        "dtype category ordered": pd.CategoricalDtype(["a"], ordered=True),
        "dtype tz": pd.DatetimeTZDtype("ns", "UTC"),
        "dtype str": pd.StringDtype(na_value=math.nan),
        "dtype Int64": pd.Int64Dtype(),
        "dtype sparse": pd.SparseDtype("f8"),
        "dtype arrow": pd.ArrowDtype(pa.int64()),
        "dtype period": pd.PeriodDtype("M"),
        "dtype interval": pd.IntervalDtype("i8", "right"),
    }
    if PANDAS < 3:
        # There "str" is object, "string" is kept in Python's objects, and instants have other units by default.
        for name in ("str", "string python", "index object", "naive ns", "timestamp s", "intervals missing"):
            del found[name]
    return found


def everything() -> dict[str, Any]:
    """All of the above that pickle can bring back."""
    return {**builtins_under_test(), **arrays_under_test(), **frames_under_test()}

# ruff: noqa: B006, C400, RUF012  (code of every kind, not good code)
"""Functions that reach code in many ways, for keys that must not move; only the standard library, and no version of it.

Not to be edited: a key counts what stands here. New cases go to the end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import io
import operator
import random
import re as sre
import typing
from collections import OrderedDict, namedtuple
from decimal import getcontext
from os.path import islink, lexists, normpath
from pathlib import Path, PurePosixPath
from random import choice
from random import randrange as below
from re import error as RegexError
from threading import Lock
from types import SimpleNamespace

K = 3
TABLE = {"a": [1, 2.5, None, True, -0.0], "b": ("x", b"y", frozenset({1, 2}))}
SETTINGS = SimpleNamespace(rate=0.5, names=["a", "b"])


def low(x, n=K, *, m=[1]):
    """Counts nothing here."""
    return x + n + len(m)


def helper(x: int) -> int:
    return low(x) if x else -low(x, 2)


def reads_globals(x):
    return x + K + TABLE["a"][0] + SETTINGS.rate


def comprehends(x):
    return [helper(y) for y in range(x)], {y: low(y) for y in (x,)}, {helper(y) for y in [x]}, list(low(y) for y in [x])


def formats(x):
    return f"{helper(x)!r:>{K}} {x = } {'nested'} {x:{K}.{K}}joined{{}}"


def nests(x):
    def inner(y, z=K):
        nonlocal x
        x += helper(y)
        return lambda w: w + x + z

    return inner(x)(1)


def matches(x):
    match x:
        case {"k": [1, *rest], **more} if rest:
            return more
        case Point(a=1) | Shade.RED:
            return helper(1)
        case str() | None:
            return K
    return None


def tries(x):
    try:
        return helper(x)
    except (KeyError, ValueError) as error:
        raise TypeError("no") from error
    except Exception:
        return K
    finally:
        low(x)


def groups(x):
    try:
        return helper(x)
    except* ValueError as found:
        low(len(found.exceptions))


async def awaits(x):
    async with scope(x) as y:
        return [z async for z in y if await z]


@contextlib.contextmanager
def scope(x):
    yield helper(x)


def with_scope(x):
    with scope(x) as y, scope(y):
        return y


class Base:
    scale = K

    def __init_subclass__(cls, kind="none", **more):
        cls.kind = kind

    def step(self, x):
        return low(x) * self.scale


class Model(Base, kind="small"):
    """A model."""

    rate: float = 0.5
    __slots__ = ("k",)

    def __init__(self, k=K):
        self.k = k

    @property
    def half(self):
        return self.k / 2

    @staticmethod
    def one():
        return 1

    @classmethod
    def made(cls, k):
        return cls(k)

    @functools.singledispatchmethod
    def of(self, x):
        return x

    @of.register
    def _(self, x: int):
        return helper(x)

    def step(self, x):
        return super().step(x) + self.__private()

    def __private(self):
        return K


def makes_models(x):
    return Model.made(x).step(1) + Model().half + Model.one() + Model().of(x)


@dataclasses.dataclass
class Point:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)
    c: typing.ClassVar[int] = K

    def __post_init__(self):
        self.b.append(helper(self.a))


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Frozen:
    a: int = K


class Shade(enum.Enum):
    RED = 1
    GREEN = "two"

    def dark(self):
        return helper(K)


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


Place = namedtuple("Place", "x y", defaults=[K])


class Named(typing.NamedTuple):
    a: int
    b: str = "b"

    def both(self):
        return helper(self.a)


def makes_values(x):
    return Point(x), Frozen(x), Shade.RED.dark(), Rights.READ | Rights.WRITE, Place(x), Named(x).both()


def closes_over(n):
    def inner(x):
        return x + n + len(n_list)

    n_list = [n]
    return inner


closed = closes_over(4)
part = functools.partial(low, 1, m=[2])
shout = lambda x: helper(x) + 1  # noqa: E731
cached = functools.lru_cache(maxsize=8)(helper)
DISPATCH = OrderedDict(a=helper, b=[closed, part, shout], c=Model)


def dispatches(x):
    return DISPATCH["a"](x), closed(x), part(), shout(x), cached(x), operator.itemgetter(0)([x])


@functools.singledispatch
def shown(x):
    return helper(x)


@shown.register
def _(x: str):
    return low(len(x))


def shows(x):
    return shown(x)


def twice(function):
    @functools.wraps(function)
    def inner(*args, **more):
        return function(*args, **more) * 2

    return inner


@twice
def decorated(x):
    return helper(x)


def uses_decorated(x):
    return decorated(x)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def yields(x):
    got = yield helper(x)
    yield from [got, *TABLE]


def unpacks(x):
    a, *b = x
    (c := len(b))
    del b
    return a if c else [*TABLE["a"], *x], {**TABLE, "k": a}


def defines_class(x):
    class Local(Base, kind="local"):
        k = K
        both = [x for _ in range(2)]

        def m(self):
            return helper(self.k)

    return Local().m()


def hidden(x):
    return globals()["helper"](x)


def opens(path):
    with open(path) as file, io.open_code(path) as again, Lock():
        return file.read() + again.read()


def names_files(path):
    found = Path(path), PurePosixPath(path), islink(path), lexists(path), normpath(path)
    return [*found, isinstance(path, Path), getcontext().prec]


def catches(text):
    try:
        return sre.compile(text)
    except RegexError:
        return None


def draws(x):
    return choice([x]) + random.random() + below(x)


FUNCTIONS = (
    reads_globals, comprehends, formats, nests, matches, tries, groups, awaits, with_scope, makes_models, makes_values,
    closed, shout, dispatches, shows, uses_decorated, even, yields, unpacks, defines_class, hidden,
    opens, names_files, catches, draws,
)  # fmt: skip

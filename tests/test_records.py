"""Our `dataclass` makes what the standard library's makes, for the records that this package has."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import field
from typing import Any

import pytest

from resonate_nb import records

MAKERS: dict[str, Callable[..., Any]] = {"theirs": dataclasses.dataclass, "ours": records.dataclass}


def plain(make: Callable[..., Any], **options: Any) -> Any:
    @make(**options)
    class Plain:
        """One of each kind of field."""

        name: str
        size: int = 0
        tags: dict[str, str] = field(default_factory=dict)

        @property
        def length(self) -> int:
            return len(self.name)

    return Plain


def looks(make: Callable[[], Any]) -> Any:
    """What comes of it: a value, or an error and what it says."""
    try:
        return make()
    except Exception as error:
        return type(error), str(error)


OPTIONS = [
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "eq": False},
    {"slots": True},
    {"slots": True, "eq": False},
    {},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_does_what_the_standard_library_does(options: dict[str, bool]) -> None:
    found = []
    for make in MAKERS.values():
        cls = plain(make, **options)
        one, two, other = cls("a"), cls("a", tags={}, size=0), cls("a", 1)
        # Both alive: of two that are hashed one after the other, the second may lie where the first lay.
        hashable, its_twin = cls("a", tags=()), cls("a", tags=())
        found.append(
            [
                *(repr(one), repr(other), one == two, one == other, one != two, one == 1, other.length),
                *(one.tags is not two.tags, cls.__match_args__, cls.__doc__, cls.__name__, cls.__module__),
                *(getattr(cls, "__slots__", None), hasattr(one, "__dict__"), cls.__hash__ is object.__hash__),
                *(looks(lambda cls=cls: cls()), looks(lambda cls=cls: cls("a", 1, {}, 2))),
                *(looks(lambda cls=cls: cls("a", sizes=1)), looks(lambda cls=cls: cls("a", name="b"))),
                *(looks(lambda one=one: setattr(one, "size", 5)), looks(lambda one=one: delattr(one, "size"))),
                looks(lambda other=other: other.size),
                looks(lambda one=hashable, two=its_twin: hash(one) == hash(two)),
                *([f.name for f in dataclasses.fields(one)], dataclasses.astuple(two), dataclasses.is_dataclass(cls)),
                *(dataclasses.replace(two, size=7).size, copy.copy(two).name, copy.deepcopy(two).name),
                *(cls.__init__.__qualname__, cls.__repr__.__qualname__),
            ]
        )
    assert found[0] == found[1]


@records.dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    inner: Any = None


@records.dataclass(slots=True)
class Open:
    name: str
    inner: Any = None


@records.dataclass(frozen=True, slots=True)
class Wider(Frozen):
    more: int = 1


@pytest.mark.parametrize("value", [Frozen("a"), Open("a", [1]), Wider("a", Frozen("b"), 3)], ids=repr)
def test_it_comes_back_from_a_pickle(value: Any) -> None:
    for protocol in range(2, 6):
        assert value == pickle.loads(pickle.dumps(value, protocol))


def test_a_pickle_of_the_standard_library_s_is_read() -> None:
    """Its state is a list of values."""
    state = Frozen("a", 1).__reduce_ex__(5)[2]  # type: ignore[index]
    assert ["a", 1] == state
    made = Frozen.__new__(Frozen)
    made.__setstate__(state)  # type: ignore[attr-defined]
    assert Frozen("a", 1) == made


def test_records_of_two_classes_are_never_equal() -> None:
    assert Frozen("a") != Open("a")
    assert Frozen("a") != Wider("a")
    assert 2 == len({Frozen("a"), Frozen("a"), Wider("a")})
    assert Wider("a", more=2) == dataclasses.replace(Wider("a"), more=2)


def test_a_frozen_one_takes_no_new_attribute() -> None:
    """Of slots the standard library makes a TypeError that helps nobody."""
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'new'"):
        Frozen("a").new = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Open("a").new = 1  # type: ignore[attr-defined]


def test_one_that_holds_itself_can_be_shown() -> None:
    value = Open("a")
    value.inner = [value]
    assert "Open(name='a', inner=[...])" == repr(value)


def test_the_first_instance_of_a_base_and_of_a_class_derived_from_it() -> None:
    """Each compiles its own."""

    @records.dataclass(frozen=True, slots=True)
    class Base:
        a: int

    @records.dataclass(frozen=True, slots=True)
    class Derived(Base):
        b: int = 2

    class Plain(Base):
        __slots__ = ()

    assert (1, 2) == (Derived(1).a, Derived(1).b)
    assert 1 == Plain(1).a == Base(1).a
    with pytest.raises(TypeError, match="unexpected keyword"):
        Base(1, b=2)  # type: ignore[call-arg]


def test_what_it_does_not_make_is_refused_at_once() -> None:
    for more in (field(repr=False), field(compare=False), field(init=False), field(kw_only=True), field(hash=True)):
        with pytest.raises(TypeError, match="asks for more than a default"):
            records.dataclass(frozen=True)(type("R", (), {"a": more, "__annotations__": {"a": "int"}}))
    for hint in ("ClassVar[int]", "InitVar[int]", "KW_ONLY"):
        with pytest.raises(TypeError, match="is no field"):
            records.dataclass(frozen=True)(type("R", (), {"__annotations__": {"a": hint}}))
    with pytest.raises(TypeError, match="has a __post_init__"):
        records.dataclass(frozen=True)(type("R", (), {"__post_init__": print}))


@pytest.mark.slow
def test_nothing_is_compiled_for_a_few_instances() -> None:
    code = """
import sys, builtins
from resonate_nb.records import dataclass
count = []
sys.addaudithook(lambda event, args: count.append(event) if event == "compile" else None)
@dataclass(frozen=True, slots=True)
class R:
    a: int = 1
assert not count, count
assert [R(), R(2), R(a=3)] and not count, count
made = [R(number) for number in range(100)]
assert [*range(100)] == [one.a for one in made] and R() == R(1)
print(len(count))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ("", "1\n") == (done.stderr, done.stdout)

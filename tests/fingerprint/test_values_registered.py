"""`register_fingerprint` and `__durable_fingerprint__`: what users say of their own types."""

from __future__ import annotations

import collections
import decimal
import importlib
import pathlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sessions import Session

import resonate_nb as rnb
from resonate_nb.errors import InvalidOptionError, UnfingerprintableError
from resonate_nb.fingerprint import fingerprint_named


class Handle:
    """An object whose attributes have no content."""

    def __init__(self, name: str, weights: Any = ()) -> None:
        self.name = name
        self.weights = weights
        self.lock = iter(())


class Named(Handle):
    def __durable_fingerprint__(self) -> object:
        return self.name, self.weights


class Loose(Named):
    """Says nothing of its own."""


class Child(Named):
    def __durable_fingerprint__(self) -> object:
        return self.name


def made(kind: type[Handle] = Handle) -> type[Handle]:
    """A class of its own, so that what is registered for it concerns no other test."""
    return type("Made", (kind,), {})


def test_a_method_says_what_counts() -> None:
    assert rnb.fingerprint(Named("a")) == rnb.fingerprint(Named("a"))
    assert rnb.fingerprint(Named("a")) != rnb.fingerprint(Named("b"))
    assert rnb.fingerprint(Named("a", np.zeros(2))) != rnb.fingerprint(Named("a", np.ones(2)))
    assert rnb.fingerprint(Loose("a")) != rnb.fingerprint(Named("a"))
    assert rnb.fingerprint(Child("a", [1])) == rnb.fingerprint(Child("a", [2]))


def test_a_function_says_what_counts() -> None:
    cls = made()
    with pytest.raises(UnfingerprintableError):
        rnb.fingerprint(cls("a"))
    rnb.register_fingerprint(cls, lambda handle: handle.name)
    assert rnb.fingerprint([cls("a")]) == rnb.fingerprint([cls("a")])
    assert rnb.fingerprint(cls("a")) != rnb.fingerprint(cls("b"))
    assert rnb.fingerprint(cls("a")) != rnb.fingerprint("a")


def test_subclasses_count_likewise_and_as_themselves() -> None:
    cls = made()
    below = type("Below", (cls,), {})
    rnb.register_fingerprint(cls, lambda handle: handle.name)
    assert rnb.fingerprint(below("a")) == rnb.fingerprint(below("a"))
    assert rnb.fingerprint(below("a")) != rnb.fingerprint(cls("a"))


def test_the_nearest_class_decides_and_what_is_registered_goes_before_a_method() -> None:
    base = made()
    cls = type("Both", (Named, base), {})
    rnb.register_fingerprint(base, lambda handle: 1)
    assert rnb.fingerprint(cls("a")) != rnb.fingerprint(cls("b"))
    rnb.register_fingerprint(cls, lambda handle: 2)
    assert rnb.fingerprint(cls("a")) == rnb.fingerprint(cls("b"))
    said = made(Child)
    rnb.register_fingerprint(said, lambda handle: handle.weights)
    assert rnb.fingerprint(said("a", [1])) == rnb.fingerprint(said("b", [1]))


def test_registering_again_takes_effect() -> None:
    cls = made()
    value = cls("a", [1])
    rnb.register_fingerprint(cls, lambda handle: handle.name)
    before = rnb.fingerprint(value)
    rnb.register_fingerprint(cls, lambda handle: handle.weights)
    assert before != rnb.fingerprint(value)


def test_it_wins_over_the_rules_of_this_package() -> None:
    class Table(pd.DataFrame):
        pass

    class Array(np.ndarray):  # type: ignore[type-arg]
        pass

    class Amount(decimal.Decimal):
        pass

    class Stack(collections.deque):  # type: ignore[type-arg]
        pass

    class Place(pathlib.PurePosixPath):
        pass

    values = [Table({"a": [1]}), np.zeros(2).view(Array), Amount(1), Stack([1]), Place("a")]
    others = [Table({"a": [2]}), np.ones(2).view(Array), Amount(2), Stack([2]), Place("b")]
    for value, other in zip(values, others, strict=True):
        rnb.register_fingerprint(type(value), lambda _: "all the same")
        assert rnb.fingerprint(value) == rnb.fingerprint(other)


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package that is loaded when asked for, whose class is known by another name than its own."""
    folder = tmp_path / "site-packages" / "late_package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from ._inside import Thing\n")
    (folder / "_inside.py").write_text(
        "class Thing:\n    def __init__(self, n):\n        self.n, self.lock = n, iter(())\n"
    )
    monkeypatch.syspath_prepend(str(folder.parent))
    yield "late_package"
    for name in [name for name in sys.modules if name.startswith("late_package")]:
        del sys.modules[name]


def test_a_name_serves_before_the_type_is_loaded(late: str) -> None:
    rnb.register_fingerprint("late_package.Thing", lambda thing: thing.n)
    Thing = importlib.import_module(late).Thing
    assert rnb.fingerprint(Thing(1)) == rnb.fingerprint(Thing(1))
    assert rnb.fingerprint(Thing(1)) != rnb.fingerprint(Thing(2))


def test_keys_made_before_are_made_anew() -> None:
    """A global without content keeps a call from being durable, until the user says what counts of it."""
    session = Session().cell(
        "import threading\nclass Client:\n    pass\nclient = Client()\ndef f():\n    return client.url"
    )
    session.cell("client.url, client.rows = 'a', iter(())")
    subject = session.subject()
    assert subject.key().undurable
    client = session.names["client"]
    rnb.register_fingerprint(type(client), lambda client: client.url)
    before = subject.key()
    assert () == before.undurable
    client.url = "b"
    assert before.content != subject.key().content
    rnb.register_fingerprint(type(client), lambda client: 0)
    client.url = "a"
    assert subject.key().content not in (before.content, "")
    assert subject.standing() is None or subject.standing() is subject.key()


@pytest.mark.parametrize(
    ("told", "path", "reason"),
    [
        pytest.param(lambda value: None, "cfg.model", "returned None", id="nothing"),
        pytest.param(lambda value: value, "cfg.model", "returned the value itself", id="itself"),
        pytest.param(lambda value: [1, value], "cfg.model", "returned the value itself", id="itself in a list"),
        pytest.param(lambda value: {"a": value}, "cfg.model", "returned the value itself", id="itself in a dict"),
        pytest.param(lambda value: 1 / 0, "cfg.model", "raised ZeroDivisionError: division by zero", id="raises"),
        pytest.param(lambda value: [value.lock], "cfg.model{}[0]", "only once", id="no content"),
    ],
)
def test_what_it_gives_wrongly_is_told_with_the_path(told: Any, path: str, reason: str) -> None:
    cls = made()
    rnb.register_fingerprint(cls, told)
    method = type("Method", (Handle,), {"__durable_fingerprint__": told})
    for kind, step in ((cls, "<registered fingerprint>"), (method, ".__durable_fingerprint__()")):
        with pytest.raises(UnfingerprintableError) as caught:
            fingerprint_named({"cfg": types.SimpleNamespace(model=kind("a"))})
        assert path.format(step) == caught.value.path
        assert reason in caught.value.reason


def test_what_was_raised_is_the_cause() -> None:
    cls = made()
    rnb.register_fingerprint(cls, lambda value: 1 / 0)
    with pytest.raises(UnfingerprintableError) as caught:
        rnb.fingerprint(cls("a"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("kind", "told", "said"),
    [
        (dict, len, "always count by their content"),
        (int, abs, "always count by their content"),
        (object, repr, "always count by their content"),
        ("builtins.list", len, "always count by their content"),
        (Handle, "name", "cannot be called"),
        ("Handle", len, "names no type"),
        ("a module.Thing", len, "names no type"),
        (3, len, "names no type"),
    ],
    ids=str,
)
def test_what_cannot_be_registered_is_refused(kind: Any, told: Any, said: str) -> None:
    with pytest.raises(InvalidOptionError, match=said):
        rnb.register_fingerprint(kind, told)


def test_the_error_names_the_ways_out() -> None:
    with pytest.raises(UnfingerprintableError) as caught:
        rnb.fingerprint({"db": [object()]})
    for way in ("value['db'][0]", "rnb.register_fingerprint", "__durable_fingerprint__"):
        assert way in str(caught.value)

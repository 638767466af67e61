"""A key whose code stands as it did is the very same object, and telling so reads nothing; any change is seen."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from sessions import Session, key_of, same

from resonate_nb.fingerprint import Subject

SETTLED = (
    "".join(f"K{number} = {number}\n" for number in range(8))
    + "def bare(x): return x\n"
    + "def with_default(x, n=1): return n\n"
    + "def keyword(x, *, k=1): return k\n"
    + "def marked(x): return x\nmarked.note = 1\n"
    + "def make(n):\n    def inner(): return n\n    return inner\n"
    + "free = make(1)\n"
    + "class B: pass\nclass C(B):\n    A = 1\n    def m(self): return 1\n"
    + "def other(x, n=1, *, k=1): return 2\n"
    + "import math\nfrom math import sin\n"
    + "def f(x, own=3):\n"
    + "    return bare(x), with_default(x), keyword(x), marked(x), free(), C().m(), len(x), math.cos(x), sin(x), "
    + ", ".join(f"K{number}" for number in range(8))
)


def test_it_is_the_key_itself_while_nothing_changes() -> None:
    session = Session().cell(SETTLED)
    subject = session.subject()
    key = subject.key()
    assert key.undurable == ()
    assert key is subject.standing() is subject.key() is subject.standing()
    session.cell("unrelated = 1")
    assert key is subject.standing()


@pytest.mark.parametrize(
    "change",
    [
        "bare = other",
        "bare.__code__ = other.__code__",
        "bare.__defaults__ = (5,)",
        "with_default.__defaults__ = (5,)",
        "with_default.__defaults__ = None",
        "keyword.__kwdefaults__ = {'k': 5}",
        "keyword.__kwdefaults__['k'] = 5",
        "keyword.__kwdefaults__ = None",
        "free.__closure__[0].cell_contents = 5",
        "free.__closure__[0].cell_contents = other",
        "C.A = 2",
        "C.m = other",
        "C.more = 1",
        "del C.A",
        "C.__bases__ = (type('D', (), {'n': other}),)",
        "len = other",
        "sin = other",
        "K7 = 8",
        "K7 = 7.0",
        "del K7",
        "del sin",
        "bare.__wrapped__ = other",
        "marked.__wrapped__ = other",
        "f.__code__ = other.__code__",
    ],
)
def test_any_change_is_seen(change: str) -> None:
    session = Session().cell(SETTLED)
    subject = session.subject()
    before = subject.key()
    assert before is subject.standing()
    session.cell(change)
    assert subject.standing() is None
    after = subject.key()
    assert after.undurable or not same(before, after)
    assert after is subject.key()


@pytest.mark.parametrize(
    "change",
    [
        "bare.__kwdefaults__ = {}",
        "bare.note = 1",
        "marked.note = 2",
        "bare.__code__ = bare.__code__.replace(co_firstlineno=1)",
        "del unrelated",
        "K1000, K1001 = K1000, K1001",
    ],
)
def test_what_does_not_count_gives_an_equal_key(change: str) -> None:
    session = Session().cell(SETTLED).cell("unrelated = 1\nK1000 = 1000\nK1001 = 1001")
    subject = session.subject()
    before = subject.key()
    session.cell(change)
    after = subject.key()
    assert (before.code, before.content) == (after.code, after.content)
    assert after is subject.standing() is subject.key()


def test_a_name_that_comes_and_goes_is_seen_in_a_namespace_of_any_kind() -> None:
    class Names(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            raise AssertionError(name)

    for kind in (dict, Names):
        session = Session()
        session.names = kind(session.names)
        subject = session.cell("K = 1\ndef f(x): return K, len(x)").subject()
        first = subject.key()
        assert first is subject.standing()
        session.cell("len = lambda x: 1")
        assert subject.standing() is None
        assert not same(first, subject.key())
        session.cell("del len")
        assert subject.standing() is None
        assert same(first, subject.key())
        session.cell("del K")
        assert subject.standing() is None


@pytest.mark.slow
def test_changes_are_seen_before_and_after_ctypes_is_loaded() -> None:
    """From then on functions are looked at where they lie in memory."""
    code = """
    import sys
    from sessions import Session
    sys.modules.pop("ctypes", None)
    session = Session().cell("def g(x, n=1, *, k=1): return 1\\ndef h(x): return 2\\ndef f(x): return g(x), h(x)")
    subject = session.subject()
    for load in (False, False, True, True):
        if load:
            import ctypes
        for change in (
            "g.__defaults__ = (g.__defaults__[0] + 1,)",
            "g.__kwdefaults__['k'] += 1",
            "g.__code__, h.__code__ = h.__code__, g.__code__",
            "h.__defaults__ = (len(str(h.__defaults__)),)",
        ):
            key = subject.key()
            for _ in range(3):
                assert key is subject.standing()
            session.cell(change)
            assert subject.standing() is None, change
        assert load is ("ctypes" in sys.modules) is bool(subject._last.check._slots)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    assert "" == done.stderr


def test_there_is_none_before_the_first_key_and_where_data_may_change() -> None:
    session = Session().cell("L = [1]\ndef f(): return L")
    subject = session.subject()
    key = subject.key()
    assert subject.standing() is None
    assert key is subject.key()
    cell = Subject.of_cell(ast.parse("x = 1"), session.names, [])
    assert cell.standing() is None
    assert cell.key() is cell.standing()


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        ("[1, 2]", ["v.append(3)", "v.pop()", "v[0] = True", "v.append([1])", "v[-1].append(2)", "v.clear()"]),
        ("{'a': 1}", ["v['a'] = 1.0", "v['b'] = 1", "v['a'] = {}", "v['a']['c'] = 1", "v.pop('b')"]),
        ("[0] * 300", ["v[299] = 1", "v.append(1)", "del v[2:]", "v[0] = 5"]),
        ("[[1], [1]]", ["v[1] = v[0]", "v[0].append(2)"]),
        ("bytearray(b'a')", ["v += b'b'"]),
    ],
)
def test_data_that_changes_in_place_is_seen_each_time(value: str, changes: list[str]) -> None:
    """However it is looked at: plain data in bytes, all else by a walk, from one to the other and back."""
    session = Session().cell(f"v = {value}\nn = [1]").cell("def f(): return v, n")
    subject = session.subject()
    before = subject.key()
    for change in changes:
        for _ in range(3):
            assert before is subject.key()
        session.cell(change)
        after = subject.key()
        assert before.content != after.content
        fresh = session.key()
        assert (fresh.content, dict(fresh.content_parts)) == (after.content, dict(after.content_parts))
        before = after


def test_what_was_put_back_has_its_key_again() -> None:
    session = Session().cell("v = [1]\ndef f(): return v")
    subject = session.subject()
    first = subject.key()
    session.cell("v.append(2)")
    assert first.content != subject.key().content
    session.cell("v.pop()")
    assert first.content == subject.key().content == key_of("v = [1]\ndef f(): return v").content

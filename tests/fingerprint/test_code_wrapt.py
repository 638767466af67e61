"""What wrapt makes of a function counts by that function and by the one that is called in its place.

The real package where it is installed, and a fake of its shape.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import key_of, same

from resonate_nb.fingerprint import fingerprint

IN_PLACE = "def by(g, o, a, k): return g(*a, **k) + {0}"
WRAPPED = "def h(x): return x + {1}\nhelper = wrapt.FunctionWrapper(h, by)"
METHOD = "class C:\n    m = wrapt.FunctionWrapper(lambda self, x: x + {1}, by)"
BODIES = {
    "function": (WRAPPED, "def f(x): return helper(x)"),
    "method": (METHOD, "def f(x): return C().m(x)"),
    "bound method": (METHOD, "bound = C().m\ndef f(x): return bound(x)"),
    "the function itself": (WRAPPED, "f = helper"),
    "an argument": (WRAPPED, "def f(x): return map(helper, x)"),
}


@pytest.fixture(params=["fake", *(["real"] if importlib.util.find_spec("wrapt") else [])], autouse=True)
def wrapt(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "real":
        yield
        return
    folder = tmp_path / "site-packages"
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("fake_wrapt.py"), folder / "wrapt.py")
    before = {found: sys.modules.pop(found) for found in list(sys.modules) if found.partition(".")[0] == "wrapt"}
    monkeypatch.syspath_prepend(str(folder))
    yield
    del sys.modules["wrapt"]
    sys.modules.update(before)


def _cells(case: str, *edits: int) -> list[str]:
    return ["import wrapt", *(cell.format(*edits) for cell in (IN_PLACE, *BODIES[case]))]


@pytest.mark.parametrize("case", BODIES)
def test_an_edit_of_either_function_changes_the_key(case: str) -> None:
    first = key_of(*_cells(case, 1, 1))
    assert (first.undurable, first.unsure) == ((), ())
    assert same(first, key_of(*_cells(case, 1, 1)))
    assert not same(first, key_of(*_cells(case, 2, 1)))
    assert not same(first, key_of(*_cells(case, 1, 2)))
    assert "wrapt" in first.packages


def _by(function: object, owner: object, arguments: object, given: object) -> int:
    return 1


def _by_another(function: object, owner: object, arguments: object, given: object) -> int:
    return 2


def test_as_a_value_it_counts_by_both() -> None:
    make = importlib.import_module("wrapt").FunctionWrapper
    assert fingerprint(make(_cells, _by)) == fingerprint([make(_cells, _by)][0])
    assert fingerprint(make(_cells, _by)) != fingerprint(make(_cells, _by_another))
    assert fingerprint(make(_cells, _by)) != fingerprint(make(wrapt, _by)) != fingerprint(_cells)

"""The Python of a notebook that is imported as a module: what of its cells is code, and that a later edit is said."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import pytest
from sessions import Session

from resonate_nb.fingerprint.code._notebooks import python_of


def notebook(*cells: Any) -> str:
    made = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": ["# def f"]}, *made], "nbformat": 4})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (notebook(["a = 1\n", "b = 2"], "c = 3"), "a = 1\nb = 2\nc = 3\n"),
        (notebook("%matplotlib inline\nif a:\n    !ls\n"), "pass\nif a:\n    pass\n\n"),
        (notebook("a = (1\n% 2)"), "a = (1\n% 2)\n"),
        (notebook("a = ?", "b = 1"), "b = 1\n"),
        (notebook(), ""),
        ("no notebook", ""),
        ("[]", ""),
        ('{"cells": [1]}', ""),
    ],
)
def test_cells_of_code_are_one_text(text: str, expected: str) -> None:
    assert expected == "".join(python_of(text))


def imported(path: Path, filename: str) -> types.ModuleType:
    module = types.ModuleType("other")
    module.__file__ = str(path)
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), filename, "exec"), module.__dict__)
    return module


def test_a_function_of_an_imported_notebook_has_its_tree(tmp_path: Path) -> None:
    path = tmp_path / "other.ipynb"
    keys = []
    for number in (1, 2, 1):
        path.write_text(notebook("x = 0", f"def low(v):\n    return v + {number}", "def g(v): return low(v)"))
        for filename in ("<string>", str(path)):
            session = Session()
            session.names["other"] = imported(path, filename)
            key = session.cell("def f(v): return other.g(v)").key()
            assert key.undurable == ()
            keys.append(key.code)
    assert [True, False, True] == [key == keys[0] for key in keys[::2]]
    assert keys[::2] == keys[1::2]


def test_a_notebook_that_was_edited_after_its_import_is_said(tmp_path: Path) -> None:
    path = tmp_path / "other.ipynb"
    path.write_text(notebook("def g(v): return v + 1"))
    session = Session()
    session.names["other"] = imported(path, str(path))
    path.write_text(notebook("def g(v): return v + 22"))
    (reason,) = session.cell("def f(v): return other.g(v)").key().undurable
    assert "module other was edited on disk after it was imported" in reason

"""Versions of installed packages: what counts, what is passed over, and what is said of it, over sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Notebook, Outcome

pytestmark = pytest.mark.slow

LIB = "site-packages/notalib/__init__.py"
START = "import sys\nsys.path.insert(0, 'site-packages')\n# %%\n"


def session(book: Notebook, version: str, option: str = "", *, body: str = "notalib.f(1)", after: str = "") -> Outcome:
    """One session of a function that uses a package of this version."""
    book.write(LIB, f"__version__ = {version!r}\ndef f(x):\n    return x + 1\n")
    cells = f"import notalib\n@durable({option})\ndef f():\n    ran()\n    return {body}\n# %%\ngot['value'] = f()"
    outcome = book.run(START + cells + after)
    assert [] == outcome.errors, outcome.said
    return outcome


def test_a_patch_is_passed_over_and_said_in_one_line(tmp_path: Path) -> None:
    """The default: major and minor count, and what is passed over is told, once."""
    book = Notebook(tmp_path)
    assert 1 == session(book, "3.1.1").runs
    second = session(book, "3.1.2", after="\nf()")
    assert 0 == second.runs
    line = 'f: notalib 3.1.1 → 3.1.2 since it was computed; passed over because packages="minor"'
    assert 1 == second.said.count(line), second.said
    third = session(book, "3.1.1")
    assert 0 == third.runs
    assert "since it was computed" not in third.said


@pytest.mark.parametrize("option", ["", 'packages="exact"', 'packages="ignore"'])
@pytest.mark.parametrize("body", ["notalib.f(1)", "arg.a"])
def test_why_and_the_details_name_what_is_passed_over(tmp_path: Path, option: str, body: str) -> None:
    """Of a result that no call would get any more nothing is passed over. The package comes with the code, or with an
    argument."""
    book = Notebook(tmp_path)
    cells = (
        f"import notalib, resonate_nb as rnb\nfrom resonate_nb import runtime\n@durable({option})\n"
        f"def f(arg):\n    return {body}\ng = notalib.G() if {body!r} == 'arg.a' else 0\nf(g)\n"
        "first = rnb.search('f*')[-1]\n"
        "found = [runtime.source().detail(first.id).packages, first.why().packages, f.why(g).packages]\n"
        "got['value'] = [list(each) for each in found]"
    )
    said = []
    for version in ("3.1.1", "3.1.2"):
        book.write(
            LIB, f"__version__ = {version!r}\ndef f(x): return x\nclass G:\n    def __init__(self): self.a = 1\n"
        )
        outcome = book.run(START + cells)
        assert [] == outcome.errors, outcome.said
        said.append(outcome.got["value"])
    passed_over = [] if "exact" in option else ["package notalib 3.1.1 → 3.1.2"]
    assert [[[]] * 3, [passed_over] * 3] == said


def test_another_minor_version_runs_and_is_named(tmp_path: Path) -> None:
    """The reason says from which version to which."""
    book = Notebook(tmp_path)
    session(book, "3.0.2")
    second = session(book, "3.1.0")
    assert 1 == second.runs
    assert "f runs: package notalib 3.0 → 3.1" in second.said, second.said


def test_exact_counts_patches(tmp_path: Path) -> None:
    """packages="exact": another patch runs, and says so with the patch."""
    book = Notebook(tmp_path)
    session(book, "3.1.1", 'packages="exact"')
    second = session(book, "3.1.2", 'packages="exact"')
    assert 1 == second.runs
    assert "package notalib 3.1.1 → 3.1.2" in second.said, second.said
    assert 0 == session(book, "3.1.1", 'packages="exact"').runs


def test_ignore_passes_over_everything_and_says_so(tmp_path: Path) -> None:
    """packages="ignore": another minor version hits."""
    book = Notebook(tmp_path)
    session(book, "3.0.2", 'packages="ignore"')
    second = session(book, "4.1.0", 'packages="ignore"')
    assert 0 == second.runs
    assert 'notalib 3.0.2 → 4.1.0 since it was computed; passed over because packages="ignore"' in second.said


@pytest.mark.parametrize(("option", "runs"), [("", 1), ('packages="exact"', 1), ('packages="ignore"', 0)])
def test_functions_of_packages_as_arguments_count_likewise(option: str, runs: int, tmp_path: Path) -> None:
    """The version behind an argument is no more, and no less, than that behind the code."""
    book = Notebook(tmp_path)
    cells = f"import notalib\n@durable({option})\ndef g(how):\n    ran()\n    return how(1)\n# %%\ng(notalib.f)"
    counted = []
    for version in ("3.0.2", "3.1.0"):
        book.write(LIB, f"__version__ = {version!r}\ndef f(x):\n    return x + 1\n")
        counted.append(book.run(START + cells).runs)
    assert [1, runs] == counted


def test_each_promise_knows_its_own_versions(tmp_path: Path) -> None:
    """What was computed with a later patch under the same key is not told of as if it were of the first."""
    book = Notebook(tmp_path)
    cells = "import notalib\n@durable\ndef f(x):\n    ran()\n    return notalib.f(x)\n# %%\n"
    seen = []
    for version, calls in (("3.1.1", "f(1)"), ("3.1.2", "f(2)"), ("3.1.2", "f(2)"), ("3.1.2", "f(2); f(1)")):
        book.write(LIB, f"__version__ = {version!r}\ndef f(x):\n    return x + 1\n")
        outcome = book.run(START + cells + calls)
        seen.append((outcome.runs, outcome.said.count("since it was computed")))
    assert [(1, 0), (1, 0), (0, 0), (0, 1)] == seen


def test_a_fixed_version_drifts_with_another_minor_version(tmp_path: Path) -> None:
    """The user's word covers the code, packages included; the warning says what changed."""
    book = Notebook(tmp_path)
    session(book, "3.0.2", "version=1")
    second = session(book, "3.1.0", "version=1")
    assert 0 == second.runs
    assert "package notalib 3.0 → 3.1" in second.said, second.said


def test_cells_take_the_option(tmp_path: Path) -> None:
    """%%durable --packages, with what is right where it is not."""
    book = Notebook(tmp_path)
    runs = []
    for version, how in (("3.1.1", "exact"), ("3.1.2", "exact"), ("3.1.3", "ignore"), ("4.0.0", "ignore")):
        book.write(LIB, f"__version__ = {version!r}\ndef f(x):\n    return x + 1\n")
        cells = START + "%load_ext resonate_nb\nimport notalib\n# %%\n%%durable one --packages " + how
        outcome = book.run(cells + "\nran()\ny = notalib.f(1)\n# %%\ngot['value'] = y")
        assert [] == outcome.errors, outcome.said
        runs.append(outcome.runs)
    assert [1, 1, 1, 0] == runs
    outcome = book.run("%load_ext resonate_nb\n# %%\n%%durable --packages all\ny = 1")
    assert "--packages takes minor, exact or ignore, not 'all'" in outcome.errors[0][2]


USE = "import notalib\n@durable\ndef f(x):\n    ran()\n    return notalib.f(x)\n# %%\n"
ACCEPT = "from resonate_nb.runtime import accept_packages\n# %%\n"


def use(book: Notebook, version: str, cells: str) -> Outcome:
    """One session of a function of one argument, and of what else is said in it."""
    book.write(LIB, f"__version__ = {version!r}\ndef f(x):\n    return x + 1\n")
    outcome = book.run(START + USE + ACCEPT + cells)
    assert [] == outcome.errors, outcome.said
    return outcome


def test_an_upgrade_is_accepted_for_the_store(tmp_path: Path) -> None:
    """Before and after it is known that it was an upgrade; every process that opens the store afterwards heeds it."""
    book = Notebook(tmp_path)
    assert 1 == use(book, "3.0.2", "f(1)").runs
    accepted = use(book, "3.1.0", "f(2)\ngot['said'] = str(accept_packages())\nf(1)\nf(2)")
    assert "notalib 3.1.0 counts as 3.0.2" == accepted.got["said"]
    # f(2) was computed with 3.1 before that was said, and once more with what it counts as.
    assert 2 == accepted.runs
    later = use(book, "3.1.4", "f(1); f(2); got['said'] = str(accept_packages())")
    assert 0 == later.runs, later.said
    assert "notalib 3.0.2 → 3.1.4 since it was computed; passed over because it was declared equal" in later.said
    # A patch is passed over as it is; declared it also counts where packages="exact".
    assert "notalib 3.1.4 counts as 3.0.2\nnotalib 3.1.0 counts as 3.0.2 (as before)" == later.got["said"]
    undone = use(book, "3.1.0", "got['said'] = str(accept_packages(undo=True)); f(1)")
    assert "notalib 3.1.0 counts as 3.0.2 no more\nnotalib 3.1.4 counts as 3.0.2 no more" == undone.got["said"]
    assert 1 == undone.runs
    assert (
        "nothing was declared equal" == use(book, "3.1.0", "got['said'] = str(accept_packages(undo=True))").got["said"]
    )


def test_what_was_accepted_is_heeded_by_functions_that_have_a_key(tmp_path: Path) -> None:
    """A process that has the store open hears of what another one declares, in all the short ways as well."""
    book = Notebook(tmp_path)
    use(book, "3.0.2", "f(1); f(2)")
    cells = (
        "f(3); f(3)\nimport subprocess, sys\n"
        "code = 'import sys; sys.path.insert(0, \"site-packages\"); import notalib\\n'\n"
        "code += 'from resonate_nb.runtime import accept_packages; print(accept_packages())'\n"
        "got['said'] = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout\n"
        "f(1); f(2)\n"
    )
    outcome = use(book, "3.1.0", cells)
    assert "notalib 3.1.0 counts as 3.0.2\n" == outcome.got["said"]
    assert 1 == outcome.runs


def test_two_upgrades_count_as_the_first(tmp_path: Path) -> None:
    """What counts as something that counts as something else counts as that; another store knows nothing of it."""
    book = Notebook(tmp_path)
    use(book, "3.0.2", "f(1)")
    use(book, "3.1.0", "accept_packages(); f(2)")
    outcome = use(book, "3.2.0", "got['said'] = str(accept_packages()); f(1); f(2)")
    assert "notalib 3.2.0 counts as 3.1.0\nnotalib 3.1.0 counts as 3.0.2 (as before)" == outcome.got["said"]
    assert 0 == outcome.runs
    downgraded = use(book, "3.0.2", "got['said'] = str(accept_packages(['notalib'])); f(1); f(2)")
    assert 0 == downgraded.runs
    assert "counts as 3.0.2 (as before)" in downgraded.got["said"]
    assert "notalib 3.0.2 counts as" not in downgraded.got["said"]
    book.store = tmp_path / "other"
    assert 1 == use(book, "3.2.0", "f(1)").runs
    assert 1 == use(book, "3.1.0", "f(1)").runs


def test_an_unknown_package_is_refused_by_name(tmp_path: Path) -> None:
    """With those that are known."""
    book = Notebook(tmp_path)
    use(book, "3.0.2", "f(1)")
    outcome = book.run("from resonate_nb.runtime import accept_packages\naccept_packages(['pandsa'])")
    assert "'pandsa'; --packages takes those of this store: notalib" in outcome.errors[0][2]


def test_the_magic_declares_lists_and_takes_back(tmp_path: Path) -> None:
    """%durable accept --packages [NAME ...] [--undo]."""
    book = Notebook(tmp_path)
    load = "%load_ext resonate_nb\n# %%\n"
    use(book, "3.0.2", "f(1)")
    accepted = use(book, "3.1.0", f"{load}%durable accept --packages\n# %%\nf(1)")
    assert 0 == accepted.runs
    assert "notalib 3.1.0 counts as 3.0.2\n" in accepted.said
    undone = use(book, "3.1.0", f"{load}%durable accept --packages notalib --undo\n# %%\nf(1)")
    assert 1 == undone.runs
    assert "notalib 3.1.0 counts as 3.0.2 no more\n" in undone.said
    outcome = book.run(f"{load}%durable accept --packages pandsa")
    assert "no result in this store was computed with a package 'pandsa'" in outcome.errors[0][2]


DATA = (
    "__version__ = {version!r}\n"
    "class Frame:\n    def __init__(self, x): self.x = x\n    def total(self): return self.x\n"
)


@pytest.mark.parametrize(
    "cells",
    [
        "@durable\ndef f(t):\n    ran()\n    return t.total()\n# %%\ngot['value'] = f(make())",
        "@durable(id='total')\ndef f(t):\n    ran()\n    return t.total()\n# %%\ngot['value'] = f(make())",
        "@durable\ndef f(t):\n    ran()\n    return t[0]['a'].total()\n# %%\ngot['value'] = f([{'a': make()}])",
        "d = make()\n@durable\ndef f():\n    ran()\n    return d.total()\n# %%\ngot['value'] = f()",
        "d = {'a': [make()]}\n@durable\ndef f():\n    ran()\n    return d['a'][0].total()\n# %%\ngot['value'] = f()",
    ],
    ids=["an argument", "an argument under a template", "deep in an argument", "a global", "deep in a global"],
)
def test_a_package_that_only_the_data_comes_from_counts(tmp_path: Path, cells: str) -> None:
    """`frame.dropna()` uses pandas, though the code names no pandas."""
    book = Notebook(tmp_path)

    def run(version: str) -> Outcome:
        book.write(LIB, DATA.format(version=version))
        outcome = book.run(f"{START}def make():\n    import notalib\n    return notalib.Frame(5)\n# %%\n{cells}")
        assert [] == outcome.errors, outcome.said
        return outcome

    assert 1 == run("3.0.2").runs
    passed_over = run("3.0.3")
    assert 0 == passed_over.runs
    assert 'notalib 3.0.2 → 3.0.3 since it was computed; passed over because packages="minor"' in passed_over.said
    upgraded = run("3.1.0")
    assert (1, 5) == (upgraded.runs, upgraded.got["value"])
    assert "f runs: package notalib 3.0 → 3.1" in upgraded.said, upgraded.said
    assert 0 == run("3.1.1").runs

# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""What a notebook sets inside of installed packages counts where the code asks for it; what they do by themselves does
not. Relatives of traps 4 and 18, over sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trap_sessions import Notebook, Trap, after, f, hit, recompute, spring

pytestmark = pytest.mark.slow

FILES = {
    "site-packages/notalib/__init__.py": (
        "__version__ = '1.0'\n"
        "LIMIT = 1\n"
        "CACHE = {}\n"
        "calls = []\n"
        "LEVELS = {'a': 1}\n"
        "config = {'k': 1, 'other': 1}\n"
        "class Maker:\n"
        "    limit = 1\n"
        "    made = 0\n"
        "    def __init__(self):\n"
        "        Maker.made += 1\n"
        "        self.way = 1\n"
        "settings = Maker()\n"
        "def set_option(name, value): config[name] = value\n"
        "def work(x):\n"
        "    CACHE[x] = CACHE.get(x, 0) + 1\n"
        "    calls.append(x)\n"
        "    return Maker() and x\n"
    )
}
START = "import sys\nsys.path.insert(0, 'site-packages')\nimport notalib\n# %%\n"


def notalib(change: str, body: str, **more: Any) -> Any:
    """A row whose cell changes the package, and whose f asks it."""
    return after(f"{START}{change}", body, files=FILES, values=(1, 2), **more)


CHANGES = {
    "an entry of a table": notalib("notalib.config['k'] = §", "return notalib.config['k']"),
    "an entry that a function of the package sets": notalib("notalib.set_option('k', §)", "return notalib.config.get('k')"),
    "the whole of a table": notalib("notalib.LEVELS['a'] = §", "return sum(notalib.LEVELS.values())"),
    "a new table": notalib("notalib.mine = {'a': §}", "return sum(notalib.mine.values())"),
    "a scalar of a module": notalib("notalib.LIMIT = §", "return notalib.LIMIT"),
    "a scalar of a module that the body imports": notalib("notalib.LIMIT = §", "import notalib\nreturn notalib.LIMIT"),
    "an entry, where the body imports": notalib("notalib.config['k'] = §", "from notalib import config as c\nimport notalib as n\nreturn n.config['k']"),
    "a constant of a class": notalib("notalib.Maker.limit = §", "return notalib.Maker.limit"),
    "a constant of a class, by an object": notalib("from notalib import Maker\nMaker.limit = §\nm = Maker()", "return m.limit"),
    "a constant of a class, by a new object": notalib("notalib.Maker.limit = §", "return notalib.Maker().limit"),
    "an attribute of an object": notalib("notalib.settings.way = §", "return notalib.settings.way"),
    "in a helper": notalib("notalib.config['k'] = §\ndef helper(): return notalib.config['k']", "return helper()"),
    "in a local module": (f"{START}import mymod\nnotalib.config['k'] = §\n# %%\n" + f("return mymod.get()"), "12", (1, 2), {"files": {**FILES, "mymod.py": "import notalib\ndef get(): return notalib.config['k']\n"}}),
    "in a cell": (f"{START}%load_ext resonate_nb\n# %%\nnotalib.config['k'] = §\n# %%\n%%durable\nran()\ny = notalib.config['k']\n# %%\ngot['value'] = y", "12", (1, 2), {"files": FILES}),
    "between two calls": (f"{START}" + f("return notalib.config['k']") + "# %%\nnotalib.config['k'] = 7 + §\n# %%\ngot['value'] = [f(1), f(1)]", "12", ([8, 8], [9, 9]), {"files": FILES}),
    "settings of figures": after("import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = §0", "return int(plt.rcParams['figure.dpi'])", values=(10, 20), preload=("pandas",)),
    "settings of figures, by their name": after("from matplotlib import rcParams\nrcParams['figure.dpi'] = §0", "return int(rcParams['figure.dpi'])", values=(10, 20), preload=("pandas",)),
    "an option of pandas": after("import pandas as pd\npd.set_option('display.precision', §)", "return pd.get_option('display.precision')", values=(1, 2), preload=("pandas",)),
    "an option of pandas, by attributes": after("import pandas as pd\npd.options.display.max_rows = §", "return pd.options.display.max_rows", values=(1, 2), preload=("pandas",)),
    "how numpy prints": after("import numpy as np\nnp.set_printoptions(precision=§)", "return np.get_printoptions()['precision']", values=(1, 2), preload=("pandas",)),
}  # fmt: skip

TRAPS = []
for _number, (_law, (_cells, _turns, _values, _more)) in enumerate(CHANGES.items()):
    # Where f was called before the change as well, the first session runs it twice.
    TRAPS.append(recompute(f"18_{_number + 2}", _law, _cells, _turns, _values, **_more))
TRAPS[list(CHANGES).index("between two calls")] = Trap("18_16", "between two calls", *CHANGES["between two calls"][:1], "122", (2, 1, 0), ([8, 8], [9, 9], [9, 9]), files=FILES)  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_what_is_set_in_a_package_counts(trap: Trap, tmp_path: Path) -> None:
    spring(trap, tmp_path)


HARMLESS = {
    "another entry": (START + "notalib.config['other'] = §\n# %%\n" + f("return notalib.config['k']"), 1, {"files": FILES}),
    "the same in another object": (START + "notalib.config = dict([('k', 1), ('other', 1)])\n# %%\n" + f("return sum(notalib.config.values())"), 2, {"files": FILES}),
    "a cache that grows": (START + f("return notalib.work(x) + len(notalib.CACHE) - len(notalib.CACHE)"), 1, {"files": FILES}),
    "a cache that is asked for what it grows by": (START + f("notalib.work(x)\nreturn notalib.CACHE[1] and notalib.CACHE.get(2, 1)"), 1, {"files": FILES}),
    "a list that grows, and a class that counts": (START + f("return notalib.work(x) + 0 * len(notalib.calls) + 0 * notalib.Maker.made"), 1, {"files": FILES}),
    "a package that the body imports first": ("import sys\nsys.path.insert(0, 'site-packages')\n# %%\n" + f("import notalib\nreturn notalib.config['k'] + notalib.LIMIT + sum(notalib.config.values())"), 4, {"files": FILES}),
    "a body that puts into a table": (START + f("notalib.config['mine'] = x\nnotalib.config.update(more=x)\nreturn x"), 1, {"files": FILES}),
    "constants": ("import numpy as np, signal, string, warnings\n# %%\n" + f("return [np.pi > 3, string.digits[1], int(signal.SIGINT), len(warnings.filters) > -1]"), [True, "1", 2, True], {"preload": ("pandas",)}),
    "settings of figures as they come": ("import matplotlib.pyplot as plt\n# %%\n" + f("plt.close(plt.figure())\nreturn plt.rcParams['lines.linewidth'], len(plt.rcParams['figure.figsize']), len(dict(plt.rcParams)) > 9"), (1.5, 2, True), {"preload": ("pandas",)}),
    "settings of figures, imported in the body": (f("import matplotlib.pyplot as plt\nplt.close(plt.figure())\nreturn plt.rcParams['lines.linewidth'], len(plt.rcParams['figure.figsize'])"), (1.5, 2), {"preload": ("pandas",)}),
    "settings of figures for a while": ("import matplotlib.pyplot as plt\n# %%\n" + f("old = plt.rcParams['figure.dpi']\nplt.rcParams['figure.dpi'] = 7\nplt.rcParams['figure.dpi'] = old\nwith plt.rc_context({'font.size': 3}): return plt.rcParams['font.size']"), 3.0, {"preload": ("pandas",)}),
    "options of pandas as they come": ("import pandas as pd\n# %%\n" + f("with pd.option_context('display.max_rows', 3): return pd.get_option('display.max_rows')"), 3, {"preload": ("pandas",)}),
}  # fmt: skip


@pytest.mark.parametrize("law", HARMLESS)
def test_what_packages_do_by_themselves_costs_no_hit_and_no_line(law: str, tmp_path: Path) -> None:
    cells, value, more = HARMLESS[law]
    trap = hit("18", law, cells + "# %%\ngot['again'] = f(1)", "12", value, **more)
    spring(trap, tmp_path / "runs")
    book = Notebook(tmp_path / "says", trap.preload)
    for name, text in trap.files.items():
        book.write(name, text)
    for turn in range(2):
        said = book.run(trap.filled(trap.cells, turn)).said
        assert "does not see" not in said, said
        assert "in place" not in said, said


def test_the_reason_names_the_entry(tmp_path: Path) -> None:
    book = Notebook(tmp_path)
    book.write(*next(iter(FILES.items())))
    cells = START + "notalib.config['k'] = §\n# %%\n" + f("return notalib.config['k']")
    said = [book.run(cells.replace("§", str(value))).said for value in (1, 2, 3)]
    assert "f runs: now reads `notalib.config['k']`" in said[1], said
    assert "f runs: global `notalib.config['k']`: 2 → 3" in said[2], said


def test_a_body_that_changes_what_it_reads_of_a_package_is_found_out(tmp_path: Path) -> None:
    book = Notebook(tmp_path)
    book.write(*next(iter(FILES.items())))
    outcome = book.run(START + f("n = len(notalib.LEVELS)\nnotalib.LEVELS['more'] = n\nreturn n"))
    assert "changed the global `notalib.LEVELS`" in outcome.said, outcome.said

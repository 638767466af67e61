"""`%%durable` and `%durable` in a real kernel: what a cell bound and showed is back after SIGKILL, or it says why not."""

# ruff: noqa: E501 (cells read best as they are written)

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel import Kernel, Ran

pytestmark = pytest.mark.slow

IMPORTS = "%load_ext resonate_nb\nimport resonate_nb as rnb\nrnb.configure(durability='process')\n"


def started(folder: Path) -> Kernel:
    kernel = Kernel(folder, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(folder / "store")})
    kernel.ok(IMPORTS)
    return kernel


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    with started(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """One kernel for the many cells that need no restart; each test uses names and texts of its own."""
    with started(tmp_path_factory.mktemp("shared")) as found:
        found.ok(
            "import numpy as np, pandas as pd, random, os, warnings\n%matplotlib inline\nimport matplotlib.pyplot as plt"
        )
        yield found


def again(kernel: Kernel, *cells: str) -> None:
    """A fresh kernel over the same store, after SIGKILL, with the first cells run again."""
    kernel.restart()
    kernel.ok(IMPORTS)
    for cell in cells:
        kernel.ok(cell)


def is_mark(output: dict[str, Any]) -> bool:
    return str(output.get("data", {}).get("text/plain", "")).startswith("[replayed · ")


def is_replayed(ran: Ran) -> bool:
    return any(map(is_mark, ran.outputs))


def said(ran: Ran) -> str:
    """Our own lines and warnings."""
    return "\n".join([ran.said, *(line for line in ran.text("stderr").splitlines() if "Durable" in line)]).strip()


def display(ran: Ran) -> list[object]:
    """What a person sees of the cell itself: without our lines and the mark; a last value shown again is a display."""
    seen: list[object] = []
    for output in ran.outputs:
        if is_mark(output) or output.get("metadata") == {"resonate_nb": "line"}:
            continue
        if output["output_type"] == "stream":
            text = "".join(t for t in output["text"].splitlines(True) if not t.startswith("[resonate_nb]"))
            text = re.sub(r"[^\n]*\r(?!\n)", "", text)
            if text:
                seen.append((output["name"], text))
        else:
            seen.append({mime: re.sub("0x[0-9a-f]+", "0x", str(data)) for mime, data in output["data"].items()})
    return seen


PIPELINE = """%%durable train
import json as j, xml.etree.ElementTree
from collections import Counter
import matplotlib.pyplot as plt
import sys
print('fitting', len(df))
print('careful', file=sys.stderr)
total = df['a'] * factor
first = [1, {'k': total}]
second = first
inner = first[1]
for i, c in enumerate('abc'):
    pass
counts = Counter(c)
with open('made.txt', 'w') as f:
    f.write('x')
fig, ax = plt.subplots()
ax.plot(total)
total.sum()
"""

INPUTS = "import pandas as pd\ndf = pd.DataFrame({'a': [1.0, 2.0, 3.0]})\nfactor = 3"


def test_a_cell_comes_back_after_sigkill_with_its_names_and_its_display(kernel: Kernel) -> None:
    kernel.ok("%matplotlib inline\n" + INPUTS)
    live = kernel.ok(PIPELINE)
    assert not is_replayed(live)
    assert live.result == "np.float64(18.0)"
    assert len(live.bundles("image/png")) == 1
    again(kernel, "%matplotlib inline\n" + INPUTS)
    replay = kernel.ok(PIPELINE)
    assert is_replayed(replay)
    assert display(live) == display(replay)
    assert kernel.value("total.tolist(), i, c, dict(counts)") == ([3.0, 6.0, 9.0], 2, "c", {"c": 1})
    assert kernel.value("(first is second, inner is first[1], inner['k'] is total)") == (True, True, True)
    assert kernel.value("(j.dumps([1]), xml.etree.ElementTree.__name__, f.closed)") == (
        "[1]", "xml.etree.ElementTree", True,
    )  # fmt: skip
    assert kernel.value("(type(fig).__name__, len(ax.lines), plt.get_fignums())") == ("Figure", 1, [])
    assert "closed" in kernel.run("f.read()").error[1]  # type: ignore[index]


@pytest.mark.parametrize(
    "edit",
    ["factor = 4", "df.loc[0, 'a'] = 7.0", "df = df.rename(columns={'a': 'a '}).rename(columns={'a ': 'a'}).iloc[:2]"],
)
def test_a_changed_input_runs_the_cell_again(shared: Kernel, edit: str) -> None:
    cell = "%%durable\nchanged = df['a'].sum() * factor\nprint(changed)"
    shared.ok(INPUTS)
    shared.ok(cell)
    assert is_replayed(shared.ok(cell))
    shared.ok(INPUTS + "\n" + edit)
    assert not is_replayed(shared.ok(cell))
    shared.ok(INPUTS)
    assert is_replayed(shared.ok(cell))


def test_comments_and_layout_do_not_count_and_code_does(shared: Kernel) -> None:
    shared.ok("%%durable layout\nlaid = (1 + 2)")
    assert is_replayed(shared.ok("%%durable layout\n# why\n\nlaid = 1 + 2  # so"))
    assert not is_replayed(shared.ok("%%durable layout\nlaid = 1 + 3"))


def test_a_cell_of_durable_calls_is_replayed(shared: Kernel) -> None:
    shared.ok(
        "import asyncio\n@rnb.durable\ndef square(n):\n    return n * n\n@rnb.durable\nasync def cube(n):\n    return n ** 3"
    )
    cell = (
        "%%durable\nsquares = [square(i) for i in range(3)]\ncubes = await asyncio.gather(*(cube(i) for i in range(3)))"
    )
    assert "not replayable" not in said(shared.ok(cell))
    assert is_replayed(shared.ok(cell))
    assert shared.value("squares, cubes") == ([0, 1, 4], [0, 1, 8])


def test_a_helper_in_another_cell_counts(shared: Kernel) -> None:
    cell = "%%durable\nhelped = helper_of_cell(2)"
    shared.ok("def helper_of_cell(n):\n    return n + 1")
    shared.ok(cell)
    assert is_replayed(shared.ok(cell))
    shared.ok("def helper_of_cell(n):\n    return n + 2")
    assert not is_replayed(shared.ok(cell))
    assert shared.value("helped") == 4


DISPLAYS = {
    "clear_output": "from IPython.display import clear_output, display\nprint('a')\nclear_output(wait=True)\nprint('b')",
    "update_display": "from IPython.display import display\nh = display('one', display_id='u1')\nprint('x')\nh.update('two')\nh = 0",
    "text bar": "from tqdm import tqdm\nfor n in tqdm(range(40), bar_format='{n_fmt}/{total_fmt}'):\n    pass",
    "stderr": "import sys\nprint('o')\nprint('e', file=sys.stderr)\nprint('p')",
    "rich": "from IPython.display import HTML\nHTML('<i>x</i>')",
    "frame": "pd.DataFrame({'q': [1, 2]})",
    "quiet": "5;",
    "figure": "plt.plot([1, 2, 3])\nplt.title('t');",
    "two figures": "for k in (1, 2):\n    plt.figure()\n    plt.plot([k])\n    plt.show()",
    "thread": "import threading\nt = threading.Thread(target=print, args=('t',))\nt.start()\nt.join()\nt = None",
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_displays_come_back_as_they_were(shared: Kernel, name: str) -> None:
    cell = f"%%durable display\n'{name}'\n{DISPLAYS[name]}"
    live, replay = shared.ok(cell), shared.ok(cell)
    assert is_replayed(replay), said(live)
    assert display(live) == display(replay)
    if name == "quiet":
        assert display(replay) == []
    else:
        assert display(replay)


def test_no_replay_binds_and_does_not_show(shared: Kernel) -> None:
    shared.ok("%%durable hush\nhushed = 3\nprint('loud')")
    shared.ok("del hushed")
    ran = shared.ok("%%durable hush --no-replay\nhushed = 3\nprint('loud')")
    assert is_replayed(ran)
    assert display(ran) == []
    assert shared.value("hushed") == 3


def test_rerun_runs_the_next_generation_and_keeps_the_last(shared: Kernel) -> None:
    cell = "%%durable twice{}\nimport time\nstamped = time.time_ns()"
    shared.ok(cell.format(""))
    first = shared.value("stamped")
    shared.ok(cell.format(" --rerun"))
    second = shared.value("stamped")
    assert second > first
    assert is_replayed(shared.ok(cell.format("")))
    assert shared.value("stamped") == second
    assert shared.value("sorted(h.id[-2:] for h in rnb.search('twice/*'))[-1]") == "~2"


def test_a_store_that_takes_nothing_is_said_in_one_line(kernel: Kernel) -> None:
    kernel.ok("%%durable kept\nhere = 1")
    kernel.ok("import resource\nlimit = resource.getrlimit(resource.RLIMIT_FSIZE)")
    kernel.ok("resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))")
    refused = kernel.run("%durable rerun kept")
    kernel.ok("resource.setrlimit(resource.RLIMIT_FSIZE, limit)")
    assert ("error", None) == (refused.status, refused.error)
    (line,) = [line for line in refused.text("stderr").splitlines() if "UsageError" in line]
    assert line.startswith("UsageError: the store '")


def test_a_fixed_version_stands_for_the_code_and_data_still_counts(shared: Kernel) -> None:
    shared.ok("base_v = 1")
    shared.ok("%%durable fixed --version 2\nversioned = base_v")
    assert is_replayed(shared.ok("%%durable fixed --version 2\nversioned = base_v + 0"))
    shared.ok("base_v = 5")
    assert not is_replayed(shared.ok("%%durable fixed --version 2\nversioned = base_v"))


def test_ignored_names_do_not_count(shared: Kernel) -> None:
    shared.ok("import threading\nlock_i = threading.Lock()\nnumber_i = 1")
    cell = "%%durable ignoring --ignore lock_i\nwith lock_i:\n    under = number_i\nunder = number_i + 1"
    shared.ok(cell)
    assert is_replayed(shared.ok(cell))


def test_a_name_that_is_ignored_and_not_read_is_said_once(shared: Kernel) -> None:
    shared.ok("rate_i = 2\ndef rated_i(x):\n    return x * rate_i")
    cell = "%%durable rated --ignore rate rate_i\nrated = rated_i(3)"
    (line,) = [line for line in shared.ok(cell).said.splitlines() if "--ignore" in line]
    assert "cell `rated`: --ignore names `rate`, which it does not read, so nothing is left out for it" in line
    assert "--ignore names" not in shared.ok(cell).said


# -- not replayed, and said ------------------------------------------------------------------------------------------

REASONS = [
    ("x = [1]", "x.append(2)", "changed `x` (line 2) in place"),
    ("df = pd.DataFrame({'a': [1]})", "1\ndf['b'] = 2", "changed `df` (line 3) in place"),
    ("arr = np.arange(4)", "arr[0] = 9\ns = int(arr.sum())", "changed `arr` (line 2) in place"),
    ("x = [1]\ndef grow(v):\n    v.append(2)", "grow(x)", "changed `x` (line 2) in place"),
    (
        "class Counted:\n    n = 0\n    def __init__(self):\n        type(self).n += 1",
        "one = Counted()",
        "changed `Counted.n` (line 2)",
    ),
    ("x = [1]", "y = x", "bound `y` (line 2), which is `x` itself"),
    ("x = {'k': [1]}", "y = {'in': x['k']}", "bound `y` (line 2), which shares a list with `x`"),
    ("df = pd.DataFrame({'a': [1]})", "e = df", "bound `e` (line 2), which is `df` itself"),
    ("arr = np.arange(4)", "v = arr[1:]", "bound `v` (line 2), which shares memory with `arr`"),
    ("arr = np.arange(4)", "v = [arr[::2]]", "bound `v` (line 2), which shares memory with `arr`"),
    ("df = pd.DataFrame({'a': [1.0]})", "v = df['a'].to_numpy()", "bound `v` (line 2), which shares memory with `df`"),
    ("", "p = np.arange(4)\nq = p[1:]", "bound `q` (line 3), which shares memory with `p`"),
    ("", "g = (i for i in range(3))", "bound `g` (line 2), which cannot be stored: a generator"),
    ("", "ok = 1\nopened = {'f': open('o.txt', 'w')}", "bound `opened` (line 3), which cannot be stored"),
    ("", "a = 1\ndef f():\n    return 1", "bound the function `f` (line 3) (put definitions in a cell of their own)"),
    ("", "class K:\n    pass", "bound the class `K` (line 2) (put definitions in a cell of their own)"),
    ("", "sq = lambda v: v * v", "bound the function `sq` (line 2)"),
    ("", "table = {'sq': lambda v: v * v}", "bound `table` (line 2), which holds a function made by this cell"),
    ("", "os.environ['RNB_T'] = '1'", "changed environment variables (line 2)"),
    ("", "os.chdir('/')\nos.chdir('..')\nos.makedirs('/tmp', exist_ok=True); os.chdir('/tmp')", "changed the working directory"),
    ("", "import sys\nsys.path.append('/nowhere')", "changed `sys.path` (line 3)"),
    ("", "warnings.filterwarnings('ignore', category=ImportWarning)", "changed the warnings filters (line 2)"),
    ("", "plt.style.use('ggplot')", "changed matplotlib's rcParams (line 2)"),
    ("", "pd.set_option('display.precision', 3)", "changed pandas' options (line 2)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "body", "reason"), REASONS, ids=[reason[2] + str(i) for i, reason in enumerate(REASONS)]
)
def test_what_a_replay_could_not_repeat_is_said_with_name_and_line(
    shared: Kernel, before: str, body: str, reason: str
) -> None:
    home = shared.value("os.getcwd()")
    shared.ok(before or "0")
    try:
        first = shared.ok(f"%%durable\n{body}")
        assert reason in said(first)
        assert "is not replayable: it " in said(first)
        shared.ok(before or "0")
        assert not is_replayed(shared.ok(f"%%durable\n{body}"))
    finally:
        shared.ok(f"os.chdir({home!r}); plt.rcdefaults(); pd.reset_option('display.precision')")


PLAIN = [
    ("!echo hi", "it uses `!echo hi` (line 2)", "hi"),
    ("print('a')\n%time q = 1", "it uses `%time q = 1` (line 3)", "a"),
    ("1\nprint(In[-1][:3])", "it reads `In` (line 3)", "get"),
    ("exec('print(1 + 6)')", "uses `exec()`", "7"),
]


@pytest.mark.parametrize(("body", "reason", "shown"), PLAIN, ids=[reason for _, reason, _ in PLAIN])
def test_what_the_key_cannot_see_runs_plainly_and_says_so(shared: Kernel, body: str, reason: str, shown: str) -> None:
    before = shared.value("len(rnb.search())")
    first = shared.ok(f"%%durable\n{body}")
    assert reason in said(first)
    assert "runs plainly, not durably" in said(first)
    second = shared.ok(f"%%durable\n{body}")
    assert not is_replayed(second)
    assert shown in second.text()
    assert "runs plainly" not in said(second)  # once is enough
    assert shared.value("len(rnb.search())") == before


@pytest.mark.parametrize(
    ("body", "reason"), [("!true", "it uses `!true` (line 2)"), ("exec('1')", "uses `exec()`")], ids=str
)
def test_a_cell_that_runs_plainly_says_which_of_its_options_do_not_hold(shared: Kernel, body: str, reason: str) -> None:
    """Somebody counts on them."""
    told = said(shared.ok(f"%%durable --retries 2 --timeout 1h\n{body}"))
    assert f"runs plainly, not durably, and without its --retries and --timeout: {reason}" in told


def test_sharing_that_copy_on_write_guards_does_not_count(shared: Kernel) -> None:
    shared.ok("cow = pd.DataFrame({'a': [1.0, 2.0], 'b': ['x', 'y']})")
    cell = (
        "%%durable\npart = cow[['a']]\ncolumn = cow['b']\nwider = cow.assign(c=1)\nsame_index = wider.copy(deep=False)"
    )
    first = shared.ok(cell)
    assert said(first) == "" or "not replayable" not in said(first)
    assert is_replayed(shared.ok(cell))


def test_names_that_may_be_bound(shared: Kernel) -> None:
    """`if flag: mode = 9` not taken must not bring an old `mode` back, and taken over an equal one must count."""
    cell = "%%durable maybe\nif flag_m:\n    mode_m = 9"
    shared.ok("flag_m = False; mode_m = 3")
    shared.ok(cell)
    assert is_replayed(shared.ok(cell))
    shared.ok("mode_m = 5")
    shared.ok(cell)
    assert shared.value("mode_m") == 5
    shared.ok("flag_m = True; mode_m = 9")
    shared.ok(cell)
    shared.ok("mode_m = 5")
    shared.ok(cell)
    assert shared.value("mode_m") == 9
    shared.ok("%%durable sure\nsure_m = 5")
    shared.ok("%%durable sure --rerun\nsure_m = 5")
    shared.ok("sure_m = 6")
    assert is_replayed(shared.ok("%%durable sure\nsure_m = 5"))
    assert shared.value("sure_m") == 5


@pytest.mark.parametrize(
    ("before", "body", "after", "expected"),
    [
        ("gone = 1", "del gone\nleft = 1", "('gone' in globals(), left)", (False, 1)),
        ("e = 'kept'", "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    caught = str(e)", "('e' in globals(), caught)", (False, "division by zero")),
        ("", "[q_w := n for n in range(3)]", "q_w", 2),
        ("", "match [1, 2]:\n    case [m_a, *m_b]:\n        pass", "(m_a, m_b)", (1, [2])),
        ("", "from math import *\nroot = sqrt(16)", "(root, floor(2.5))", (4.0, 2)),
        ("", "try:\n    import not_there_at_all as jj\nexcept ImportError:\n    import json as jj", "jj.dumps(1)", "1"),
        ("", "mod_alias = np", "mod_alias.int8(3).item()", 3),
        ("", "mixed: int = 4\nother, *rest = 'abc'", "(mixed, other, rest)", (4, "a", ["b", "c"])),
        ("class Kept:\n    def get(self):\n        return self.v", "k_i = Kept()\nk_i.v = 5", "(k_i.get(), type(k_i) is Kept)", (5, True)),
    ],
)  # fmt: skip
def test_every_way_to_bind(shared: Kernel, before: str, body: str, after: str, expected: object) -> None:
    shared.ok(before or "0")
    first = shared.ok(f"%%durable\n{body}")
    assert shared.value(after) == expected
    for _ in range(2):  # where a star import's own names were unbound at first, the second run is a new key
        shared.ok(before or "0")
        second = shared.ok(f"%%durable\n{body}")
    assert is_replayed(second), said(first)
    assert shared.value(after) == expected


# -- await, errors, owners ---------------------------------------------------------------------------------------------


def test_top_level_await(kernel: Kernel) -> None:
    cell = "%%durable waiting\nimport asyncio\nawait asyncio.sleep(0.01)\nprint('slept')\nwoken = [1]\nwoken"
    live = kernel.ok(cell)
    again(kernel)
    replay = kernel.ok(cell)
    assert is_replayed(replay)
    assert display(live) == display(replay)
    assert kernel.value("woken") == [1]
    refused = kernel.run(f"get_ipython().run_cell_magic('durable', '', {cell[17:]!r})")
    assert "as a cell of its own" in refused.text("stderr")
    failing = kernel.run("%%durable failing\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0")
    assert failing.error == ("ZeroDivisionError", "division by zero")
    assert kernel.value("[str(h.state) for h in rnb.search('failing/*')]") == ["rejected"]


def test_a_raising_cell_leaves_what_python_leaves(shared: Kernel) -> None:
    cell = "%%durable broken\nprint('begun')\nhalf = 1\nraise KeyError('gone')\nhalf = 2"
    for _ in range(2):
        shared.ok("half = 0")
        ran = shared.run(cell)
        assert ran.error == ("KeyError", "'gone'")
        assert ran.text() == "begun\n"
        assert shared.value("half") == 1
    assert shared.value("[str(h.state) for h in rnb.search('broken/*')]") == ["rejected", "rejected"]
    shown = shared.ok("%durable show broken").bundles()[0]
    assert "KeyError" in shown
    assert "begun" in shown


@pytest.mark.parametrize("first", ["divisor = 0", "import asyncio; divisor = await asyncio.sleep(0, 0)"])
def test_a_traceback_shows_the_cell_and_nothing_of_ours(shared: Kernel, first: str) -> None:
    ran = shared.run(f"%%durable\n{first}\nquotient = 1 / divisor")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", ran.traceback)
    assert "line 3" in plain
    assert "quotient = 1 / divisor" in plain
    assert not re.search("resonate_nb/|run_cell_magic|interactiveshell", plain)
    wrong = shared.run("%%durable\nfine = 1\nwrong = = 2")
    assert wrong.error is not None
    assert wrong.error[0] == "SyntaxError"
    assert "line 3" in re.sub(r"\x1b\[[0-9;]*m", "", wrong.traceback)


def test_what_a_cell_defines_has_source(shared: Kernel) -> None:
    shared.ok("%%durable\ndef sourced():\n    return 'here'")
    assert "return 'here'" in shared.ok("import inspect\nprint(inspect.getsource(sourced))").text()


def test_an_interrupted_cell_gives_its_task_back(kernel: Kernel, tmp_path: Path) -> None:
    cell = "%%durable long\nimport time, pathlib\npathlib.Path('begun').touch()\nwhile pathlib.Path('hold').exists(): time.sleep(.01)\ndone = 1"
    (tmp_path / "hold").touch()
    request = kernel.submit(cell)
    kernel.wait_for(tmp_path / "begun")
    kernel.interrupt()
    stopped = kernel.collect(request)
    assert stopped.error == ("KeyboardInterrupt", "")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stopped.traceback)
    assert "Cell In[" in plain
    assert [] == [hidden for hidden in ("resonate_nb/", "run_cell_magic", "skipping") if hidden in plain]
    (tmp_path / "hold").unlink()
    ran = kernel.ok(cell)
    assert "attempt 2" in said(ran)
    assert kernel.value("done") == 1


def test_an_interrupted_await_gives_its_task_back(kernel: Kernel, tmp_path: Path) -> None:
    cell = "%%durable awaiting\nimport asyncio, pathlib\npathlib.Path('begun').touch()\nwhile pathlib.Path('hold').exists(): await asyncio.sleep(.01)\ndone = 1"
    (tmp_path / "hold").touch()
    request = kernel.submit(cell)
    kernel.wait_for(tmp_path / "begun")
    kernel.interrupt()
    ran = kernel.collect(request)
    assert ran.status == "error"
    (tmp_path / "hold").unlink()
    assert "attempt 2" in said(kernel.ok(cell))
    assert kernel.value("done") == 1


def test_a_cell_killed_in_its_middle_is_taken_over(kernel: Kernel, tmp_path: Path) -> None:
    cell = "%%durable mid\nimport time, pathlib\npathlib.Path('begun').touch()\nwhile pathlib.Path('hold').exists(): time.sleep(.01)\nmid = 1"
    (tmp_path / "hold").touch()
    kernel.submit(cell)
    kernel.wait_for(tmp_path / "begun")
    again(kernel)
    (tmp_path / "hold").unlink()
    assert "attempt 2, taken over after owner" in said(kernel.ok(cell))
    assert is_replayed(kernel.ok(cell))


def test_two_kernels_run_one_cell_once(kernel: Kernel, tmp_path: Path) -> None:
    cell = (
        "%%durable once\nimport time, pathlib\npathlib.Path('begun').touch()\nwith open('log.txt', 'a') as log:\n    log.write('x')\n"
        "while pathlib.Path('hold').exists(): time.sleep(.01)\nshared_value = {'a': [1]}\nprint('computed')"
    )  # fmt: skip
    (tmp_path / "hold").touch()
    with started(tmp_path) as other:
        first = kernel.submit(cell)
        kernel.wait_for(tmp_path / "begun")
        second = other.submit(cell)
        # The waiter says on whom it waits after a second; only then is the body let go.
        assert "waiting for" in _wait_for_text(other, second, "waiting for")
        (tmp_path / "hold").unlink()
        assert kernel.collect(first).status == "ok"
        waited = other.collect(second)
        assert waited.status == "ok"
        assert waited.text() == "computed\n"
        assert other.value("shared_value") == {"a": [1]}
        assert (tmp_path / "log.txt").read_text() == "x"


def _wait_for_text(kernel: Kernel, request: str, text: str) -> str:
    seen = ""
    while text not in seen:
        message = kernel._client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") == request and message["msg_type"] == "display_data":
            seen += message["content"]["data"]["text/plain"]
    return seen


# -- how we speak ------------------------------------------------------------------------------------------------------


FIRST = "import os\nfrom resonate_nb import durable\n@durable\ndef f(x): return x * §\nf(1)"


def test_a_line_is_a_small_display_that_no_stream_holds(kernel: Kernel) -> None:
    """Pages paint stderr like an error, and what is printed may be somebody's data."""
    kernel.ok(FIRST.replace("§", "1").removesuffix("f(1)"))
    ran = kernel.ok("import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as heard: f(1)")
    assert "[resonate_nb] store: " in ran.said
    assert ("", "") == (ran.text(), ran.text("stderr"))
    assert [True] == ['class="rnb-line"' in html for html in ran.bundles("text/html")]
    assert kernel.value("heard.getvalue()") == ""


def test_without_the_extension_and_in_a_forked_child_a_line_goes_to_stderr(kernel: Kernel) -> None:
    kernel.ok(FIRST.replace("§", "1"))
    forked = kernel.ok(
        FIRST.replace("§", "2").removesuffix("f(1)")
        + "if (child := os.fork()) == 0:\n    try:\n        f(1)\n    finally:\n        os._exit(0)\nos.waitpid(child, 0)[1]"
    )
    assert forked.result == "0"
    kernel.ok("%unload_ext resonate_nb")
    assert "code of `f`" in kernel.ok(FIRST.replace("§", "3")).text("stderr")
    kernel.ok("%load_ext resonate_nb")
    assert kernel.ok(FIRST.replace("§", "4")).text("stderr") == ""


# -- what is refused, and the line magic -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--tries 3", "unrecognized arguments: --tries; use %%durable [LABEL]"),
        ("one two", "unrecognized arguments: two; a label of several words stands in quotes; use %%durable [LABEL]"),
        ("--re", "unrecognized arguments: --re"),
        ("--version", "expected one argument"),
        ("a:b", "label 'a:b' holds the character ':'"),
        ("a@b", "holds the character '@'"),
        ("a~2", "holds the character '~'"),
        ("'a\tb'", "holds the character '\\t'"),
        ("ok --version 1@2", "--version '1@2' holds the character '@'"),
        ("ok --packages exct", "--packages takes minor, exact or ignore, not 'exct'"),
        ("ok --env A=B", "--env takes names of environment variables, such as MODE, not 'A=B'"),
        ("ok --ignore 3x", "--ignore takes names of variables, not '3x'"),
        ("'open", "cannot be read"),
    ],
)
def test_wrong_options_are_refused_before_anything_runs(shared: Kernel, line: str, message: str) -> None:
    ran = shared.run(f"%%durable {line}\nprint('ran')")
    assert ran.status == "error"
    assert message in ran.text("stderr")
    assert ran.text() == ""


def test_the_line_magic(kernel: Kernel) -> None:
    assert "no store here yet" in kernel.ok("%durable ls").bundles()[0]
    kernel.ok("%%durable alpha\nprint('out of alpha')\na_1 = 1")
    kernel.ok("%%durable beta\nb_1 = 2")
    listed = kernel.ok("%durable ls")
    assert {"alpha/", "beta/"} <= set(re.findall(r"(?:alpha|beta)/", listed.bundles()[0]))
    assert "<table" in listed.bundles("text/html")[0]
    assert "beta/" not in kernel.ok("%durable ls alpha*").bundles()[0]
    assert "no promise matches 'gamma*'" in kernel.ok("%durable ls gamma*").bundles()[0]
    id = kernel.value("rnb.search('alpha*')[0].id")
    for word in (id, "alpha"):
        shown = kernel.ok(f"%durable show {word}")
        assert id in shown.bundles()[0]
        assert "out of alpha" in shown.bundles()[0]
    assert f"marked {id}" in kernel.ok("%durable rerun alpha").text()
    assert not is_replayed(kernel.ok("%%durable alpha\nprint('out of alpha')\na_1 = 1"))
    assert "forgot 2 promises" in kernel.ok("%durable forget alpha/*").text()
    assert "alpha" not in kernel.ok("%durable ls").bundles()[0]
    for wrong, message in [
        ("%durable", "needs to know what to do; use %durable ls"),
        ("%durable list", "%durable list is unknown; use %durable ls"),
        ("%durable show", "use %durable show ID"),
        ("%durable show nothing", "there is no promise 'nothing'"),
        ("%durable forget beta", "'beta' is a name, not an id; for all of its promises use %durable forget \"beta/*\""),
        ("%durable rerun nothing", "there is no promise 'nothing'"),
        ("%durable forget nothing", "there is no promise 'nothing'"),
        ("%durable ls --state done", "state 'done' is unknown; use one of pending"),
        ("%durable inspect one two", "takes one GLOB at most"),
        ("%durable ls --limit many", "invalid int value: 'many'"),
    ]:
        ran = kernel.run(wrong)
        assert ran.status == "error", wrong
        assert message in ran.text("stderr"), wrong


def test_check_says_that_a_store_is_sound_or_what_is_not(kernel: Kernel, tmp_path: Path) -> None:
    assert "there is no store here yet" in kernel.ok("%durable check").bundles()[0]
    kernel.ok("%%durable large\nlarge = 'x' * 100_000")
    assert kernel.ok("%durable check").bundles()[0].startswith("sound: 1 promise, 1 value file, ")
    (file,) = (tmp_path / "store" / "values").iterdir()
    file.write_bytes(b"half")
    found = kernel.ok("%durable check")
    assert "damaged value file: large/" in found.bundles()[0]
    assert "<td>damaged value file</td>" in found.bundles("text/html")[0]
    assert "counts as not stored; the file is kept in" in kernel.ok("%durable check --repair").bundles()[0]
    assert kernel.ok("%durable check").bundles()[0].startswith("sound: ")
    assert "use %durable check [--repair]" in kernel.run("%durable check --mend").text("stderr")


def test_loading_twice_and_unloading(kernel: Kernel) -> None:
    kernel.ok("%load_ext resonate_nb\n%reload_ext resonate_nb\nrnb.load_ipython_extension(get_ipython())")
    count = "sum(type(t).__name__ == '_AwaitTransformer' for t in get_ipython().input_transformers_cleanup)"
    assert kernel.value(count) == 1
    kernel.ok("%%durable\nloaded = 1")
    kernel.ok("%unload_ext resonate_nb")
    assert kernel.value(count) == 0
    assert "not found" in kernel.run("%%durable\nloaded = 1").text("stderr")
    assert "not found" in kernel.run("%durable ls").text("stderr")
    kernel.ok("%load_ext resonate_nb")
    assert is_replayed(kernel.ok("%%durable\nloaded = 1"))


def test_what_a_cell_brought_back_is_shown_by_its_names(kernel: Kernel) -> None:
    kernel.ok("old = 1")
    kernel.ok("%%durable made\nimport json, pandas as pd\nframe = pd.DataFrame({'a': [1, 2]})\ntotal = 3\ndel old")
    shown = kernel.ok("%durable show made").bundles()[0]
    assert "frame = DataFrame 2 x 1\n" in re.sub("\n +", "\n", shown)
    assert "total = 3\nimport json\nimport pandas as pd\ndel old" in re.sub("\n +", "\n", shown)
    assert "conditions" not in shown


def test_a_promise_of_a_function_is_no_cell(kernel: Kernel) -> None:
    """A label may be a function's name, even under one fixed version: neither ever gets the other's answer."""
    kernel.ok("@rnb.durable(version=1)\ndef both():\n    return {'names': 1}\nboth()")
    ran = kernel.ok("%%durable both --version 1\nown = 2")
    assert "changed" not in said(ran)
    assert kernel.value("own") == 2
    assert kernel.value("both()") == {"names": 1}


def test_help_and_the_inspector(kernel: Kernel) -> None:
    kernel.ok("%%durable seen\nseen = 1")
    shown = kernel.ok("%durable inspect")
    assert "seen/" in "".join(shown.bundles("text/html"))
    assert "seen/" not in "".join(kernel.ok("%durable inspect other*").bundles("text/html"))
    payload = kernel.ok("help(get_ipython().magics_manager.magics['cell']['durable'])").text()
    assert " %%durable [--version V]" in payload
    assert "--no-replay" in payload
    assert "names that the cell reads and that do not count" in re.sub(r"\s+", " ", payload)


def test_a_helper_that_stores_into_a_global(shared: Kernel) -> None:
    shared.ok("counter_g = 0\ndef bump_g():\n    global counter_g\n    counter_g += 1")
    for expected in (1, 2):
        ran = shared.ok("%%durable\nbump_g()")
        assert not is_replayed(ran)
        assert shared.value("counter_g") == expected


def test_switched_off_runs_as_without_us(kernel: Kernel, tmp_path: Path) -> None:
    kernel.ok("rnb.configure(enabled=False)")
    for _ in range(2):
        ran = kernel.ok("%%durable off\nprint('runs')\nv = 1\nv")
        assert ran.text() == "runs\n"
        assert ran.result == "1"
    assert said(kernel.ok("%%durable\n!true")) == ""
    assert "no store here yet" in kernel.ok("%durable ls").bundles()[0]
    kernel.ok("rnb.inspect()")
    assert not (tmp_path / "store").exists()
    assert "holds the character" in kernel.run("%%durable a:b\n1").text("stderr")


def test_switched_off_an_existing_store_is_served(kernel: Kernel) -> None:
    kernel.ok("%%durable made\nmade = 1")
    kernel.ok("os = __import__('os'); os.environ['RESONATE_NB'] = 'off'")
    assert not is_replayed(kernel.ok("%%durable made\nmade = 1"))
    assert "made/" in kernel.ok("%durable ls").bundles()[0]
    assert "made/" in kernel.ok("%durable show made").bundles()[0]
    assert "made/" in kernel.ok("rnb.inspect()").bundles()[-1]
    assert "forgot 1 promise" in kernel.ok("%durable forget made/*").text()


@pytest.mark.parametrize("first", ["a = 1", "import asyncio; a = await asyncio.sleep(0, 1)"])
def test_a_warning_about_a_cell_names_the_cell_and_no_line_of_ipython(kernel: Kernel, first: str) -> None:
    kernel.ok(f"%%durable drifts --version 1\n{first}")
    warned = kernel.ok(f"%%durable drifts --version 1\n{first}\nb = 2").text("stderr")
    assert warned.startswith("resonate_nb:1: DurableWarning: cell `drifts`: its code has changed since version '1'")
    assert "interactiveshell" not in warned
    assert "awaited" not in warned

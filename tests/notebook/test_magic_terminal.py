"""`%%durable` in plain IPython, in this process: the same without a kernel, and what is hard to arrange in one."""

from __future__ import annotations

import contextlib
import io
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from resonate_nb.notebook import load_ipython_extension
from resonate_nb.notebook._bindings import bind
from resonate_nb.runtime import configure


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    monkeypatch.setenv("RESONATE_NB_KEY", "tests")
    configure(store=tmp_path / "store", durability="process")
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    caplog.set_level("INFO", logger="resonate_nb")
    load_ipython_extension(shell)
    monkeypatch.setattr(sys, "displayhook", sys.displayhook)
    yield shell
    InteractiveShell.clear_instance()


def run(shell: Any, cell: str) -> str:
    """Run a cell that must not fail; what it printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        result = shell.run_cell(cell)
    if result.error_before_exec or result.error_in_exec:
        raise AssertionError(out.getvalue()) from (result.error_before_exec or result.error_in_exec)
    return out.getvalue()


CELL = """%%durable terminal
from IPython.display import display
print('a')
display('shown')
kept = [1, 2]
alias = kept
kept
"""


def test_a_cell_comes_back(shell: Any) -> None:
    first = run(shell, CELL)
    assert re.search(r"a\n'shown'\nOut\[\d+\]: \[1, 2\]", first)
    for name in ("kept", "alias"):
        del shell.user_ns[name]
    second = run(shell, CELL)
    mark, *rest = second.splitlines()
    assert re.fullmatch(r"\[replayed · .* saved\]", mark)
    assert rest == ["a", "'shown'", "[1, 2]"]
    assert shell.user_ns["kept"] == [1, 2]
    assert shell.user_ns["kept"] is shell.user_ns["alias"]


def test_top_level_await(shell: Any) -> None:
    cell = "%%durable\nimport asyncio\nawait asyncio.sleep(0)\nslept = 1"
    run(shell, cell)
    del shell.user_ns["slept"]
    assert "[replayed" in run(shell, cell)
    assert shell.user_ns["slept"] == 1


def test_last_values_follow_the_shell_s_own_rules(shell: Any) -> None:
    shell.ast_node_interactivity = "last_expr_or_assign"
    assert "Out" in run(shell, "%%durable\nassigned = 5")
    assert "Out" not in run(shell, "%%durable\nassigned = 6;")
    shell.ast_node_interactivity = "all"
    assert re.search(r"11(.|\n)*22", run(shell, "%%durable\n11\n22"))
    shell.ast_node_interactivity = "none"
    assert "33" not in run(shell, "%%durable\n33")


@pytest.mark.slow
def test_an_import_that_fails_on_replay_runs_the_cell(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All or none: where the imports cannot be repeated, no name of the cell comes back by itself."""
    (tmp_path / "rnb_fleeting.py").write_text("here = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    cell = "%%durable\nfrom rnb_fleeting import here\nwith_it = [1]"
    run(shell, cell)
    for name in ("here", "with_it"):
        del shell.user_ns[name]
    (tmp_path / "rnb_fleeting.py").unlink()
    monkeypatch.delitem(sys.modules, "rnb_fleeting")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        result = shell.run_cell(cell)
    assert isinstance(result.error_in_exec, ImportError)
    assert "its imports cannot be repeated (ModuleNotFoundError" in caplog.text
    assert "with_it" not in shell.user_ns


def test_an_interrupt_while_names_come_back_waits_for_the_last_one(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step: whoever presses stop in the middle finds all names bound, then the interrupt."""
    bundle = {"names": {"one": 1, "two": 2}, "imports": ["import json as jj"], "deletes": ["old"], "conditions": {}}
    shell.user_ns["old"] = 0
    push = shell.push

    def interrupted_push(names: dict[str, object]) -> None:
        push({"one": names["one"]})
        signal.raise_signal(signal.SIGINT)
        push(names)

    monkeypatch.setattr(shell, "push", interrupted_push)
    with pytest.raises(KeyboardInterrupt):
        bind(shell, bundle)
    assert (shell.user_ns["one"], shell.user_ns["two"]) == (1, 2)
    assert "jj" in shell.user_ns
    assert "old" not in shell.user_ns


def test_a_name_that_may_be_bound_and_cannot_be_compared(shell: Any, caplog: pytest.LogCaptureFixture) -> None:
    shell.user_ns["flag"] = True
    shell.user_ns["maybe"] = iter([1])
    run(shell, "%%durable\nif not flag:\n    maybe = 1")
    assert "may have bound `maybe` (line 3), which was there before and cannot be compared" in caplog.text


@pytest.mark.slow
def test_many_names_and_large_values_come_back_equal(shell: Any) -> None:
    run(shell, "import numpy as np, pandas as pd")
    cell = (
        "%%durable\nbig = np.arange(50_000.)\nframe = pd.DataFrame({'a': big, 'b': ['x'] * 50_000})\n"
        "many = {f'k{i}': [i] for i in range(3000)}\npair = (many, many)"
    )
    run(shell, cell)
    before = {name: shell.user_ns.pop(name) for name in ("big", "frame", "many", "pair")}
    assert "[replayed" in run(shell, cell)
    after = shell.user_ns
    assert (after["big"] == before["big"]).all()
    assert after["frame"].equals(before["frame"])
    assert after["many"] == before["many"]
    assert after["pair"][0] is after["pair"][1] is after["many"]


MADE = """
from resonate_nb import durable
@durable(tags={'team': 'growth'}, id='{x}', version=1)
def made(x):
    return x // (x - 3)
for number in range(7):
    try:
        made(number)
    except ZeroDivisionError:
        pass
"""


def test_a_listing_shows_the_newest_and_counts_the_rest(shell: Any) -> None:
    run(shell, MADE)
    listed = run(shell, "%durable ls --limit 2").splitlines()
    assert listed[:2] == ["7 promises: 1 rejected, 6 resolved", "the newest 2 of them; --limit shows more"]
    assert ["6@1", "5@1"] == [line.split()[2] for line in listed[2:]]
    oldest = run(shell, "%durable ls --limit 2 --order oldest").splitlines()
    assert ["0@1", "1@1"] == [line.split()[2] for line in oldest[2:]]
    everything = run(shell, "%durable ls --limit 7").splitlines()
    assert everything[0] == "7 promises: 1 rejected, 6 resolved"
    assert "3@1" in everything[1]  # failures on top
    assert len(everything) == 8


def test_a_function_s_name_means_its_newest_promise(shell: Any) -> None:
    """Whatever its ids look like."""
    run(shell, MADE)
    assert run(shell, "%durable show made").startswith("<Handle 6@1: resolved")


def test_a_listing_is_narrowed_as_a_search_is(shell: Any) -> None:
    run(shell, MADE)
    assert run(shell, "%durable ls --state rejected --state pending").startswith("1 promise: 1 rejected\n")
    assert run(shell, "%durable ls [12]@* --name *made --since 1h --until 0s --tag team=growth").startswith(
        "2 promises:"
    )
    for words in ("--tag team=x", "--name other", "--since 2999-01-01", "--until 2000-01-01", "--state pending"):
        assert run(shell, f"%durable ls {words}").strip() == f"no promise matches {words!r}"
    with pytest.raises(AssertionError, match=r"--tag takes KEY=TEXT such as team=growth, not 'team'"):
        run(shell, "%durable ls --tag team")

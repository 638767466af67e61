"""`%durable accept`: what a cell, or a function, came to before its edit counts for it as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import Kernel

pytestmark = pytest.mark.slow

IMPORTS = """%load_ext resonate_nb
import os
import resonate_nb as rnb
from resonate_nb import durable
rnb.configure(durability='process')
def note(line):
    with open('runs.log', 'a') as log:
        log.write(f'{line}\\n')
    if os.path.exists('stop'):
        os.remove('stop')
        raise KeyboardInterrupt(line)
"""
TRAIN = """%%durable train --ignore note
note('old')
model = sum(data) * 10
print('trained', model)
"""
EDITED = """%%durable train --ignore note
note('new')
model = 10 * sum(data)
print('trained well', model)
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    with Kernel(tmp_path, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}) as found:
        found.ok(IMPORTS)
        found.ok("data = [1, 2]")
        yield found


def notes(folder: Path) -> list[str]:
    return (folder / "runs.log").read_text().splitlines()


def refused(kernel: Kernel, line: str) -> str:
    """What the magic refuses with."""
    (said,) = [each for each in kernel.run(line).text("stderr").splitlines() if each.startswith("UsageError")]
    return said


def stopped(kernel: Kernel, folder: Path, cell: str) -> None:
    """The cell has begun to compute, and was interrupted."""
    (folder / "stop").touch()
    error = kernel.run(cell).error
    assert error is not None
    assert "KeyboardInterrupt" == error[0]


def test_an_edited_cell_that_was_interrupted_takes_over_what_it_had_come_to(kernel: Kernel, tmp_path: Path) -> None:
    kernel.ok(TRAIN)
    stopped(kernel, tmp_path, EDITED)
    accepted = kernel.ok("%durable accept")
    assert "run it again, and it is replayed" in accepted.text()
    assert "accepted from train/" in accepted.said
    kernel.ok("del model")
    again = kernel.ok(EDITED)
    assert "trained 30\n" == again.text()
    assert "30\n" == kernel.ok("print(model)").text()
    assert ["old", "new"] == notes(tmp_path)
    listed = "".join(kernel.ok("%durable ls train/*").bundles())
    assert "accepted" in listed
    kernel.restart()
    kernel.ok(IMPORTS)
    kernel.ok("data = [1, 2]")
    assert "trained 30\n" == kernel.ok(EDITED).text()
    shown = "".join(kernel.ok("%durable show train").bundles())
    assert "accepted from train/" in shown
    assert "model = 30" in shown


def test_by_label_after_other_cells_and_by_id(kernel: Kernel, tmp_path: Path) -> None:
    kernel.ok(TRAIN)
    old = kernel.ok("print(rnb.search('train/*')[0].id)").text().strip()
    stopped(kernel, tmp_path, EDITED)
    kernel.ok("%%durable other\nx = 1")
    kernel.ok("%durable accept train")
    assert "trained 30\n" == kernel.ok(EDITED).text()
    third = EDITED.replace("10 * sum(data)", "sum(data) * (9 + 1)")
    stopped(kernel, tmp_path, third)
    kernel.ok("%%durable other\nx = 1")
    kernel.ok(f"%durable accept {old}")
    assert "trained 30\n" == kernel.ok(third).text()
    assert ["old", "new", "new"] == notes(tmp_path)


def test_a_cell_that_is_not_the_one_that_is_meant_or_has_no_past_is_refused(kernel: Kernel, tmp_path: Path) -> None:
    assert "no durable cell has been run in this session" in refused(kernel, "%durable accept")
    assert "there is no promise 'train'" in refused(kernel, "%durable accept train")
    stopped(kernel, tmp_path, TRAIN)
    assert "there is no promise" in refused(kernel, "%durable accept")
    kernel.ok(TRAIN)
    assert "has a result under the code as it is now" in refused(kernel, "%durable accept train")
    assert "use %durable accept [ID]" in refused(kernel, "%durable accept train now")
    kernel.ok("%%durable\nz = sum(data)")
    kernel.ok("data.append(3)")
    stopped(kernel, tmp_path, "%%durable --ignore note\nnote('z')\nz = sum(data) + 1")
    assert "a cell without a label is known by its code only" in refused(kernel, "%durable accept")
    kernel.restart()
    kernel.ok(IMPORTS)
    old = kernel.ok("print(rnb.search('train/*')[0].id)").text().strip()
    assert "no durable cell labelled 'train' has been run in this session" in refused(kernel, f"%durable accept {old}")


@pytest.mark.parametrize("files", ["data.txt", "path", "paths"])
def test_a_declared_file_that_the_cell_reads_counts_as_it_is_now(kernel: Kernel, tmp_path: Path, files: str) -> None:
    cell = f"%%durable load --ignore note --files {files}\nnote('ran')\ntext = open('data.txt').read()\nprint(text)"
    kernel.ok("path = 'data.txt'\npaths = ['data.txt', 'other.txt']")
    (tmp_path / "data.txt").write_text("old")
    kernel.ok(cell)
    (tmp_path / "data.txt").write_text("old, with a remark")
    stopped(kernel, tmp_path, cell)
    accepted = kernel.ok("%durable accept").said
    assert "accepted from load/" in accepted
    assert "changed since" in accepted
    assert "old\n" == kernel.ok(cell).text()
    (tmp_path / "data.txt").write_text("new")
    assert "new\n" == kernel.ok(cell).text()
    assert ["ran", "ran", "ran"] == notes(tmp_path)


@pytest.mark.parametrize(
    ("edited", "why"),
    [
        ("note('new')\nmodel = sum(data)\nscore = 1", "binds `score` (line 4), which is not in it"),
        ("note('new')\nestimate = sum(data)", "binds `estimate` (line 3), which is not in it"),
        ("note('new')\nsum(data)", "it binds `model`, which the cell as it is now does not"),
        ("note('new')\nmodel = sum(data)\ndel model", "the cell as it is now deletes `model`, which it does not"),
        ("note('new')\nmodel = 1\nif not data:\n    limit = 5", None),
    ],
    ids=["binds more", "binds another", "binds nothing", "deletes", "may bind more"],
)
def test_a_replay_may_leave_no_name_missing_and_bind_no_other(
    kernel: Kernel, tmp_path: Path, edited: str, why: str | None
) -> None:
    kernel.ok(TRAIN)
    cell = f"%%durable train --ignore note\n{edited}"
    stopped(kernel, tmp_path, cell)
    if why is None:
        kernel.ok("%durable accept")
        assert "trained 30\n" == kernel.ok(cell).text()
    else:
        assert why in refused(kernel, "%durable accept")


def test_what_a_cell_may_have_bound_must_be_as_it_was_then(kernel: Kernel, tmp_path: Path) -> None:
    cell = "%%durable pick --ignore note\nnote('{}')\npicked = sum(data)\nif picked > 100:\n    mode = 9\n"
    kernel.ok("mode = 9")
    kernel.ok(cell.format("old"))
    kernel.ok("mode = 5")
    stopped(kernel, tmp_path, cell.format("new"))
    assert "`mode`, which it may bind, is not what it was then" in refused(kernel, "%durable accept")
    kernel.ok("mode = 9")
    kernel.ok("%durable accept")
    kernel.ok(cell.format("new"))
    assert "3 9\n" == kernel.ok("print(picked, mode)").text()


def test_an_edit_of_what_a_cell_reads(kernel: Kernel, tmp_path: Path) -> None:
    kernel.ok(TRAIN)
    kernel.ok("data = [1, 2, 0]")
    stopped(kernel, tmp_path, TRAIN)
    assert ", although `data` has changed since" in kernel.ok("%durable accept").said
    assert "trained 30\n" == kernel.ok(TRAIN).text()


def test_a_loop_of_one_cell_is_accepted_for_the_input_at_hand(kernel: Kernel, tmp_path: Path) -> None:
    cell = "%%durable part --ignore note\nnote(('{}', i))\npart = i * 10\n"
    for i in (1, 2, 3):
        kernel.ok(f"i = {i}")
        kernel.ok(cell.format("old"))
    kernel.ok("i = 2")
    stopped(kernel, tmp_path, cell.format("new"))
    kernel.ok("%durable accept part")
    kernel.ok(cell.format("new"))
    assert "20\n" == kernel.ok("print(part)").text()


def test_a_cell_in_its_middle_goes_on_with_its_steps(kernel: Kernel, tmp_path: Path) -> None:
    kernel.ok("@durable(keyed_by='call', ignore=('note',))\ndef step(x):\n    note(x)\n    return x\n")
    cell = "%%durable order --ignore stop\na = step('a')\n{}stop()\nb = step('b')\n"
    kernel.ok("def note(line):\n    with open('runs.log', 'a') as log:\n        log.write(f'{line}\\n')")
    kernel.ok("def stop():\n    if os.path.exists('stop'):\n        os.remove('stop')\n        raise KeyboardInterrupt")
    stopped(kernel, tmp_path, cell.format(""))
    stopped(kernel, tmp_path, cell.format("done = True\n"))
    assert ["a", "a"] == notes(tmp_path)
    accepted = kernel.ok("%durable accept order")
    assert "run it again, and it goes on from there" in accepted.text()
    kernel.ok(cell.format("done = True\n"))
    assert "a b True\n" == kernel.ok("print(a, b, done)").text()
    assert ["a", "a", "b"] == notes(tmp_path)


def test_a_function_by_name_and_by_id(kernel: Kernel, tmp_path: Path) -> None:
    function = "@durable(ignore=('note',))\ndef clean(x):\n    note('{0}')\n    return ['{0}', x]\n"
    kernel.ok(function.format("old"))
    kernel.ok("clean(1), clean(2)")
    kernel.ok(function.format("new"))
    accepted = kernel.ok("%durable accept clean")
    assert "its next call is replayed" in accepted.text()
    assert "['old', 2]" == kernel.ok("clean(2)").result
    old = kernel.ok("print(next(h.id for h in rnb.search('clean/*') if h.result() == ['old', 1]))").text().strip()
    kernel.ok(f"%durable accept {old}")
    assert "['old', 1]" == kernel.ok("clean(1)").result
    assert "['new', 3]" == kernel.ok("clean(3)").result
    assert ["old", "old", "new"] == notes(tmp_path)
    assert "no promise of it under other code" not in refused(kernel, "%durable accept nothing")


def test_a_cell_without_a_label_by_the_id_of_what_it_was(kernel: Kernel, tmp_path: Path) -> None:
    cell = "%%durable --ignore note\nnote('{}')\ntotal = sum(data)\n"
    kernel.ok(cell.format("old"))
    old = kernel.ok("print(rnb.search('cell/*')[0].id)").text().strip()
    kernel.ok("%%durable\nelsewhere = 1")
    stopped(kernel, tmp_path, cell.format("new"))
    kernel.ok(f"%durable accept {old}")
    kernel.ok("del total")
    assert "replayed" in "".join(kernel.ok(cell.format("new")).bundles("text/html"))
    assert "3\n" == kernel.ok("print(total)").text()
    stopped(kernel, tmp_path, "%%durable --ignore note\nnote('other')\nelsewhere = 2")
    assert "the cell as it is now binds `elsewhere` (line 3), which is not in it" in refused(
        kernel, f"%durable accept {old}"
    )


def test_an_async_cell(kernel: Kernel, tmp_path: Path) -> None:
    cell = "%%durable fetch --ignore note\nimport asyncio\nawait asyncio.sleep(0)\nnote('{}')\npage = sum(data)\n"
    kernel.ok(cell.format("old"))
    stopped(kernel, tmp_path, cell.format("new"))
    kernel.ok("%durable accept")
    kernel.ok("del page")
    kernel.ok(cell.format("new"))
    assert "3\n" == kernel.ok("print(page)").text()
    assert ["old", "new"] == notes(tmp_path)

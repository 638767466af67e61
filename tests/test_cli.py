"""The command line as a person meets it: real subprocesses, exit codes, and one sentence where something is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from resonate_nb.cli import KillPlan, main
from resonate_nb.protocol import EMPTY, NEVER, Promise, State, TaskState
from resonate_nb.runtime import Record, Shown
from resonate_nb.store import Attempt

COMMAND = [sys.executable, "-m", "resonate_nb.cli"]


def _environment(tmp_path: Path) -> dict[str, str]:
    """An empty home and a bare environment: what a newcomer has."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def _record(id: str, shown: Shown, *, started_at: int = 1_000) -> Record:
    state = State.RESOLVED if shown is Shown.RESOLVED else State.PENDING
    promise = Promise(id, state, EMPTY, EMPTY, {}, NEVER, created_at=started_at, task=TaskState.ABSENT)
    return Record(promise, shown, (Attempt(id, 1, "owner", started_at),))


class TestKillPlan:
    PLAN = KillPlan(kill_in="fold/*", after_finished=1, running_ms=500)

    def test_nothing_is_killed_before_enough_has_finished(self) -> None:
        assert self.PLAN.victim([_record("fold/a", Shown.RUNNING)], now_ms=9_000) is None

    def test_a_step_that_has_only_just_begun_is_not_in_its_middle(self) -> None:
        records = [_record("fold/a", Shown.RESOLVED), _record("fold/b", Shown.RUNNING)]
        assert self.PLAN.victim(records, now_ms=1_499) is None

    def test_the_running_step_is_found_among_others(self) -> None:
        running = _record("fold/b", Shown.RUNNING)
        records = [_record("cell/x", Shown.RUNNING), _record("fold/a", Shown.RESOLVED), running]
        assert running == self.PLAN.victim(records, now_ms=1_500)

    def test_what_finished_elsewhere_does_not_count(self) -> None:
        records = [_record("clean/a", Shown.RESOLVED), _record("fold/b", Shown.RUNNING)]
        assert self.PLAN.victim(records, now_ms=9_000) is None


@pytest.mark.parametrize("missing", ["rich", "nbclient"])
def test_without_the_lab_extra_the_demo_names_it(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # None in sys.modules is Python's own word for "not to be found".
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["demo"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f'resonate-nb demo needs more than the core ({missing}): pip install "resonate-nb[lab]"\n' == said.err


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["demo", "--keep", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_version_and_help_need_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    for option, expected in (("--version", "resonate-nb 0."), ("--help", "demo")):
        with pytest.raises(SystemExit) as stopped:
            main([option])
        assert stopped.value.code == 0
        assert expected in capsys.readouterr().out


def test_an_unknown_notebook_is_refused_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--notebook", "99_nowhere"])
    assert stopped.value.code == 2
    assert "00_tour" in capsys.readouterr().err


@pytest.mark.slow
def test_the_demo_replays_what_had_finished_and_computes_the_rest(tmp_path: Path) -> None:
    """The main job, whole: two kernels, one SIGKILL, an empty home directory."""
    kept = tmp_path / "kept"
    done = subprocess.run(
        [*COMMAND, "demo", "--notebook", "00_tour", "--keep", str(kept)],
        env=_environment(tmp_path),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.partition("saved\n")[2]
    steps = {row[0]: row[1:] for line in table.splitlines() if len(row := re.split(r"\s{2,}", line.strip())) > 2}
    assert steps["longest_chain 1"][0].startswith("computed")
    assert steps["longest_chain 1"][1] == "replayed"
    assert steps["longest_chain 2"][0].startswith("interrupted after")
    assert steps["longest_chain 2"][1].endswith("attempt 2")
    assert steps["report"][0] == "not reached"
    assert "kill -9" in done.stdout
    for named in (kept / "00_tour.ipynb", kept / "00_tour.html", kept / "store"):
        assert str(named) in done.stdout
        assert named.exists()
    executed = nbformat.read(kept / "00_tour.ipynb", 4)
    outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("longest chain starts at" in output.get("text", "") for output in outputs)
    assert list((tmp_path / "home").glob(".ipython*")) == [], "the user's IPython directory is no business of the demo"


@pytest.mark.slow
def test_ctrl_c_ends_the_demo_and_its_kernel(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "demo", "--notebook", "00_tour", "--keep", str(tmp_path / "kept")],
        env=_environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        for line in demo.stdout:
            if "computed in" in line:
                break
        children = psutil.Process(demo.pid).children(recursive=True)
        assert children, "the kernel should be running"
        demo.send_signal(signal.SIGINT)
        _, said = demo.communicate(timeout=300)
    assert demo.returncode == 130, said
    assert said == "resonate-nb demo: stopped; its kernel has been ended\n"
    _, alive = psutil.wait_procs(children, timeout=300)
    assert alive == []


@pytest.mark.slow
def test_why_tells_of_a_promise_from_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "run.py"
    for text in ("x + 1", "x + 2"):
        script.write_text(
            f"from resonate_nb import durable\n@durable\ndef clean(x):\n    return {text}\nclean(1)\n", "utf-8"
        )
        environment = {**os.environ, "RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}
        subprocess.run([sys.executable, script], check=True, env=environment, cwd=tmp_path)
    place = ["--store", str(tmp_path / "store")]
    assert 0 == main(["why", "clean", *place])
    text = capsys.readouterr().out
    assert text.startswith("clean ran: code of `clean` changed\n")
    assert "+    return x + 2" in text
    assert 0 == main(["why", "clean", "--json", *place])
    found = json.loads(capsys.readouterr().out)
    assert ("code of `clean` changed", True, ["function"]) == (
        found["reason"],
        found["would_hit"],
        [change["kind"] for change in found["changes"]],
    )
    assert 1 == main(["why", "other", *place])
    for asked, rest in {
        "other": "; there are some of `clean` (a name stands for its newest promise)\n",
        "clen": "; is `clean` meant? A name stands for its newest promise\n",
        "clean/1@2": "; is `clean` meant? A name stands for its newest promise\n",
    }.items():
        assert 1 == main(["why", asked, *place])
        assert f"resonate-nb why: there is no promise {asked!r}{rest}" in capsys.readouterr().err


def test_why_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["why", "clean", "--store", str(tmp_path / "store")])
    assert "resonate-nb why: there is no store here; run it in the folder" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_accept_declares_an_upgrade_from_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package, script = tmp_path / "site-packages" / "notalib.py", tmp_path / "run.py"
    package.parent.mkdir()
    info = package.parent / "notalib-3.1.0.dist-info"
    script.write_text(
        "import sys; sys.path.insert(0, 'site-packages')\nimport notalib\nfrom resonate_nb import durable\n"
        "@durable\ndef f(x):\n    print('ran')\n    return notalib.f(x)\nf(1)\n",
        "utf-8",
    )
    environment = {**os.environ, "RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}
    place = ["--store", str(tmp_path / "store")]

    def said(version: str) -> str:
        package.write_text(f"__version__ = {version!r}\ndef f(x): return x\n", "utf-8")
        done = subprocess.run(
            [sys.executable, script], check=True, env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        return done.stdout

    assert "ran\n" == said("3.0.2")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: notalib\nVersion: 3.1.0\n")
    command = [*COMMAND, "accept", "--packages", *place]
    with_package = environment | {"PYTHONPATH": str(package.parent)}
    done = subprocess.run(command, env=with_package, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "notalib 3.1.0 counts as 3.0.2\n" == done.stdout
    assert "" == said("3.1.0")
    done = subprocess.run(
        [*COMMAND, "accept", "--packages", "notalib", "--undo", "--json", *place],
        env=with_package,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert {"undone": [{"package": "notalib", "now": "3.1.0", "then": "3.0.2"}], "standing": []} == json.loads(
        done.stdout
    )
    assert "ran\n" == said("3.1.0")
    assert 1 == main(["accept", "--packages", "other", *place])
    assert "no result in this store was computed with a package 'other'; --packages takes " in capsys.readouterr().err


def test_accept_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["accept", "--packages", "--store", str(tmp_path / "store")])
    assert "resonate-nb accept: there is no store yet" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()

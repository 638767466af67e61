"""When a hit is a hit, and when it is not: files, memory layer, marks, moved stores, values that cannot be read."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import resonate_nb as rnb
from resonate_nb import durable, runtime
from resonate_nb.runtime import Engine


def reader_of(path: str, runs: list[str]):
    @durable(ignore=("runs",), name="read")
    def read(name):
        runs.append(name)
        with open(name) as file:
            return file.read()

    return read


def test_a_file_that_changed_runs_the_body_again_and_is_named(
    disk: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    runs: list[str] = []
    read = reader_of("", runs)
    data = tmp_path / "data.csv"
    data.write_text("old")
    assert ("old", "old") == (read(str(data)), read(str(data)))
    before = data.stat()
    data.write_text("new")
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))
    with caplog.at_level("INFO", "resonate_nb"):
        assert "new" == read(str(data))
    assert any("data.csv differs" in line for line in caplog.messages)
    assert "new" == read(str(data))
    assert 2 == len(runs)


def test_a_file_touched_without_change_is_still_a_hit(disk: Engine, tmp_path: Path):
    runs: list[str] = []
    read = reader_of("", runs)
    data = tmp_path / "data.csv"
    data.write_text("same")
    read(str(data))
    os.utime(data)
    assert "same" == read(str(data))
    assert 1 == len(runs)


def test_a_parent_depends_on_the_files_of_the_children_it_replayed(disk: Engine, tmp_path: Path):
    runs: list[str] = []
    data = tmp_path / "data.csv"
    data.write_text("1")
    name = str(data)

    @durable
    def child():
        with open(name) as file:
            return int(file.read())

    @durable(ignore=("runs",))
    def parent():
        runs.append("parent")
        return child() + 1

    child()
    assert 2 == parent()
    data.write_text("22")
    assert 23 == parent()
    assert 2 == len(runs)


def test_a_store_moved_with_its_folder_still_hits(tmp_path: Path):
    runs: list[str] = []
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "data.csv").write_text("5")

    def ask(folder: Path) -> str:
        os.chdir(folder)
        runtime.configure(store=folder / "store", durability="process")
        return reader_of("", runs)("data.csv")

    here = os.getcwd()
    try:
        assert "5" == ask(old)
        runtime.engine().close()
        shutil.move(old, new)
        assert "5" == ask(new)
        runtime.engine().close()
    finally:
        os.chdir(here)
    assert 1 == len(runs)


@pytest.mark.slow
def test_a_rerun_in_another_process_is_seen_by_the_memory_layer(disk: Engine, tmp_path: Path):
    runs: list[int] = []

    @durable(name="shared", id="shared", version=1, ignore=("runs",))
    def shared():
        runs.append(1)
        return len(runs)

    assert (1, 1) == (shared(), shared())
    code = "import resonate_nb as rnb; from resonate_nb.runtime import mark_rerun; mark_rerun('shared@1')"
    env = {**os.environ, "RESONATE_NB_STORE": str(disk.store.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    assert (2, 2) == (shared(), shared())


def test_a_value_file_that_is_gone_is_computed_again_with_one_warning(tmp_path: Path):
    runtime.configure(store=tmp_path / "store", durability="process")
    runs: list[int] = []

    @durable(ignore=("runs",))
    def large():
        runs.append(1)
        return b"x" * 100_000

    large()
    for file in (tmp_path / "store" / "values").iterdir():
        file.unlink()
    runtime.engine().memo.drop(large.get().id)
    with pytest.warns(rnb.DurableWarning, match="computed again"):
        assert b"x" * 100_000 == large()
    assert b"x" * 100_000 == large()
    assert 2 == len(runs)
    runtime.engine().close()


class Fragile:
    """Comes back only while its class allows it."""

    is_readable = True

    def __setstate__(self, state: object) -> None:
        if not Fragile.is_readable:
            raise ValueError("made by an older version")

    def __getstate__(self) -> dict[str, int]:
        return {"a": 1}


def test_a_value_that_cannot_be_read_any_more_is_kept_and_computed_again(disk: Engine):
    runs: list[int] = []

    @durable(ignore=("runs", "Fragile"))
    def make():
        runs.append(1)
        return Fragile()

    make()
    Fragile.is_readable = False
    try:
        with (
            pytest.warns(rnb.DurableWarning, match="not stored"),
            pytest.warns(rnb.DurableWarning, match="cannot be read any more"),
        ):
            make()
    finally:
        Fragile.is_readable = True
    assert 2 == len(runs)
    assert 2 == len(rnb.search("*"))


def test_a_fault_in_pickling_never_loses_the_value(disk: Engine):
    class Hostile:
        def __reduce__(self):
            raise RuntimeError("not today")

    @durable(ignore=("Hostile",))
    def make():
        return Hostile()

    with pytest.warns(rnb.DurableWarning, match="not stored"):
        assert isinstance(make(), Hostile)


def test_a_handle_waits_for_whoever_runs_it(disk: Engine):
    started, go = threading.Event(), threading.Event()

    @durable(ignore=("started", "go"))
    def slow():
        started.set()
        go.wait(60)
        return 7

    thread = threading.Thread(target=slow)
    thread.start()
    started.wait(60)
    handle = slow.get()
    assert "running" in repr(handle)
    assert not handle.done()
    assert not handle.wait(0.01)
    with pytest.raises(rnb.WaitTimeoutError, match="still pending"):
        handle.result(0.01)
    assert os.getpid() == handle.owner.pid
    go.set()
    assert 7 == handle.result(10)
    assert 7 == asyncio.run(_awaited(handle))
    assert handle.exception() is None
    assert handle.settled_at >= handle.created_at
    thread.join(60)


@pytest.mark.slow
@pytest.mark.parametrize("awaits", [False, True], ids=["result", "await"])
def test_a_handle_says_on_whom_it_waits(disk: Engine, caplog: pytest.LogCaptureFixture, awaits: bool):
    started, go = threading.Event(), threading.Event()

    @durable(ignore=("started", "go"))
    def slow():
        started.set()
        go.wait(60)
        return 7

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "waiting for" in record.getMessage():
                go.set()

    told = Told()
    logging.getLogger("resonate_nb").addHandler(told)
    thread = threading.Thread(target=slow)
    thread.start()
    started.wait(60)
    try:
        with caplog.at_level("INFO", "resonate_nb"):
            assert 7 == (asyncio.run(_awaited(slow.get())) if awaits else slow.get().result())
    finally:
        logging.getLogger("resonate_nb").removeHandler(told)
    thread.join(60)
    assert any("runs in this process" in line for line in caplog.messages)


async def _awaited(handle: rnb.Handle) -> object:
    return await handle


def test_search_and_frames_tell_what_is_there(disk: Engine):
    @durable(id="a/{x}", version=1, tags={"team": "growth"})
    def a(x):
        return x

    @durable(id="b/{x}", version=1)
    def b(x):
        raise ValueError("no")

    a(1)
    a(2)
    with pytest.raises(ValueError, match="no"):
        b(1)
    assert {"a/1@1", "a/2@1"} == {handle.id for handle in rnb.search("a/*")}
    assert ["b/1@1"] == [handle.id for handle in rnb.search(state="rejected")]
    assert {"a/1@1", "a/2@1"} == {handle.id for handle in rnb.search(tags={"team": "growth"})}
    assert 1 == len(rnb.search(limit=1))
    frame = rnb.to_frame()
    assert {"resolved", "rejected"} == set(frame["state"])
    assert 3 == len(frame)
    assert "UTC" == str(frame["created_at"].dt.tz)
    assert 2 == rnb.get("a/2").result()
    assert rnb.get("nothing") is None
    assert ["a/1@1"] == rnb.forget("a/1@1")
    assert rnb.get("a/1") is None


def test_forget_refuses_what_runs_and_a_pattern_skips_it(disk: Engine):
    started, go = threading.Event(), threading.Event()

    @durable(id="slow", version=1, ignore=("started", "go"))
    def slow():
        started.set()
        go.wait(60)

    thread = threading.Thread(target=slow)
    thread.start()
    started.wait(60)
    with pytest.raises(rnb.PromiseBusyError, match="running"):
        rnb.forget("slow@1")
    with pytest.raises(rnb.PromiseBusyError, match="running"):
        slow.forget()
    assert [] == rnb.forget("slo*")
    go.set()
    thread.join(60)
    assert ["slow@1"] == rnb.forget("slo*")


def test_a_template_that_leaves_arguments_out_is_announced_once(disk: Engine, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO", "resonate_nb"):

        @durable(id="r/{day}", version=1)
        def report(day, region, scale=2):
            return region

        @durable(id="r/{uuid}", version=1)
        def fresh(day):
            return day

    assert any("leaves out region, scale" in line for line in caplog.messages)
    assert any("new at each call" in line for line in caplog.messages)
    assert fresh(1) == fresh(1) == 1
    assert 2 == len(rnb.search("r/*"))


@pytest.mark.parametrize(
    ("on_reuse", "becomes"),
    [
        ("raise", "is refused"),
        ("rerun", "is computed anew"),
        ("warn", "gets what is stored, with a warning"),
        ("ignore", "gets what is stored"),
    ],
)
def test_the_announcement_says_what_becomes_of_the_others(
    disk: Engine, caplog: pytest.LogCaptureFixture, on_reuse: Any, becomes: str
):
    with caplog.at_level("INFO", "resonate_nb"):

        @durable(id="r/{day}", name=f"report {on_reuse}", version=1, on_reuse=on_reuse)
        def report(day, region):
            return region

    said = f"report {on_reuse}: the id 'r/{{day}}' leaves out region; the same id with another region {becomes}"
    assert [said] == caplog.messages


def test_places_that_a_template_may_name(disk: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REGION", "north:1")
    monkeypatch.setenv("JPY_SESSION_NAME", "/a/b/report.ipynb")

    @durable(id="{notebook}/{env[REGION]}/{user}/{host}/{today:%Y}/{x.real:03d}", version=1)
    def f(x):
        return x

    f(5)
    id = f.get(5).id
    assert id.startswith("report/north%3A1/")
    assert id.endswith("/005@1")
    monkeypatch.delenv("JPY_SESSION_NAME")
    monkeypatch.delenv("RESONATE_NB_NOTEBOOK", raising=False)
    with pytest.raises(rnb.InvalidOptionError, match="RESONATE_NB_NOTEBOOK"):
        f(5)

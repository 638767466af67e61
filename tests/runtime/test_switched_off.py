"""RESONATE_NB=off: everything runs as if undecorated, nothing is recorded, and what is stored can be looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import resonate_nb as rnb
from resonate_nb import durable, runtime


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that nobody has made yet, with everything as the environment says."""
    monkeypatch.setattr("resonate_nb.runtime._config._enabled", None)
    runtime.configure(store=tmp_path / "store", durability="process")
    return tmp_path / "store"


def counted(runs: list[int]):
    @durable(id="square/{x}", version=1, ignore=("runs",))
    def square(x):
        runs.append(x)
        return x * x

    return square


def test_a_word_that_says_neither_is_said_and_leaves_everything_on(
    place: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
):
    monkeypatch.setenv("RESONATE_NB", "of")
    runs: list[int] = []
    square = counted(runs)
    assert (9, 9, [3]) == (square(3), square(3), runs)
    told = [str(warning.message) for warning in recwarn if issubclass(warning.category, rnb.DurableWarning)]
    assert ["RESONATE_NB='of' is neither 'on' nor 'off'; functions and cells stay durable"] == told


@pytest.mark.parametrize("word", ["off", "0", "false", "no", " OFF "])
def test_no_store_is_made(place: Path, monkeypatch: pytest.MonkeyPatch, word: str):
    monkeypatch.setenv("RESONATE_NB", word)
    runs: list[int] = []
    square = counted(runs)
    assert (9, 9, 9) == (square(3), square(3), square.rerun(3))
    assert [3, 3, 3] == runs
    assert square.get(3) is None
    assert [] == square.forget(3)
    assert rnb.get("square/3") is None
    assert [] == rnb.search()
    assert 0 == len(rnb.to_frame())
    with pytest.raises(rnb.PromiseNotFoundError, match="no store"):
        rnb.forget("square/3")
    assert [] == runtime.source().look(runtime.checked_query())
    assert "no promises" == repr(rnb.inspect())
    assert not place.exists()


def test_async_functions_run_plainly(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESONATE_NB", "off")

    @durable
    async def fetch(x):
        return [x]

    async def main():
        return await fetch(1), await fetch.rerun(2)

    assert ([1], [2]) == asyncio.run(main())
    assert not place.exists()


def test_a_plain_call_takes_what_no_key_covers(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESONATE_NB", "off")

    @durable
    def same(thing):
        return thing

    thing = object()
    assert same(thing) is thing


def test_an_existing_store_is_still_served(place: Path, monkeypatch: pytest.MonkeyPatch):
    runs: list[int] = []
    square = counted(runs)
    square(3)
    monkeypatch.setenv("RESONATE_NB", "off")
    assert 16 == square(4)
    assert 9 == rnb.get("square/3").result()
    assert 9 == square.get(3).result()
    assert ["square/3@1"] == [handle.id for handle in rnb.search()]
    assert ["square/3@1"] == list(rnb.to_frame()["id"])
    assert "square/3@1" == runtime.source().look(runtime.checked_query())[0].promise.id
    assert ["square/3@1"] == rnb.forget("square/*")
    assert [3, 4] == runs
    runtime.engine().close()


def test_what_is_configured_goes_before_the_environment(place: Path, monkeypatch: pytest.MonkeyPatch):
    runs: list[int] = []
    square = counted(runs)
    monkeypatch.setenv("RESONATE_NB", "off")
    rnb.configure(enabled=True)
    assert (9, 9) == (square(3), square(3))
    monkeypatch.delenv("RESONATE_NB")
    rnb.configure(enabled=False)
    square(3)
    assert [3, 3] == runs
    runtime.engine().close()


def test_wrong_options_are_still_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESONATE_NB", "off")
    with pytest.raises(rnb.InvalidOptionError, match="unknown option 'retries'"):
        durable(retries=3)
    with pytest.raises(rnb.InvalidOptionError, match="'days'"):

        @durable(id="a/{days}")
        def f(day):
            return day

    with pytest.raises(rnb.UndecoratableError, match="is a class"):
        durable(Path)
    with pytest.raises(rnb.InvalidOptionError, match="state"):
        rnb.search(state="done")

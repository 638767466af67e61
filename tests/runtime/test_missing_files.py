"""A path in `files=` that leads to nothing is said, once: it may be a slip of the pen, and would else go unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from resonate_nb import durable

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.csv").write_text("1")
    monkeypatch.chdir(folder)
    return folder


def lines(said: list[str]) -> list[str]:
    return [line for line in said if "files= names" in line]


@pytest.mark.parametrize("spelled", ["./b.csv", "nowhere/*.parquet"])
def test_a_path_that_leads_to_nothing_is_said_once(spelled: str, here: Path, said: list[str]):
    @durable(name="missing1", files=spelled)
    def f(x):
        return x

    f(1), f(1), f(2)
    expected = f"missing1: files= names `{spelled}`, where nothing is (seen from {here}); "
    expected += "it counts as missing until it is there"
    assert [expected] == lines(said)


def test_several_are_said_together(here: Path, said: list[str]):
    @durable(name="missing2", files=("./b.csv", "./a.csv", "./c.csv"))
    def f(x):
        return x

    f(1)
    expected = (
        f"missing2: files= names `./b.csv`, `./c.csv`, where nothing is (seen from {here}); "
        "they count as missing until they are there"
    )
    assert [expected] == lines(said)


@pytest.mark.usefixtures("here")
def test_nothing_is_said_of_what_is_there_or_what_an_argument_names(said: list[str]):
    """An output file that an argument names is missing at first; a body that reads one says itself that it is not."""

    @durable(name="missing3", files=("./a.csv", "*.csv", ".", "path"))
    def f(path):
        return path

    f("b.csv")
    assert [] == lines(said)


@pytest.mark.usefixtures("here")
def test_changes_are_told_in_the_words_of_the_options(said: list[str]):
    def made(**options):
        @durable(name="missing4", **options)
        def f(x):
            return x

        return f

    made(depends=([1],))(1)
    assert "missing4 runs: `depends[0]`: position 0: 1 → 2" in _after(said, lambda: made(depends=([2],))(1))
    made(files="*.csv")(2)
    assert "missing4 runs: file ./a.csv counts now; files *.csv count no more" in _after(
        said, lambda: made(files="./a.csv")(2)
    )


def _after(said: list[str], do) -> list[str]:
    before = len(said)
    do()
    return said[before:]

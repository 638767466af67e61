"""A function that moves a global random generator stays a hit, and says that a replay does not move it."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import Engine
from resonate_nb.runtime._generators import Standing, is_numpy_fresh

NUMPY = ("numpy.random",)


@pytest.fixture(autouse=True)
def states() -> Iterator[None]:
    """The generators stand afterwards where they stood."""
    state, numpy_state = random.getstate(), np.random.get_state(legacy=False)
    yield
    random.setstate(state)
    np.random.set_state(numpy_state)


DRAWS = {
    "nothing": (lambda: np.random.default_rng(3).random() + random.Random(3).random(), ()),
    "one uniform": (lambda: np.random.rand(), NUMPY),
    "one bounded integer": (lambda: np.random.randint(3), NUMPY),
    "a seed": (lambda: np.random.seed(7), NUMPY),
    "random": (lambda: random.random(), ("random",)),
    "random's seed": (lambda: random.seed(7), ("random",)),
    "both": (lambda: (random.random(), np.random.rand()), ("random", "numpy.random")),
    "exactly 624 words, so that the position comes round": (lambda: np.random.bytes(624 * 4), NUMPY),
    "drawn and put back": (lambda: np.random.set_state([np.random.get_state(), np.random.rand()][0]), ()),
    "another bit generator": (lambda: np.random.set_bit_generator(np.random.PCG64(3)), NUMPY),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("ahead", [0, 1, 311, 624], ids="{} draws before".format)
def test_what_moved_is_named(name: str, ahead: int) -> None:
    body, expected = DRAWS[name]
    bit_generator = np.random.get_bit_generator()
    np.random.seed(5)
    np.random.rand(ahead)
    try:
        standing = Standing()
        body()
        assert expected == standing.moved()
        assert () == Standing().moved()
    finally:
        np.random.set_bit_generator(bit_generator)


def test_a_spare_normal_variate_that_is_used_up_is_a_draw() -> None:
    """The second of a pair of normals leaves the words of the generator as they are."""
    np.random.seed(5)
    for expected in (NUMPY, NUMPY, NUMPY, NUMPY):
        standing = Standing()
        before = np.random.get_state(legacy=False)
        np.random.standard_normal()
        assert expected == standing.moved()
        after = np.random.get_state(legacy=False)
    assert before["has_gauss"] == 1
    assert before["state"]["pos"] == after["state"]["pos"]
    random.gauss(0, 1)
    standing = Standing()
    random.gauss(0, 1)  # likewise
    assert ("random",) == standing.moved()


def test_a_bit_generator_other_than_the_usual_is_looked_at_in_full() -> None:
    bit_generator = np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.PCG64(3))
    try:
        standing = Standing()
        assert () == standing.moved()
        np.random.rand()
        assert NUMPY == standing.moved()
        assert not is_numpy_fresh()
    finally:
        np.random.set_bit_generator(bit_generator)


class _Counting(random.Random):
    """Keeps its state in another form than Python's own."""

    def getstate(self):
        return (*super().getstate(), "mine")


@pytest.mark.parametrize("kind", [random.Random, _Counting])
def test_a_generator_put_in_the_place_of_the_global_one(
    kind: type[random.Random], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look asks it in full, the second may read its memory: they agree."""
    other = kind(3)
    monkeypatch.setattr(random, "getstate", other.getstate)
    assert () == Standing().moved()
    for draw in (other.random, lambda: other.seed(3), lambda: other.gauss(0, 1), lambda: other.gauss(0, 1)):
        standing = Standing()
        draw()
        assert ("random",) == standing.moved()
        assert () == Standing().moved()
    standing = Standing()
    other.setstate([other.getstate(), other.random()][0][:3])
    assert () == standing.moved()
    monkeypatch.setattr(random, "getstate", kind(3).getstate)
    assert ("random",) == standing.moved()


def test_a_function_that_draws_is_a_hit_and_is_marked(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    @durable
    def sample(n):
        return np.random.rand(n).tolist()

    @durable
    def own(n):
        return np.random.default_rng(3).random(n).tolist()

    with caplog.at_level("INFO", "resonate_nb"):
        first = sample(3)
        state = np.random.get_state()[2]
        assert first == sample(3)
        assert state == np.random.get_state()[2]
        sample(4)
        own(3)
    said = [r.getMessage() for r in caplog.records if "generator" in r.getMessage()]
    assert 1 == len(said)
    assert "sample" in said[0]
    assert "draws from numpy's global random generator; a replay brings back what the first run drew" in said[0]
    assert "np.random.default_rng(seed)" in said[0]
    records = {record.promise.id.split("/")[0]: record for record in (h.record for h in rnb.search("*"))}
    drawn = next(record for name, record in records.items() if "sample" in name)
    plain = next(record for name, record in records.items() if "own" in name)
    assert "numpy.random" == drawn.promise.value.headers["draws"]
    assert (("draws at random: numpy's global random generator",), ()) == (drawn.marks, drawn.again)
    assert () == plain.marks


def test_a_call_inside_marks_the_call_around_it(engine: Engine) -> None:
    @durable
    def inner():
        return random.random()

    @durable
    def outer():
        return inner() + 1

    value = outer()
    assert value == outer()
    assert [("draws at random: the global generator of `random`",)] * 2 == [h.record.marks for h in rnb.search("*")]


FRESH = """
import sys
from resonate_nb.runtime._generators import Standing, is_numpy_fresh
assert is_numpy_fresh() and "numpy" not in sys.modules
standing = Standing()
exec({text!r})
print(standing.moved(), is_numpy_fresh(), "numpy.random" in sys.modules)
"""


@pytest.mark.slow
def test_looks_agree_before_and_after_ctypes_is_worth_loading() -> None:
    """A script of a few calls does not load it; from the look on that does, states are read where they lie."""
    text = (
        "import sys\nfrom resonate_nb.runtime._generators import Standing\n"
        "first = Standing()\nassert 'ctypes' not in sys.modules\n"
        "looks = [Standing().moved() for _ in range(100)]\nassert 'ctypes' in sys.modules\n"
        "print(set(looks), first.moved(), __import__('random').random() < 1, first.moved())"
    )
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert ("", "{()} () True ('random',)") == (run.stderr, run.stdout.strip())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import json", "() True False"),
        ("import numpy.random", "() True True"),
        ("import numpy as np; np.random.default_rng(3).random()", "() True True"),
        ("import numpy as np; np.random.rand()", "('numpy.random',) False True"),
        ("import numpy as np; np.random.seed(3)", "('numpy.random',) False True"),
        ("import numpy as np; np.random.seed()", "('numpy.random',) False True"),
    ],
)
def test_a_generator_that_the_body_itself_loaded(text: str, expected: str) -> None:
    """In a fresh interpreter: looking does not import numpy, and importing it is no draw."""
    run = subprocess.run([sys.executable, "-c", FRESH.format(text=text)], capture_output=True, text=True)
    assert "" == run.stderr
    assert expected == run.stdout.strip()

"""A durable function stands wherever the plain one does: to `inspect`, to pickles, in copies and in other processes."""

from __future__ import annotations

import asyncio
import copy
import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import Engine

pytestmark = pytest.mark.usefixtures("engine")


class Model:
    def __init__(self, rate: int) -> None:
        self.rate = rate

    @durable
    def score(self, x, y=1):
        """Rate times x."""
        return self.rate * x

    @durable
    async def fetch(self, x):
        return self.rate + x

    @durable
    @classmethod
    def made(cls, x):
        return (cls.__name__, x)

    @durable
    @staticmethod
    def fixed(x):
        return x + 1


@durable
def add(a, b=2):
    return a + b


def test_a_durable_method_passes_for_the_plain_one():
    model = Model(2)
    assert "(x, y=1)" == str(inspect.signature(model.score))
    assert "(self, x, y=1)" == str(inspect.signature(Model.score))
    assert "(x)" == str(inspect.signature(Model.made))
    assert "(x)" == str(inspect.signature(Model.fixed))
    assert ("score", "Rate times x.") == (model.score.__name__, model.score.__doc__)
    assert "return self.rate * x" in inspect.getsource(model.score)
    assert 6 == model.score.__wrapped__(3)


def test_an_async_method_is_seen_as_one():
    for function in (Model(2).fetch, Model.fetch):
        assert inspect.iscoroutinefunction(function)
        assert asyncio.iscoroutinefunction(function)
    assert not inspect.iscoroutinefunction(Model(2).score)
    assert 5 == asyncio.run(Model(2).fetch(3))


def test_methods_of_one_object_are_equal():
    model, same_content = Model(2), Model(2)
    assert model.score == model.score
    assert hash(model.score) == hash(model.score)
    assert model.score != same_content.score
    assert model.score != model.fetch


def test_methods_come_back_from_a_pickle():
    assert 6 == pickle.loads(pickle.dumps(Model(2).score))(3)
    assert ("Model", 3) == pickle.loads(pickle.dumps(Model.made))(3)
    assert Model.fixed is pickle.loads(pickle.dumps(Model.fixed))


def test_a_copy_is_the_function_itself():
    assert add is copy.copy(add)
    assert add is copy.deepcopy([add])[0]


def test_a_function_of_a_function_is_shipped_by_value():
    """As cloudpickle does with a plain one: by its name nobody could find it. The source does not travel with it, so
    there it has no key; it runs, and says so."""
    by = 3

    @durable(name="scaled", tags={"team": "growth"})
    def scaled(x):
        return by * x

    again = cloudpickle.loads(cloudpickle.dumps(scaled))
    assert again is not scaled
    with pytest.warns(rnb.DurableWarning, match="scaled runs plainly, not durably: it was sent"):
        assert 12 == again(4)
    assert again.get(4) is None
    assert 12 == scaled(4)
    assert {"team": "growth"} == dict(scaled.get(4).tags)


def test_a_durable_method_is_not_decorated_again():
    with pytest.raises(rnb.UndecoratableError, match="durable already"):
        durable(Model(2).score)


def test_options_change_what_they_name_and_nothing_else(engine: Engine):
    other = add.options(tags={"team": "growth"}, name="plus")
    assert (3, 3) == (add(1), other(1))
    assert other.get(1).id.startswith("plus/")
    assert {"team": "growth"} == dict(other.get(1).tags)
    assert (add.version, add.fingerprint) == (other.version, other.fingerprint)
    assert (32, add.version) == (len(add.fingerprint), add.fingerprint[:8])
    assert "7" == add.options(version=7).version
    with pytest.raises(rnb.InvalidOptionError, match=r"'tag'.*id, version, name, tags, ignore"):
        add.options(tag={})


SHIPPING = """
import pickle, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import joblib

import resonate_nb as rnb
from resonate_nb import durable

@durable(ignore=("note",))
def double(x):
    note(x)
    return 2 * x

def note(x):
    with open("runs.log", "a") as log:
        log.write(f"{x}\\n")

if __name__ == "__main__":
    rnb.configure(durability="process")
    assert pickle.loads(pickle.dumps(double)) is double
    for method in ("spawn", "fork"):
        with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
            assert list(pool.map(double, (2, 3))) == [4, 6], method
    assert double(3) == 6
    print("by name", sorted(open("runs.log").read().split()))
    assert joblib.Parallel(2, backend="loky")(joblib.delayed(double)(x) for x in (2, 3)) == [4, 6]
    print("by value", sorted(open("runs.log").read().split()))
"""


@pytest.mark.slow
def test_pools_of_processes_call_it(tmp_path: Path):
    """By its name where a pool pickles it so: one run for all. loky ships the function itself: it runs plainly."""
    (tmp_path / "script.py").write_text(SHIPPING)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert 0 == done.returncode, done.stderr
    assert "by name ['2', '3']" == done.stdout.splitlines()[0]
    assert "by value ['2', '2', '3', '3']" == done.stdout.splitlines()[1]
    assert "double runs plainly" in done.stderr


@pytest.mark.parametrize("where", ["f", "f.__wrapped__"])
def test_defaults_that_are_replaced_after_decoration_count(where: str) -> None:
    """As of a plain function: they are what a call takes from then on."""

    @durable
    def f(x, n=1, *, k=1):
        return x + n + k

    names = {"f": f}
    assert 3 == f(1)
    assert 3 == f(1)
    exec(f"{where}.__defaults__ = (10,)", names)
    assert 12 == f(1)
    exec(f"{where}.__kwdefaults__ = {{'k': 100}}", names)
    assert 111 == f(1)
    exec(f"{where}.__kwdefaults__['k'] = 1000", names)
    assert 1011 == f(1)
    assert (10,) == f.__defaults__
    assert 3 == f(1, 1, k=1)


def test_code_that_is_replaced_after_decoration_counts_with_its_parameters() -> None:
    @durable
    def f(x):
        return x

    def other(y, z=5):
        return y * z

    assert 2 == f(2)
    f.__code__, f.__defaults__ = other.__code__, other.__defaults__
    assert 10 == f(2)
    assert 6 == f(y=2, z=3)
    assert "(y, z=5)" == str(inspect.signature(f))

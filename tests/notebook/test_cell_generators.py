"""Global random generators around a cell: what is recorded, and where a replay sets them; then in a real kernel."""

from __future__ import annotations

import ast
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kernel import Kernel, Ran

from resonate_nb.notebook import _generators
from resonate_nb.notebook._generators import ANY, Standing, look, put, records, seeded_first, split


@pytest.fixture
def states() -> Iterator[None]:
    """The generators stand afterwards where they stood."""
    state, numpy_state = random.getstate(), np.random.get_state(legacy=False)
    yield
    random.setstate(state)
    np.random.set_state(numpy_state)


NAMES = {"np": np, "pd": pd, "random": random, "seed": np.random.seed, "SEED": 4, "nothing": None}


def recorded(text: str, ignore_seeds: bool = False) -> dict[str, dict[str, Any]]:
    before = look()
    exec(compile(text, "cell", "exec"), dict(NAMES))
    return records(before, look(), frozenset() if ignore_seeds else seeded_first(ast.parse(text), NAMES, {}))


@pytest.mark.usefixtures("states")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", []),
        ("random.random()", ["random"]),
        ("random.seed(3)", ["random"]),
        ("np.random.rand()", ["numpy.random"]),
        ("random.random(); np.random.rand()", ["numpy.random", "random"]),
        ("np.random.default_rng(3).random(); random.Random(3).random()", []),
        ("pd.Series([1, 2, 3]).sample(2)", ["numpy.random"]),
        ("pd.Series([1, 2, 3]).sample(2, random_state=1)", []),
        ("s = np.random.get_state(); np.random.rand(); np.random.set_state(s)", []),
    ],
)
def test_what_moved_is_recorded(text: str, expected: list[str]) -> None:
    assert expected == sorted(recorded(text))


@pytest.mark.usefixtures("states")
@pytest.mark.parametrize("normals", [0, 1])
def test_a_replay_from_the_same_place_goes_on_as_the_run_did(normals: int) -> None:
    """Also where a spare normal variate waits: it belongs to the state."""
    text = f"random.random(); np.random.rand(700); np.random.standard_normal({normals})"

    def seed() -> None:
        random.seed(5)
        np.random.seed(5)

    seed()
    found = recorded(text)
    live = random.random(), np.random.standard_normal(), np.random.rand()
    seed()
    moves, elsewhere = split(found, look())
    assert (["random", "numpy.random"], []) == (list(moves), elsewhere)
    assert [] == put(moves)
    assert live == (random.random(), np.random.standard_normal(), np.random.rand())


@pytest.mark.usefixtures("states")
def test_elsewhere_is_named_and_at_the_end_already_there_is_nothing_to_do() -> None:
    np.random.seed(5)
    found = recorded("np.random.rand()")
    assert ({}, []) == split(found, look())
    np.random.rand()
    assert ({}, ["numpy.random"]) == split(found, look())


@pytest.mark.usefixtures("states")
def test_each_generator_is_judged_by_itself() -> None:
    random.seed(5)
    np.random.seed(5)
    found = recorded("random.random(); np.random.rand()")
    random.seed(6)
    np.random.seed(5)
    moves, elsewhere = split(found, look())
    assert (["numpy.random"], ["random"]) == (list(moves), elsewhere)


@pytest.mark.usefixtures("states")
def test_all_are_set_or_none() -> None:
    found = recorded("random.random(); np.random.rand()")
    found["numpy.random"]["state"] = b"no pickle"
    before = look()
    with pytest.raises(pickle.UnpicklingError):
        put(found)
    assert before.states["random"] == random.getstate()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import numpy", "[] True"),  # numpy loads its random part at first use, and this is one
        ("import json", "['numpy.random'] False"),
    ],
)
@pytest.mark.usefixtures("states")
def test_numpy_is_not_imported_to_set_its_generator(text: str, expected: str) -> None:
    found = recorded("np.random.seed(3); np.random.rand()")
    program = (
        f"import sys\nfrom resonate_nb.notebook import _generators\n{text}\nfound = {found!r}\n"
        "print(_generators.put(found), 'numpy' in sys.modules and _generators.look().where('numpy.random') == "
        "found['numpy.random']['after'])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "" == run.stderr
    assert expected == run.stdout.strip()


def test_what_is_not_loaded_is_left_out() -> None:
    assert ["torch"] == put({"torch": {"before": ANY, "after": "", "state": b""}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import numpy as np\nnp.random.seed(42)\nx = np.random.rand()", ["numpy.random"]),
        ("'''Doc.'''\nSEED = 3\nrandom.seed(SEED)\nnp.random.seed(SEED)\ny = 1", ["numpy.random", "random"]),
        ("seed(SEED)", ["numpy.random"]),
        ("np.random.seed(SEED)", ["numpy.random"]),
        ("np.random.seed()", []),
        ("np.random.seed(None)", []),
        ("np.random.seed(nothing)", []),
        ("x = np.random.rand()\nnp.random.seed(42)", []),
        ("if x:\n    np.random.seed(42)", []),
        ("def f():\n    np.random.seed(42)", []),
        ("np.random.seed(int(time()))", []),
        ("np.random.default_rng(42)", []),
        ("np.nothing.seed(42)", []),
    ],
)
def test_a_cell_that_seeds_first_stands_for_itself(text: str, expected: list[str]) -> None:
    bound = {"SEED": 2} if "SEED = " in text else {}
    assert expected == sorted(seeded_first(ast.parse(text), NAMES, bound))


def test_a_seed_that_the_cell_itself_computes_is_not_looked_up_afterwards() -> None:
    text = "SEED = compute()\nnp.random.seed(SEED)\nSEED = 4"
    assert frozenset() == seeded_first(ast.parse(text), NAMES, {"SEED": 3})
    assert frozenset() == seeded_first(ast.parse("np.random.seed(SEED)\nSEED = 4"), NAMES, {"SEED": 2})


@pytest.mark.usefixtures("states")
def test_a_cell_that_seeds_first_is_moved_on_from_anywhere() -> None:
    text = "np.random.seed(42)\nnp.random.rand()"
    found = recorded(text)
    live = np.random.rand()
    moves, elsewhere = split(found, look())
    assert (["numpy.random"], []) == (list(moves), elsewhere)
    put(moves)
    assert live == np.random.rand()
    put(recorded(text))  # from where the seed leads to the same place: recorded all the same
    assert ["numpy.random"] == list(recorded(text))


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["", "%load_ext resonate_nb"], True),
        (["", "import random\nrandom.seed(3)", "%load_ext resonate_nb"], False),
        (["", "from lib import set_seed; set_seed()\n%load_ext resonate_nb"], False),
        (["", "random.setstate(s)\n%load_ext resonate_nb"], False),
        (None, True),
    ],
)
@pytest.mark.usefixtures("states")
def test_random_counts_as_unseeded_from_the_load_on_unless_the_session_speaks_of_seeding(
    inputs: object, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_generators, "_at_load", None)
    _generators.note_load(inputs)
    assert expected == look().stands("random", "unseeded")
    random.random()
    _generators.note_load(["", "%reload_ext resonate_nb"])
    assert not look().stands("random", "unseeded")


class _Torch(ModuleType):
    """As much of torch as is used of it."""

    uint8 = "uint8"

    def __init__(self) -> None:
        super().__init__("torch")
        self.rng = b"\x01\x02"

    def get_rng_state(self) -> Any:
        class Tensor:
            numpy = staticmethod(lambda: np.frombuffer(self.rng, np.uint8))

        return Tensor

    def frombuffer(self, data: bytearray, dtype: str) -> bytes:
        assert dtype == "uint8"
        return bytes(data)

    def set_rng_state(self, state: bytes) -> None:
        self.rng = state


@pytest.mark.usefixtures("states")
def test_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in of the same calls: torch is not among what the tests need."""
    torch = _Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    before = look()
    torch.rng = b"\x03\x04"
    found = records(before, look(), frozenset())
    torch.rng = b"\x01\x02"
    moves, elsewhere = split(found, look())
    assert (["torch"], []) == (list(moves), elsewhere)
    put(moves)
    assert b"\x03\x04" == torch.rng
    torch.rng = b"\x05"
    assert ({}, ["torch"]) == split(found, look())
    # Loaded by the cell: it is moved on where it is not loaded when the replay begins.
    without = Standing({name: state for name, state in look().states.items() if name != "torch"})
    loaded = records(without, look(), frozenset())
    moves, elsewhere = split(loaded, without)
    assert (["torch"], []) == (list(moves), elsewhere)
    assert ({}, []) == split(loaded, look())


# in a kernel ---------------------------------------------------------------------------------------------------------

LOAD = "%load_ext resonate_nb\nimport resonate_nb as rnb\nrnb.configure(durability='process')\n"


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    with Kernel(tmp_path, {"RESONATE_NB_KEY": "tests", "RESONATE_NB_STORE": str(tmp_path / "store")}) as found:
        found.ok(LOAD)
        yield found


def again(kernel: Kernel, *cells: str) -> None:
    kernel.restart()
    kernel.ok(LOAD)
    for cell in cells:
        kernel.ok(cell)


def is_replayed(ran: Ran) -> bool:
    return any(str(text).startswith("[replayed · ") for text in ran.bundles())


def said(ran: Ran) -> str:
    return "\n".join(line for line in ran.said.splitlines() if "generator" in line)


TRAIN = "%%durable train\nw = [random.random(), *np.random.rand(3).tolist(), np.random.standard_normal()]"
NEXT = "(random.random(), random.gauss(0, 1), *np.random.standard_normal(3).tolist(), *np.random.rand(2).tolist())"


@pytest.mark.slow
def test_a_seeded_notebook_goes_on_after_a_replay_as_if_it_had_not_been_interrupted(kernel: Kernel) -> None:
    first = "import random, numpy as np\nrandom.seed(1); np.random.seed(2); u = np.random.standard_normal(2).tolist()"
    kernel.ok(first)
    live = kernel.ok(TRAIN)
    assert not is_replayed(live)
    assert said(live) == ""
    w, after = kernel.value("w"), kernel.value(NEXT)
    again(kernel, first)
    replay = kernel.ok(TRAIN)
    assert is_replayed(replay)
    assert said(replay) == ""
    assert kernel.value("w") == w
    assert kernel.value(NEXT) == after
    assert kernel.value("rnb.search('*')[0].record.marks") == (
        "draws at random: the global generator of `random` and numpy's global random generator",
    )


@pytest.mark.slow
@pytest.mark.parametrize("with_numpy", ["import random, numpy as np", "import random"], ids=["loaded", "by the cell"])
def test_an_unseeded_chain_replays_after_a_restart(kernel: Kernel, with_numpy: str) -> None:
    """The generators begin elsewhere in each session, and go on from where the first one was."""
    if "numpy" not in with_numpy:
        assert not kernel.value("'numpy' in __import__('sys').modules")
    train = TRAIN if "numpy" in with_numpy else TRAIN.replace("train\n", "train\nimport numpy as np\n")
    second = "%%durable second\nv = sum(w) + random.random() + np.random.rand()"
    kernel.ok(with_numpy)
    assert said(kernel.ok(train)) == ""
    assert not is_replayed(kernel.ok(second))
    values, after = kernel.value("w, v"), kernel.value(NEXT)
    again(kernel, with_numpy)
    for cell in (train, second):
        replay = kernel.ok(cell)
        assert is_replayed(replay)
        assert said(replay) == ""
    assert kernel.value("w, v") == values
    assert kernel.value(NEXT) == after


@pytest.mark.slow
def test_drawn_from_elsewhere_first_the_names_come_back_and_it_is_said_once(kernel: Kernel) -> None:
    first = "import random, numpy as np"
    kernel.ok(first)
    kernel.ok(TRAIN)
    w = kernel.value("w")
    again(kernel, first, "random.random(); np.random.rand()")
    stands = kernel.value("np.random.get_state()[2]")
    replay = kernel.ok(TRAIN)
    assert is_replayed(replay)
    assert said(replay).count("\n") == 0
    assert "cell `train`: the global generator of `random` and numpy's global random generator moved" in said(replay)
    assert "what came back was drawn then" in said(replay)
    assert "later unseeded draws differ" in said(replay)
    assert "np.random.default_rng(seed)" in said(replay)
    assert kernel.value("w") == w
    assert kernel.value("np.random.get_state()[2]") == stands
    replay = kernel.ok(TRAIN)
    assert is_replayed(replay)
    assert said(replay) == ""
    # Seeded otherwise is elsewhere, too.
    again(kernel, first, "np.random.seed(3)")
    replay = kernel.ok(TRAIN)
    assert is_replayed(replay)
    assert "numpy's global random generator moved" in said(replay)
    assert "`random`" not in said(replay).split(" moved ")[0]


@pytest.mark.slow
def test_a_cell_that_seeds_first_sets_the_generator_wherever_it_stands(kernel: Kernel) -> None:
    cell = "%%durable\nimport numpy as np\nnp.random.seed(42)\nx = float(np.random.rand())"
    kernel.ok(cell)
    after = kernel.value("np.random.rand()")
    replay = kernel.ok(cell)
    assert is_replayed(replay)
    assert said(replay) == ""
    assert kernel.value("np.random.rand()") == after
    again(kernel)
    assert is_replayed(kernel.ok(cell))
    assert kernel.value("np.random.rand()") == after


@pytest.mark.slow
def test_what_a_replay_imports_to_unpickle_does_not_count_as_having_moved(kernel: Kernel) -> None:
    """Importing sklearn.ensemble draws from `random`; a replay imports it before the cell's names are there."""
    cell = (
        "%%durable\nfrom sklearn.ensemble import RandomForestClassifier\n"
        "model = RandomForestClassifier(3).fit([[0], [1], [2], [3]], [0, 0, 1, 1])"
    )
    kernel.ok("import random\nrandom.seed(1)")
    kernel.ok(cell)
    after = kernel.value("random.random(), __import__('numpy').random.rand()")
    again(kernel, "import random\nrandom.seed(1)")
    replay = kernel.ok(cell)
    assert is_replayed(replay)
    assert said(replay) == ""
    assert kernel.value("random.random(), __import__('numpy').random.rand()") == after

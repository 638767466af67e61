"""torch, jax, numba, geopandas: the real ones where they are installed, else fakes of their shape; never skipped."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from values_under_test import fp

from resonate_nb.errors import UnfingerprintableError
from resonate_nb.fingerprint.families import _packages

HERE = Path(__file__).parent


def _kinds(name: str) -> list[str]:
    return ["fake", *(["real"] if importlib.util.find_spec(name) else [])]


def _load(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A fake stands in a folder of installed packages, as the real one does, under its name."""
    if kind == "real":
        yield importlib.import_module(name)
        return
    folder = tmp_path / "site-packages"
    folder.mkdir()
    shutil.copy(HERE / f"fake_{name}.py", folder / f"{name}.py")
    before = {found: sys.modules.pop(found) for found in list(sys.modules) if found.partition(".")[0] == name}
    monkeypatch.syspath_prepend(str(folder))
    try:
        yield importlib.import_module(name)
    finally:
        del sys.modules[name]
        sys.modules.update(before)


@pytest.fixture(params=_kinds("torch"))
def torch(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield from _load("torch", request.param, tmp_path, monkeypatch)


@pytest.fixture(params=_kinds("jax"))
def jax(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    yield from _load("jax", request.param, tmp_path, monkeypatch)
    if request.param == "real":
        importlib.import_module("jax.numpy")


@pytest.fixture(params=_kinds("numba"))
def numba(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield from _load("numba", request.param, tmp_path, monkeypatch)


def test_every_package_has_its_file() -> None:
    for package in _packages._HOME:
        assert callable(_packages._home(package).handler_of)
    for package in _packages._BASES:
        assert callable(_packages._home(package).subclass_of)


def test_tensors_that_look_alike_are_apart(torch: Any) -> None:
    table = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    values = {
        "float32": table,
        "float64": torch.tensor([[0.0, 1.0], [2.0, 3.0]], dtype=torch.float64),
        "int64": torch.tensor([[0, 1], [2, 3]], dtype=torch.int64),
        "bfloat16": torch.tensor([[0, 1], [2, 3]], dtype=torch.bfloat16),
        "flat": torch.arange(4.0),
        "T": table.T,
        "row": table[0],
        "-0": torch.tensor([[-0.0, 1.0], [2.0, 3.0]]),
        "gradient": torch.tensor([[0.0, 1.0], [2.0, 3.0]]).requires_grad_(),
        "parameter": torch.nn.Parameter(table),
        "array": np.array([[0, 1], [2, 3]], "f4"),
        "type": torch.float32,
        "type 2": torch.float64,
        "device": torch.device("cpu"),
        "layout": torch.strided,
        "format": torch.contiguous_format,
        "shape": table.shape,
        "shape as a tuple": tuple(table.shape),
        "generator": torch.Generator().manual_seed(1),
        "generator 2": torch.Generator().manual_seed(2),
    }
    assert len(values) == len({fp(value) for value in values.values()})


def test_layout_of_a_tensor_does_not_count(torch: Any) -> None:
    for kind in (torch.float32, torch.bfloat16):
        table = torch.tensor([[0, 1], [2, 3]], dtype=kind)
        assert fp(table.T) == fp(table.T.clone())
        assert fp(table[:, 0]) == fp(table[:, 0].clone())


def test_memory_that_tensors_share_counts(torch: Any) -> None:
    table = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    assert fp([table, table[0]]) == fp([table, table[0]]) != fp([table, table[0].clone()])
    assert fp([table, table]) != fp([table, table.clone()])
    assert fp([table[0], table[1]]) == fp([table[0].clone(), table[1].clone()])


def test_a_large_tensor_that_is_written_to_is_another(torch: Any) -> None:
    """What was written of large memory is kept while nobody has written to it."""
    large = torch.arange(200_000.0)
    before = fp(large)
    assert before == fp(large) == fp(torch.arange(200_000.0))
    large[100_000:100_001].fill_(7)
    assert before != fp(large)


def test_a_tensor_that_knows_how_it_was_computed_is_refused(torch: Any) -> None:
    computed = torch.tensor([1.0]).requires_grad_() * 2
    with pytest.raises(UnfingerprintableError, match=r"detach\(\)"):
        fp({"loss": [computed]})
    assert fp(computed.detach()) == fp(torch.tensor([2.0]))


def test_another_device_of_the_type_is_no_other_value(torch: Any) -> None:
    if not torch.__file__.endswith("site-packages/torch.py"):
        assert fp(torch.device("cuda", 0)) != fp(torch.device("cpu"))  # this machine may have but one
        return
    places = ("cuda", 0), ("cuda", 1), ("cpu",)
    one, other, here = (torch.Tensor([1.0], place=torch.device(*place)) for place in places)
    assert fp(one) == fp(other) != fp(here)


def test_modules_count_by_parameters_and_mode(torch: Any) -> None:
    def made() -> Any:
        torch.manual_seed(1)
        return torch.nn.Linear(2, 3)

    module = made()
    before = fp(module)
    assert before == fp(made()) == fp(copy.deepcopy(module))
    assert before != fp(made().eval())
    module.weight.detach().fill_(7)
    assert before != fp(module)
    module = made()
    module.extra = 1
    assert before != fp(module)


def test_a_module_of_the_user_counts_by_its_code_as_well(torch: Any) -> None:
    class Net(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.scale = 2

        def forward(self, x: Any) -> Any:
            return x * self.scale

    met: list[object] = []

    def reach(thing: object) -> bytes:
        met.append(thing)
        return b"code"

    from resonate_nb.fingerprint.values._values import Walker

    Walker(reach).digest("net", Net())
    assert Net in met


def test_parameters_that_two_modules_share_count(torch: Any) -> None:
    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    tied = copy.copy(other)
    tied._parameters = {**other._parameters, "weight": one.weight}
    equal = copy.copy(other)
    equal._parameters = {**other._parameters, "weight": torch.nn.Parameter(one.weight.detach().clone())}
    assert fp([one, tied]) != fp([one, equal])


def test_optimizers_count_by_settings_and_state(torch: Any) -> None:
    def made(rate: float) -> Any:
        torch.manual_seed(1)
        return torch.optim.SGD(list(torch.nn.Linear(2, 3).parameters()), lr=rate)

    optimizer = made(0.1)
    before = fp(optimizer)
    assert before == fp(made(0.1)) == fp(pickle.loads(pickle.dumps(made(0.1))))
    assert before != fp(made(0.2))
    optimizer.state[optimizer.param_groups[0]["params"][0]] = {"momentum_buffer": torch.tensor([1.0])}
    assert before != fp(optimizer)


def test_arrays_of_jax_that_look_alike_are_apart(jax: Any) -> None:
    table = jax.numpy.array([[0.0, 1.0], [2.0, 3.0]])
    values = [
        table,
        table.T,
        table[0],
        table + 1,
        table.astype("i4"),
        jax.numpy.array(1.0, dtype="f4"),
        jax.numpy.asarray(1.0),  # its type gives way to others
        np.array([[0, 1], [2, 3]], "f4"),
        jax.random.key(0),
        jax.random.key(1),
    ]
    assert len(values) == len({fp(value) for value in values})
    assert fp(table.T) == fp(jax.numpy.array([[0.0, 2.0], [1.0, 3.0]]))
    assert fp(jax.random.key(1)) == fp(jax.random.key(1))
    assert fp([table, table]) == fp([table, jax.numpy.array([[0.0, 1.0], [2.0, 3.0]])])  # nobody can write to one


def test_an_array_that_was_given_away_is_refused(jax: Any) -> None:
    array = jax.numpy.array([1.0])
    array.delete()
    with pytest.raises(UnfingerprintableError, match="given away"):
        fp(array)


def _double(x: Any) -> Any:
    return x + x


def _triple(x: Any) -> Any:
    return x + x + x


def test_a_jitted_function_counts_by_the_function(jax: Any) -> None:
    """What it was compiled for so far does not."""
    jitted = jax.jit(_double)
    before = fp(jitted)
    jitted(jax.numpy.array([1.0]))
    assert before == fp(jitted) == fp(jax.jit(_double))
    assert before != fp(jax.jit(_triple))


def test_a_function_that_numba_compiles_counts_by_the_function(numba: Any) -> None:
    compiled = numba.njit(_double)
    before = fp(compiled)
    compiled(1)
    assert before == fp(compiled) == fp(numba.njit(_double))
    assert before not in (fp(numba.njit(_triple)), fp(numba.njit(fastmath=True)(_double)), fp(_double))


def test_shapes_of_geopandas_count_without_the_index_over_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the fake alone: it is the copy of the index that no pickle keeps."""
    for geopandas in _load("geopandas", "fake", tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "shapely", geopandas.shapely)
        shapes = geopandas.GeometryArray([(0, 1), (2, 3)], "EPSG:4326")
        before = fp(shapes)
        assert shapes.sindex is not None
        assert before == fp(shapes) == fp(geopandas.GeometryArray([(0, 1), (2, 3)], "EPSG:4326"))
        assert before != fp(geopandas.GeometryArray([(0, 1), (2, 4)], "EPSG:4326"))
        assert before != fp(geopandas.GeometryArray([(0, 1), (2, 3)], "EPSG:3857"))


def test_bfloat16_of_jax_as_an_array_of_numpy(jax: Any) -> None:
    """`ml_dtypes` gives numpy types of its own."""
    if importlib.util.find_spec("ml_dtypes") is None:
        assert fp(np.zeros(2, "f2")) != fp(np.zeros(2, "i2"))
        return
    bfloat16 = importlib.import_module("ml_dtypes").bfloat16
    values = [np.zeros(2, bfloat16), np.ones(2, bfloat16), np.zeros(2, "f2"), np.zeros(2, "i2"), np.dtype(bfloat16)]
    assert len(values) == len({fp(value) for value in values})

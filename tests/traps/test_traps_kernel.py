"""A part of the traps once more in real kernels: started afresh, killed by SIGKILL, nothing imported beforehand."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.slow


def _kernel_module() -> ModuleType:
    """The harness of the notebook's tests, which stands in their folder."""
    path = Path(__file__).parents[1] / "notebook" / "kernel.py"
    if "kernel" not in sys.modules:
        spec = importlib.util.spec_from_file_location("kernel", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["kernel"] = module
        spec.loader.exec_module(module)
    return sys.modules["kernel"]


Kernel: Any = _kernel_module().Kernel

CELLS = """
from resonate_nb import durable
# %%
def low(x): return x + {helper}
# %%
def helper(x): return low(x)  {comment}
# %%
import mymod
import numpy as np, pandas as pd
df = pd.DataFrame({{"a": [1.0, {frame}], "s": ["x", None]}})
class Model:
    def __init__(self, k): self.k = k
    def fit(self): return self.k + {method}
# %%
@durable
def trap_2(x):
    with open("2.log", "a") as log: log.write("+")
    return helper(x)
@durable
def trap_6():
    with open("6.log", "a") as log: log.write("+")
    return float(df["a"].sum())
@durable
def trap_13(model):
    with open("13.log", "a") as log: log.write("+")
    return model.fit()
@durable
def trap_14(x):
    with open("14.log", "a") as log: log.write("+")
    return mymod.g(x)
@durable
def trap_30(x):
    with open("30.log", "a") as log: log.write("+")
    return x {comment}
@durable
def trap_44(x):
    with open("44.log", "a") as log: log.write("+")
    return len(x)
@durable
def trap_65(path):
    with open("65.log", "a") as log: log.write("+")
    return open(path).read()
@durable
def trap_74():
    with open("74.log", "a") as log: log.write("+")
@durable
async def trap_80(x):
    with open("80.log", "a") as log: log.write("+")
    return x + 1
# %%
got = [trap_2(1), trap_6(), trap_13(Model(1)), trap_14(1), trap_30(1), trap_44({{"a", "b", "c"}}), trap_65("data.txt"), trap_74()]
got.append(await trap_80(1))
"""  # noqa: E501
CHANGED = ("2", "6", "13", "14", "65")
UNCHANGED = ("30", "44", "74", "80")


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    (tmp_path / "home").mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        "RESONATE_NB_KEY": "the key of the traps",
        "RESONATE_NB_STORE": str(tmp_path / "store"),
    }


def session(folder: Path, environ: Mapping[str, str], seed: int, parts: Mapping[str, str]) -> list[Any]:
    """Run all cells in a fresh kernel, kill it, and hand back what they gave."""
    with Kernel(folder, {**environ, "PYTHONHASHSEED": str(seed)}) as kernel:
        for cell in CELLS.format(**parts).split("# %%"):
            kernel.ok(cell)
        found: list[Any] = kernel.value("got")
        kernel.kill()
    return found


def test_traps_in_real_kernels(tmp_path: Path, environ: Mapping[str, str]) -> None:
    """Three kernels: at first, after all the edits at once, and once more."""
    book = tmp_path / "book"
    book.mkdir()
    runs: dict[str, list[int]] = {name: [] for name in (*CHANGED, *UNCHANGED)}
    found = []
    for number, (value, comment) in enumerate((("1", ""), ("2", "# said"), ("2", ""))):
        (book / "mymod.py").write_text(f"def g(x):\n    return x + {value}\n")
        os.utime(book / "mymod.py", (1_700_000_000 + 60 * int(value),) * 2)
        (book / "data.txt").write_text(value)
        before = {name: size(book / f"{name}.log") for name in runs}
        parts = {"helper": value, "frame": value, "method": value, "comment": comment}
        found.append(session(book, environ, number, parts))
        for name, times in runs.items():
            times.append(size(book / f"{name}.log") - before[name])
    assert [[2, 2.0, 2, 2, 1, 3, "1", None, 2], *[[3, 3.0, 3, 3, 1, 3, "2", None, 2]] * 2] == found
    assert {name: [1, int(name in CHANGED), 0] for name in runs} == runs


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_82_in_a_real_kernel(tmp_path: Path, environ: Mapping[str, str]) -> None:
    """Killed in the middle of a body: the next kernel takes over, and says who died."""
    book = tmp_path / "book"
    book.mkdir()
    cells = [
        "from resonate_nb import durable\nimport os, time",
        "@durable\ndef f(x):\n"
        "    open('f.log', 'a').write('+')\n"
        "    while not os.path.exists('go'): time.sleep(0.01)\n"
        "    return x + 1",
    ]
    with Kernel(book, environ) as kernel:
        for cell in cells:
            kernel.ok(cell)
        pid = kernel.pid
        kernel.submit("y = f(1)")
        kernel.wait_for(book / "f.log", least_bytes=1)
        kernel.kill()
    (book / "go").touch()
    with Kernel(book, environ) as kernel:
        for cell in cells:
            kernel.ok(cell)
        ran = kernel.ok("y = f(1)")
        assert f"attempt 2, taken over after owner {pid} died" in ran.said
        assert 2 == kernel.value("y")
    assert 2 == size(book / "f.log")

"""With `%autoreload 2`, what was computed after an edit of a local module is found again by the next session."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel import Kernel

pytestmark = pytest.mark.slow

BEFORE = """
K = 1
def g(x): return x + K
class C:
    def m(self): return 1
    @property
    def p(self): return 1
"""
AFTER = """
K = 1
# moved
def g(x): return x * 10 + K
class C:
    def m(self):
        return 2
    @property
    def p(self): return 2
"""


DURABLE = """
from resonate_nb import durable
@durable
def d(x, n={n}):
    print("ran")
    return x + n + {m}
class D:
    @durable
    def m(self, x): return x + {m}
def plain(x, n={n}): return x + n
"""


@pytest.mark.parametrize("extensions", ["resonate_nb autoreload", "autoreload resonate_nb"])
def test_a_durable_function_that_was_imported_is_reloaded(extensions: str, tmp_path: Path) -> None:
    """`from m import f` keeps the object of before the reload, and autoreload brings plain functions up to date."""
    module = tmp_path / "steps.py"
    module.write_text(DURABLE.format(n=0, m=0))
    with Kernel(tmp_path) as kernel:
        kernel.ok("\n".join(f"%load_ext {name}" for name in extensions.split()) + "\n%autoreload 2")
        kernel.ok("from resonate_nb import durable\nfrom steps import d, D, plain\nmine = durable(plain)\nobject = D()")
        assert kernel.ok("print(d(1), object.m(1), mine(1))").text() == "ran\n1 1 1\n"
        module.write_text(DURABLE.format(n=0, m=10) + "# moved\n")
        assert kernel.ok("print(d(1), object.m(1), mine(1))").text() == "ran\n11 11 1\n"
        module.write_text(DURABLE.format(n=100, m=10))
        assert kernel.ok("print(d(1), object.m(1), mine(1))").text() == "ran\n111 11 101\n"
        assert kernel.ok("print(d(1), object.m(1), mine(1))").text() == "111 11 101\n"


def test_a_session_after_autoreload_replays(tmp_path: Path) -> None:
    module = tmp_path / "helpers.py"
    module.write_text(BEFORE)
    with Kernel(tmp_path) as kernel:

        def begin() -> None:
            kernel.ok("%load_ext resonate_nb\n%load_ext autoreload\n%autoreload 2\nfrom resonate_nb import durable")
            kernel.ok("from helpers import g, C\nc = C()")
            kernel.ok("@durable\ndef f(x):\n    print('ran')\n    return g(x), c.m(), C().p")

        begin()
        assert kernel.ok("print(f(1))").text() == "ran\n(2, 1, 1)\n"
        module.write_text(AFTER)
        assert kernel.ok("print(f(1))").text() == "ran\n(11, 2, 2)\n"
        kernel.restart()
        begin()
        assert kernel.ok("print(f(1))").text() == "(11, 2, 2)\n"
